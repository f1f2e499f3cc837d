package group

import (
	"syscall"
	"time"

	"github.com/pkg/errors"
)

// Exit is how a program ended.
type Exit struct {
	// Code is the exit status; 128 plus the signal's number, as in a shell or Docker, if it died of a signal.
	Code int
	// Signal is what it died of, or 0. Windows has no signals: there, it is SIGKILL if the peer has killed it.
	Signal syscall.Signal
	// LastLines are the last lines it printed on standard output and standard error, in the order in which they were read,
	// as many of each as Config.LastLines allows. Unprintable bytes are escaped and long lines cut.
	LastLines []string
	// Stopped says that it had been told to end, and Overdue is for how long, if it had not by then.
	Stopped bool
	Overdue time.Duration
	// Unasked says that there was no way to tell it, so it was killed at once.
	Unasked bool
}

// Err returns nil if the program ended in good order, because it was told to. Otherwise it returns exit, which says how
// this one ended, or wraps it.
func (e *Exit) Err(exit error) error {
	switch {
	case e.Overdue > 0 && e.Signal == syscall.SIGKILL:
		return errors.WithMessagef(exit, "killed %s after %s", e.Overdue, howAsked)
	case !e.Stopped, e.Signal == syscall.SIGKILL && !e.Unasked: // by somebody else
		return exit
	default:
		return nil
	}
}
