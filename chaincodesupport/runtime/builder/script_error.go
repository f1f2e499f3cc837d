package builder

import (
	"fmt"
	"strings"
	"syscall"
)

// ScriptError says how a script ended that should have ended otherwise, or not yet.
type ScriptError struct {
	// Builder and Script name it: Script is detect, build, release or run.
	Builder, Script string
	// Code is the exit status; 128 plus the signal's number, as in a shell, if it died of a signal.
	Code int
	// Signal is what it died of, or 0. On Windows, which has no signals, it is SIGKILL if the peer has killed it.
	Signal syscall.Signal
	// LastLines are the last lines it printed on standard output and standard error, in the order in which they were read,
	// 20 of each at most. Unprintable bytes are escaped and long lines cut.
	LastLines []string
	// Cause is why the peer has stopped it, or nil.
	Cause error
}

// Error names the script, its exit status, why it was stopped, and the last lines. Where it stands for the chaincode, it
// begins with Fabric's text, "container exited with <n>".
func (e *ScriptError) Error() string {
	name := fmt.Sprintf("bin/%s of builder %q", e.Script, e.Builder)
	var b strings.Builder
	if e.Script == "run" {
		fmt.Fprintf(&b, "container exited with %d (%s)", e.Code, name)
	} else {
		fmt.Fprintf(&b, "%s exited with %d", name, e.Code)
	}
	if e.Signal != 0 {
		fmt.Fprintf(&b, " (%s)", e.Signal)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ", it was stopped: %v", e.Cause)
	}
	if len(e.LastLines) > 0 {
		b.WriteString(": ")
		b.WriteString(strings.Join(e.LastLines, " | "))
	}
	return b.String()
}

// Unwrap returns Cause.
func (e *ScriptError) Unwrap() error { return e.Cause }
