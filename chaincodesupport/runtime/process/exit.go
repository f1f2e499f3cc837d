package process

import (
	"fmt"
	"strings"
	"syscall"
)

// ExitError says how a chaincode ended that was not asked to.
type ExitError struct {
	// Code is the exit status; 128 plus the signal's number, as in a shell or Docker, if it died of a signal.
	Code int
	// Signal is what it died of, or 0. On Windows, which has no signals, it is SIGKILL if the peer has killed it.
	Signal syscall.Signal
	// LastLines are the last lines it printed on standard output and standard error, in the order in which they were read,
	// as many of each as Config.LastLines allows. Unprintable bytes are escaped and long lines cut.
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
