//go:build unix

package dial_test

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/netfault"
)

// promptly is how long it may take to notice what the system tells.
const promptly = 2 * time.Second

// hold begins a transaction that goes on until the server is told to go on.
func (s *server) hold(cs *chaincodesupport.ChaincodeSupport, txID string) <-chan error {
	s.t.Helper()
	executed := make(chan error, 1)
	go func() {
		_, err := execute(s.t, cs, txID, []byte("hold"), []byte("held"))
		executed <- err
	}()
	s.says("holds")
	return executed
}

// ended returns what executed gets, in time.
func ended(t *testing.T, executed <-chan error, limit time.Duration) error {
	t.Helper()
	select {
	case err := <-executed:
		return err
	case <-time.After(limit):
		t.Fatalf("nobody is told for %s", limit)
		return nil
	}
}

// F27: a server that is a process is killed in the middle of a transaction. The next one that listens there is reached.
func TestServerIsKilled(t *testing.T) {
	s := startServer(t, "127.0.0.1:0")
	cs := newSupport(t, newRuntime(t, dial.Config{Address: s.address, RetryFor: patience}))
	wantEcho(t, cs, "t1")
	executed := s.hold(cs, "t2")
	s.signal(syscall.SIGKILL)
	if err := ended(t, executed, promptly); !errors.Is(err, handler.ErrStreamTerminated) {
		t.Errorf("Execute: %v", err)
	}
	again := make(chan error, 1)
	go func() { again <- cs.Launch(t.Context(), "asset:1") }() // which begins before anybody listens
	startServer(t, s.address)
	if err := ended(t, again, patience); err != nil {
		t.Errorf("Launch: %v", err)
	}
	wantEcho(t, cs, "t3")
}

// F28: a server that is stopped for a while does as if nothing had been.
func TestServerStopsForAWhile(t *testing.T) {
	s := startServer(t, "127.0.0.1:0")
	cs := newSupport(t, newRuntime(t, dial.Config{Address: s.address}))
	executed := s.hold(cs, "t1")
	s.stop()
	s.signal(syscall.SIGUSR1)
	select {
	case err := <-executed:
		t.Errorf("Execute has returned while the server was stopped: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.signal(syscall.SIGCONT)
	if err := ended(t, executed, patience); err != nil {
		t.Errorf("Execute: %v", err)
	}
	wantEcho(t, cs, "t2")
}

// F29: one that is stopped for longer is given up. As long as it is, it can't be reached; then it can.
func TestServerStopsForLong(t *testing.T) {
	t.Parallel() // gRPC waits for 10 s at least
	s := startServer(t, "127.0.0.1:0")
	cs := newSupport(t, newRuntime(t, dial.Impatient(dial.Config{Address: s.address, DialTimeout: promptly})))
	executed := s.hold(cs, "t1")
	s.stop()
	if err := ended(t, executed, 11*time.Second+promptly); !errors.Is(err, handler.ErrStreamTerminated) {
		t.Errorf("Execute: %v", err)
	}
	wantText(t, cs.Launch(t.Context(), "asset:1"), "connection to asset:1 failed: no answer from "+s.address+" within 2s")
	s.signal(syscall.SIGCONT)
	wantEcho(t, cs, "t2")
}

// faulty is what befalls the first connection to a server.
type faulty struct {
	strike func(*netfault.Conn)
	after  int64 // bytes have come from the server
	// limit is how long each part of a call may take: dialling, registering, executing.
	limit time.Duration
	// harmless says that calls succeed nevertheless.
	harmless bool
}

// breaks are what a server, or what is between it and the peer, does at some point.
var breaks = map[string]faulty{
	"resets":  {strike: (*netfault.Conn).Reset, limit: patience},
	"goes":    {strike: func(c *netfault.Conn) { c.End(netfault.Both) }, limit: patience},
	"hangs":   {strike: func(c *netfault.Conn) { c.Set(netfault.Both, netfault.Fault{Blackhole: true}) }, limit: 300 * time.Millisecond},
	"is slow": {strike: func(c *netfault.Conn) { c.Set(netfault.Down, netfault.Fault{Delay: 5 * time.Millisecond}) }, limit: patience, harmless: true},
}

// F68: whatever the server does, and however far the conversation has come: in the TLS handshake, in that of HTTP/2, before
// REGISTER and after. Who calls is told in time; and when the server is all right again, so is the next call.
func TestServerBreaksAtAnyPoint(t *testing.T) {
	p := selfSigned(t)
	for kind, f := range breaks {
		for _, secured := range []bool{false, true} {
			for _, after := range []int64{0, 1, 10, 60, 200, 800, 1300, 1600, 1900, 2200} {
				f := f
				f.after = after
				t.Run(fmt.Sprintf("%s/TLS %t/after %d bytes", kind, secured, f.after), func(t *testing.T) {
					t.Parallel()
					l := listenTCP(t)
					server, cfg := plaintext(l, echo), dial.Config{DialTimeout: f.limit}
					if secured {
						server.TLSProps.Disabled, server.TLSProps.Cert, server.TLSProps.Key = false, p.cert, p.key
						cfg.TLS = client(t, nil, p)
					}
					serve(t, server)
					f.befall(t, l.address(), cfg)
				})
			}
		}
	}
}

// befall calls a chaincode twice, of which the first call is on the faulty connection.
func (f faulty) befall(t *testing.T, address string, cfg dial.Config) {
	var broken atomic.Bool
	proxy, err := netfault.New(netfault.Config{Target: address, Connected: func(c *netfault.Conn) {
		if !broken.Swap(true) {
			c.After(netfault.Down, f.after, func() { f.strike(c) })
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	cfg.Address = proxy.Addr()
	rt := newRuntime(t, cfg)
	cs := newSupportWith(t, chaincodesupport.Config{
		Limits:   handler.Limits{RegisterTimeout: f.limit, ExecuteTimeout: f.limit},
		Runtimes: chaincodesupport.OneRuntime(rt),
	})
	executed := make(chan error, 1)
	go func() {
		_, err := execute(t, cs, "t1", []byte("echo"))
		executed <- err
	}()
	err = ended(t, executed, min(3*f.limit, 10*time.Second)+promptly)
	var failed *dial.ConnectionError
	if err != nil && (f.harmless || !errors.As(err, &failed) && !errors.Is(err, handler.ErrTimeout) && !errors.Is(err, handler.ErrStreamTerminated)) {
		t.Errorf("Execute: %v", err)
	}
	if err := cs.Stop(t.Context(), "asset:1"); err != nil { // as a stream on which nothing comes any more is not given up yet
		t.Errorf("Stop: %v", err)
	}
	f.wantServed(t, cs)
}

// wantServed makes sure that a chaincode is called as if nothing had been. A busy machine can use up a time that is short, so the
// call is made again then.
func (f faulty) wantServed(t *testing.T, cs *chaincodesupport.ChaincodeSupport) {
	t.Helper()
	for tries := 0; f.limit < promptly && tries < 20; tries++ {
		if got, err := execute(t, cs, fmt.Sprint("try ", tries), []byte("echo"), []byte("again")); err == nil && string(got) == "again" {
			return
		}
	}
	wantEcho(t, cs, "t2")
}
