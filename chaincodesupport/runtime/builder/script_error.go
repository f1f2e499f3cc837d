package builder

import (
	"fmt"
	"strings"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// ScriptError says how a script has ended that should have ended otherwise, or not yet.
type ScriptError struct {
	runtime.Exit
	// Builder and Script name the script. Script is detect, build, release or run.
	Builder, Script string
	// Cause is why the peer has stopped the script, or nil.
	Cause error
}

// Error names the script, its exit status, why it was stopped, and the reason that it gave or else its last lines. If the
// script is the chaincode itself, the text begins with Fabric's, "container exited with <n>".
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
	b.WriteString(group.Summary(&e.Exit))
	return b.String()
}

// Unwrap returns Cause.
func (e *ScriptError) Unwrap() error { return e.Cause }
