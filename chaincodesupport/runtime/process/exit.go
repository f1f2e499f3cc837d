package process

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// ExitError says how a chaincode has ended that was not asked to.
type ExitError struct {
	// Code is the exit status. If the chaincode died of a signal, it is 128 plus the signal's number, as in a shell or
	// Docker.
	Code int
	// Signal is the signal that the chaincode died of, or 0. Windows has no signals; there it is SIGKILL if the peer has
	// killed the chaincode.
	Signal syscall.Signal
	// LastLines are the last lines that the chaincode printed on standard output and standard error, in the order in which
	// they were read. Config.LastLines says how many of each. Unprintable bytes are escaped, and long lines cut.
	LastLines []string
	// FirstLines are the first lines, at most 5 of each stream, that are not among the last ones. Omitted is how many lines
	// there were in between. What a JVM says of its options is neither kept nor counted.
	FirstLines []string
	Omitted    int
	// Reason is the line by which the chaincode's language names the error that ended it, and where that was, such as
	// "panic: no contract (main.go:16)". Go, Node, Java and Python are understood. It is empty if there is no such line.
	Reason string
}

// Error begins with Fabric's text, "container exited with <n>", and goes on with the signal. After that it has the reason. If
// there is none, or if the chaincode was killed, it has the last lines instead.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "container exited with %d", e.Code)
	if e.Signal != 0 {
		fmt.Fprintf(&b, " (%s)", e.Signal)
	}
	b.WriteString(group.Summary(e.Reason, e.Signal, e.LastLines))
	return b.String()
}

// Output returns the first and the last lines, with a note where lines are left out. It is for showing them one below the
// other.
func (e *ExitError) Output() []string { return group.Lines(e.FirstLines, e.Omitted, e.LastLines) }
