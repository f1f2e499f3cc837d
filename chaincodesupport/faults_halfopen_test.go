//go:build unix

package chaincodesupport_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	dialruntime "github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/netfault"
	"github.com/ccpeer/ccpeer/shim"
)

// halfOpen is how long a connection may be half open before that is noticed, by default.
const halfOpen = 30 * time.Second

// F31: in the middle of a transaction, nothing comes from the chaincode any more, and the connection is neither closed nor
// reset. The defaults notice it in time, whoever has dialled; and that takes real time.
func TestFaultHalfOpenByDefault(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 30 s")
	}
	t.Parallel()
	silence := func(c *netfault.Conn) error {
		c.Set(netfault.Up, netfault.Fault{Blackhole: true})
		return nil
	}
	cut := func(c *netfault.Conn) error { return c.Unplug(netfault.Both) }
	var waiting []func(began time.Time)
	for _, test := range []struct {
		name string
		// start starts a transaction that holds, through a proxy.
		start func(t *testing.T) (*netfault.Proxy, *execution)
		fault func(*netfault.Conn) error
	}{
		{"chaincode dials, and is silent", holdInProcess, silence},
		{"chaincode dials, and its cable is cut", holdInProcess, cut},
		{"peer dials, and the chaincode's cable is cut", holdInServer, cut},
	} {
		proxy, x := test.start(t)
		for _, c := range proxy.Conns() {
			if err := test.fault(c); errors.Is(err, syscall.ENOTSUP) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
		}
		waiting = append(waiting, func(began time.Time) {
			e := x.wantTerminated(halfOpen - time.Since(began))
			t.Logf("%s: noticed after %s", test.name, e.at.Sub(began))
		})
	}
	began := time.Now()
	for _, wait := range waiting { // at the same time
		wait(began)
	}
}

// holdInProcess starts a transaction on a chaincode that is a process and dials the peer.
func holdInProcess(t *testing.T) (*netfault.Proxy, *execution) {
	cfg := faultyConfig{}
	cfg.ExecuteTimeout = time.Hour
	f := newFaultyNetwork(t, cfg)
	x := f.start("asset:1", "t", "hold")
	f.process("asset:1")
	f.hear("asset:1", "holds")
	return f.proxy, x
}

// holdInServer starts a transaction on a chaincode that is a server, which the peer dials.
func holdInServer(t *testing.T) (*netfault.Proxy, *execution) {
	l := listen(t, "tcp", "127.0.0.1:0")
	proxy, err := netfault.New(netfault.Config{Target: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	holds, goOn := make(chan struct{}), make(chan struct{})
	hold := function(func(stub) *shim.Response {
		close(holds)
		<-goOn
		return shim.Success(nil)
	})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- shim.Serve(ctx, shim.ChaincodeServer{CCID: "asset:1", Listener: l, CC: hold, TLSProps: shim.TLSProperties{Disabled: true}})
	}()
	t.Cleanup(func() {
		close(goOn)
		proxy.Close()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	rt, err := dialruntime.New(dialruntime.Config{Address: proxy.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, chaincodesupport.Config{Limits: handler.Limits{ExecuteTimeout: time.Hour}, Runtimes: always(rt)}, nil)
	x := n.start("asset:1", "t", "hold")
	<-holds
	return proxy, x
}
