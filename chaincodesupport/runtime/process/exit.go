package process

import (
	"fmt"
	"strings"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// ExitError says how a chaincode has ended that was not asked to. Config.LastLines says how many lines it keeps.
type ExitError struct{ runtime.Exit }

// Error begins with Fabric's text, "container exited with <n>", and goes on with the signal. After that it has the reason, or
// the last lines if there is none. If the chaincode was killed, it has neither: what was printed before says nothing of that.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "container exited with %d", e.Code)
	if e.Signal != 0 {
		fmt.Fprintf(&b, " (%s)", e.Signal)
	}
	b.WriteString(group.Summary(&e.Exit))
	return b.String()
}
