package chaincodesupport_test

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	ccruntime "github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
)

// I7: after Close no timer is left. One that is would keep the ChaincodeSupport, or a connection, in memory until it fires,
// which is in an hour here.
func TestNoTimerIsLeft(t *testing.T) {
	hour := func(string) chaincodesupport.RestartPolicy {
		return chaincodesupport.RestartPolicy{OnFailure: true, Pause: time.Hour}
	}
	broken := runFunc(func(context.Context, string, ccruntime.StreamHandler) error { return errors.New("broken") })
	for _, test := range []struct {
		name string
		cfg  chaincodesupport.Config
		use  func(t *testing.T, cs *chaincodesupport.ChaincodeSupport, watch func(name string, p *byte))
	}{
		{"launched", chaincodesupport.Config{Runtimes: always(scripted(t, succeed)), StartupTimeout: time.Hour}, launchLeft(true)},
		{"failed to launch", chaincodesupport.Config{Runtimes: always(broken), StartupTimeout: time.Hour}, launchLeft(false)},
		{"restart due", chaincodesupport.Config{Runtimes: always(broken), Restart: hour}, launchLeft(false)},
		{"served", chaincodesupport.Config{Limits: handler.Limits{RegisterTimeout: time.Hour}}, connectLeft},
	} {
		t.Run(test.name, func(t *testing.T) {
			collected := make(chan string, 2)
			watch := func(name string, p *byte) { runtime.AddCleanup(p, func(name string) { collected <- name }, name) }
			func() {
				cs, err := chaincodesupport.New(test.cfg)
				if err != nil {
					t.Fatal(err)
				}
				runtime.AddCleanup(cs, func(name string) { collected <- name }, "the ChaincodeSupport")
				test.use(t, cs, watch)
				if err := cs.Close(t.Context()); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			want := 1
			if test.name == "served" {
				want = 2
			}
			for got := 0; got < want; got++ {
				awaitCollected(t, collected)
			}
		})
	}
}

// awaitCollected waits until the garbage collector has taken one of those that are watched.
func awaitCollected(t *testing.T, collected <-chan string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		runtime.GC()
		select {
		case <-collected:
			return
		case <-deadline:
			t.Fatalf("something still refers to what was closed")
		default:
		}
	}
}

func launchLeft(succeeds bool) func(*testing.T, *chaincodesupport.ChaincodeSupport, func(string, *byte)) {
	return func(t *testing.T, cs *chaincodesupport.ChaincodeSupport, _ func(string, *byte)) {
		if err := cs.Launch(t.Context(), "asset:1"); (err == nil) != succeeds {
			t.Errorf("Launch: %v", err)
		}
	}
}

// watchedConn is a connection of which the test learns when it is collected.
type watchedConn struct {
	net.Conn
	mark *byte
}

// watchedListener accepts such connections.
type watchedListener struct {
	net.Listener
	watch    func(string, *byte)
	accepted chan struct{}
}

func (l watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	mark := new([64]byte)
	l.watch("a connection", &mark[0])
	close(l.accepted)
	return &watchedConn{c, &mark[0]}, nil
}

// connectLeft has somebody connect who says nothing.
func connectLeft(t *testing.T, cs *chaincodesupport.ChaincodeSupport, watch func(string, *byte)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() { _ = cs.Serve(watchedListener{l, watch, accepted}) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	<-accepted
	t.Cleanup(func() { _ = c.Close() })
}
