package interop_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// F27: somebody kills the process of a chaincode under mutual TLS, while two transactions are in it. Their callers are told
// at once, List says how it has ended, and the next call runs in a new process, with a new certificate.
func TestKilledFromOutside(t *testing.T) {
	t.Parallel()
	atOnce(t, slices.Concat(securedShims(t), secureServers(t)), func(t *testing.T, s secured) {
		p := newWatched(t, s, nil)
		first, second := p.start(t.Context(), "PutState k v ; GetState j ; Wait never"), p.start(t.Context(), "GetState j ; Wait never")
		p.trace.await(t, "a< RESPONSE tx1")
		p.trace.await(t, "a< RESPONSE tx2")
		if got := p.status(); got.InFlight != 2 {
			t.Errorf("a is %+v", got)
		}
		p.signal(syscall.SIGKILL)
		since := time.Now()
		for _, o := range []outcome{<-first, <-second} {
			if !killed(o.err) {
				t.Errorf("%s: %+v, %v", o.name, o.result, o.err)
			}
		}
		if took := time.Since(since); took > 5*time.Second { // a busy machine's; the bound of F27 is held to elsewhere
			t.Errorf("the callers were told after %s", took)
		}
		p.awaitStatus("killed", 20*time.Second, func(s chaincodesupport.Status) bool { return s.State == chaincodesupport.Stopped })
		var exit *process.ExitError
		if why := p.status().LastError; !errors.As(why, &exit) || exit.Signal != syscall.SIGKILL || exit.Code != 137 {
			t.Errorf("it has ended with %v", why)
		}
		if got := p.text("GetState k"); got != "" {
			t.Errorf("GetState: %q, which was not committed", got)
		}
		if got := p.status(); len(p.awaitPIDs(2)) != 2 || got.Restarts != 1 || got.State != chaincodesupport.Ready {
			t.Errorf("a is %+v, and was launched as processes %d", got, p.pids())
		}
	})
}
