package group

import (
	"fmt"
	"slices"
	"strings"
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
	// FirstLines are its first lines, as many of each stream as firstLines says, that are not among the last ones. Omitted is
	// how many lines there were in between.
	FirstLines []string
	Omitted    int
	// Reason is what it said it died of, and where: "panic: no contract (main.go:16)". It is empty if no line says so.
	Reason string
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

// Lines returns what is kept of the output, with a note where lines are left out.
func Lines(first []string, omitted int, last []string) []string {
	lines := slices.Clone(first)
	if omitted > 0 {
		lines = append(lines, fmt.Sprintf("… (%d lines left out)", omitted))
	}
	return append(lines, last...)
}

// Summary returns the part of an error's text that says what a program has printed: its reason if it gave one, otherwise its last
// lines. What it said of an error before somebody killed it is not what it died of.
func Summary(reason string, signal syscall.Signal, lines []string) string {
	if reason != "" && (signal == 0 || signal == syscall.SIGABRT) {
		return ": " + reason
	}
	if len(lines) == 0 {
		return ""
	}
	return ": " + strings.Join(lines, " | ")
}
