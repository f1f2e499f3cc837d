package group

import (
	"strings"
	"syscall"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// Exit is how a program ended.
type Exit struct {
	runtime.Exit
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

// Summary returns the part of an error's text that says what a program has printed: its reason if it gave one, otherwise its last
// lines. What it said of an error before somebody killed it is not what it died of. Nor are its last lines, if it was killed or
// told to end: nothing can be said of that. They stay in e.
func Summary(e *runtime.Exit) string {
	if e.Reason != "" && (e.Signal == 0 || e.Signal == syscall.SIGABRT) {
		return ": " + e.Reason
	}
	if len(e.LastLines) == 0 || e.Signal == syscall.SIGKILL || e.Signal == syscall.SIGTERM {
		return ""
	}
	return ": " + strings.Join(e.LastLines, " | ")
}
