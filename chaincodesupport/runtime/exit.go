package runtime

import (
	"fmt"
	"slices"
	"syscall"
)

// Exit is how a program has ended, and what it printed. Errors of runtimes that start programs embed it.
type Exit struct {
	// Code is the exit status. If the program died of a signal, it is 128 plus the signal's number, as in a shell or Docker.
	Code int
	// Signal is the signal that the program died of, or 0. Windows has no signals; there it is SIGKILL if the peer has killed
	// the program.
	Signal syscall.Signal
	// LastLines are the last lines that the program printed on standard output and standard error, in the order in which they
	// were read. There is a limit for each of the two: that of process.Config.LastLines, or 20. Unprintable bytes are escaped,
	// and long lines cut.
	LastLines []string
	// FirstLines are the first lines, at most 5 of each stream, that are not among the last ones. Omitted is how many lines
	// there were in between. What a JVM says of its options is neither kept nor counted.
	FirstLines []string
	Omitted    int
	// Reason is the line by which the program's language names the error that ended it, and where that was, such as
	// "panic: no contract (main.go:16)". Go, Node, Java and Python are understood. If the program went on to print something
	// else on the same stream, the last line of that follows, because it may have survived the error. Reason is empty if there
	// is no such line, or if it was printed before all of that stream's LastLines.
	Reason string
}

// Output returns the first and the last lines, with a note where lines are left out. It is for showing them one below the
// other.
func (e *Exit) Output() []string {
	lines := slices.Clone(e.FirstLines)
	if e.Omitted > 0 {
		lines = append(lines, fmt.Sprintf("… (%d lines left out)", e.Omitted))
	}
	return append(lines, e.LastLines...)
}
