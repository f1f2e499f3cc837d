package interop_test

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/ccpeer/ccpeer/chaincodesupport"
)

var soak = flag.Duration("soak", 0, "how long chaincode is idle in TestIdleSoak; 0 is a few seconds")

// idleTime is how long chaincode is idle.
func idleTime() time.Duration {
	if *soak > 0 {
		return *soak
	}
	return 3 * time.Second
}

// fullSoak leaves out what takes minutes to happen.
func fullSoak(t *testing.T) {
	if *soak < 5*time.Minute {
		t.Skip("needs -soak 5m, or more")
	}
}

// S12: chaincode on every official shim lives through minutes in which nobody calls it, on the same stream, with the
// default settings of the peer's server and of package dial. Shims ping once a minute, or in two, and are hung up on by
// servers that don't like it; and they hang up on peers that don't answer, or ping too often.
func TestIdleSoak(t *testing.T) {
	t.Parallel()
	atOnce(t, []soaked{
		{"idle", chaincodeIsIdle}, {"shims ping", shimsPing}, {"too many pings", tooManyPings}, {"frozen server", serverIsFrozen},
	}, func(t *testing.T, s soaked) { s.test(t) })
}

type soaked struct {
	name string
	test func(*testing.T)
}

// String implements fmt.Stringer.
func (s soaked) String() string { return s.name }

func chaincodeIsIdle(t *testing.T) {
	atOnce(t, slices.Concat(securedShims(t), secureServers(t)), func(t *testing.T, s secured) {
		newWatched(t, s, nil).wantIdle()
	})
}

// shimsPing has the peer's server not ping by itself. So it is the shims that do, as often as they like to.
func shimsPing(t *testing.T) {
	fullSoak(t)
	atOnce(t, securedShims(t), func(t *testing.T, s secured) {
		w, seen, identify := s.watchedWay(t, nil)
		w.options = []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{})}
		newPeer(t, w, identify).watchedBy(seen).wantIdle()
	})
}

// wantIdle checks that a does nothing for a while, and is then still there.
func (p watchedPeer) wantIdle() {
	p.t.Helper()
	p.text("PutState k v")
	before := p.status()
	if pids := p.pids(); before.State != chaincodesupport.Ready || len(pids) != 1 {
		p.t.Fatalf("a is %+v, as processes %d", before, pids)
	}
	p.trace.take()
	elapse(p.t, idleTime())
	if said := p.trace.take(); len(said) > 0 {
		p.t.Errorf("it was not idle: %q", said)
	}
	p.wantUndisturbed(before)
	if got := p.text("GetState k"); got != "v" {
		p.t.Errorf("GetState: %q", got)
	}
	p.wantUndisturbed(before)
}

// tooManyPings shows that a test of this kind can fail: with gRPC's own settings, the server ends it.
func tooManyPings(t *testing.T) {
	fullSoak(t)
	s := securedShims(t)[0]
	w, identify := s.way(t, nil)
	w.options = []grpc.ServerOption{
		grpc.KeepaliveParams(keepalive.ServerParameters{}), grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{}),
	}
	p := watchedPeer{testPeer: newPeer(t, w, identify)}
	p.awaitStatus("pings", *soak, func(s chaincodesupport.Status) bool { return s.State == chaincodesupport.Stopped })
	if why := p.status().LastError; why == nil || !strings.Contains(why.Error(), "too_many_pings") {
		t.Errorf("it has ended with %v", why)
	}
}

// serverIsFrozen stops a server that the peer dials. The machine it runs on still answers for it, until the peer pings:
// more often than once a minute is too often for Go's servers.
func serverIsFrozen(t *testing.T) {
	fullSoak(t)
	atOnce(t, secureServers(t), func(t *testing.T, s secured) {
		p := newWatched(t, s, nil)
		p.freeze()
		p.wantRelaunch(90 * time.Second)
	})
}
