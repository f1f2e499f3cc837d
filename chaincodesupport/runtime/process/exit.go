package process

import (
	"fmt"
	"strings"
	"syscall"
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
}

// Error begins with Fabric's text, "container exited with <n>", and goes on with the signal and the last lines.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "container exited with %d", e.Code)
	if e.Signal != 0 {
		fmt.Fprintf(&b, " (%s)", e.Signal)
	}
	if len(e.LastLines) > 0 {
		b.WriteString(": ")
		b.WriteString(strings.Join(e.LastLines, " | "))
	}
	return b.String()
}
