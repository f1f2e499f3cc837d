package builder

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// ScriptError says how a script has ended that should have ended otherwise, or not yet.
type ScriptError struct {
	// Builder and Script name the script. Script is detect, build, release or run.
	Builder, Script string
	// Code is the exit status. If the script died of a signal, it is 128 plus the signal's number, as in a shell.
	Code int
	// Signal is the signal that the script died of, or 0. Windows has no signals; there it is SIGKILL if the peer has killed
	// the script.
	Signal syscall.Signal
	// LastLines are the last lines that the script printed on standard output and standard error, in the order in which they
	// were read, at most 20 of each. Unprintable bytes are escaped, and long lines cut.
	LastLines []string
	// FirstLines are the first lines, at most 5 of each stream, that are not among the last ones. Omitted is how many lines
	// there were in between.
	FirstLines []string
	Omitted    int
	// Reason is the line that names the error of which the script died, as in process.ExitError.
	Reason string
	// Cause is why the peer has stopped the script, or nil.
	Cause error
}

// Error names the script, its exit status, why it was stopped, and the reason that it gave or else its last lines. If the script is the chaincode itself,
// the text begins with Fabric's, "container exited with <n>".
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
	b.WriteString(group.Summary(e.Reason, e.Signal, e.LastLines))
	return b.String()
}

// Output returns the first and the last lines, with a note where lines are left out.
func (e *ScriptError) Output() []string { return group.Lines(e.FirstLines, e.Omitted, e.LastLines) }

// Unwrap returns Cause.
func (e *ScriptError) Unwrap() error { return e.Cause }
