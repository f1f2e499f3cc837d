package chaincodesupport_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	pb "github.com/ccpeer/ccpeer/proto"
)

// wantStatus checks the end that a stream came to.
func wantStatus(t *testing.T, err error, code codes.Code, text string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), text) {
		t.Errorf("stream ended with %v, want %s %q", err, code, text)
	}
}

// whileAlive runs one transaction on asset:1, which the test plays.
func whileAlive(t *testing.T, cs *chaincodesupport.ChaincodeSupport, c *connection) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := cs.Execute(t.Context(), "asset:1", params("still alive"), input())
		done <- err
	}()
	c.answer()
	if err := <-done; err != nil {
		t.Errorf("Execute: %v", err)
	}
}

// F17
func TestDuplicateName(t *testing.T) {
	for _, devMode := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			cs, first := oneRunning(t, devMode)
			for range 2 {
				newcomer := connect(t, cs).register("asset:1")
				wantStatus(t, <-newcomer.ended, codes.AlreadyExists, "duplicate chaincodeID: asset:1")
				synctest.Wait()
				whileAlive(t, cs, first)
			}
		})
	}
}

// oneRunning returns asset:1, connected by itself in dev mode and launched otherwise.
func oneRunning(t *testing.T, devMode bool) (*chaincodesupport.ChaincodeSupport, *connection) {
	t.Helper()
	cfg := chaincodesupport.Config{DevMode: devMode}
	if !devMode {
		cfg.Runtimes = always(untilStopped)
	}
	cs := newSupport(t, cfg)
	launched := make(chan error, 1)
	if !devMode {
		go func() { launched <- cs.Launch(t.Context(), "asset:1") }()
		synctest.Wait()
	}
	c := connect(t, cs).ready()
	if !devMode {
		if err := <-launched; err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	return cs, c
}

func TestExternalConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{})
		c := connect(t, cs).register("asset:1")
		wantStatus(t, <-c.ended, codes.PermissionDenied, "peer will not accept external chaincode connection asset:1 (except in dev mode)")
	})
}

func TestExternalConnectionInDevMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		for range 3 {
			c := connect(t, cs).ready()
			synctest.Wait()
			whileAlive(t, cs, c)
			if err := c.CloseSend(); err != nil {
				t.Fatal(err)
			}
			if err := <-c.ended; err != nil {
				t.Errorf("stream ended with %v", err)
			}
			_, err := cs.Execute(t.Context(), "asset:1", params("too late"), input())
			if want := "chaincode asset:1 is not running"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Execute: %v, want %q", err, want)
			}
		}
	})
}

// A chaincode that connected by itself is stopped by ending its stream, and may come back.
func TestStopExternal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		c := connect(t, cs).ready()
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Errorf("Stop: %v", err)
		}
		wantStatus(t, <-c.ended, codes.Unavailable, "")
		connect(t, cs).ready()
	})
}

// However Stop and a connection meet, the name is free again in the end.
func TestStopRacesExternalConnection(t *testing.T) {
	for range 2000 {
		synctest.Test(t, func(t *testing.T) {
			cs := newSupport(t, chaincodesupport.Config{DevMode: true})
			c := connect(t, cs)
			synctest.Wait()
			stopped := make(chan error, 1)
			go func() { stopped <- cs.Stop(t.Context(), "asset:1") }()
			c.register("asset:1")
			if err := <-stopped; err != nil {
				t.Errorf("Stop: %v", err)
			}
			c.Abort(io.EOF)
			if err := <-c.ended; err != nil && status.Code(err) != codes.Unavailable {
				t.Errorf("stream ended with %v", err)
			}
			connect(t, cs).ready()
		})
	}
}

// F15: the credential fixes the name.
func TestIdentify(t *testing.T) {
	for _, test := range []struct {
		name, credential string
		refused          error
		code             codes.Code
		text             string
	}{
		{"own name", "asset:1", nil, codes.OK, ""},
		{"someone else's", "other:1", nil, codes.PermissionDenied, `chaincodeID name "asset:1" is not the one of this stream, "other:1"`},
		{"none", "", errors.New("no certificate"), codes.Unauthenticated, "no certificate"},
		{"any", "", nil, codes.OK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			cs := newSupport(t, chaincodesupport.Config{DevMode: true, Identify: identifyAs(test.credential, test.refused)})
			s := dial(t, serve(t, cs))
			if err := s.Send(registration("asset:1")); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			m, err := s.Recv()
			if test.code == codes.OK {
				if err != nil || m.Type != pb.ChaincodeMessage_REGISTERED {
					t.Errorf("got %v, %v", m, err)
				}
				return
			}
			wantStatus(t, err, test.code, test.text)
		})
	}
}

// F82: a panic in Identify refuses the stream, and its value stays in the peer.
func TestIdentifyPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true, Identify: func(context.Context) (string, error) { panic("secret") }})
		wantStatus(t, <-connect(t, cs).ended, codes.Unauthenticated, "panic during identification")
	})
}

// holdsReady is a stream that READY is sent on when it is released.
type holdsReady struct {
	pb.Stream
	release <-chan struct{}
}

func (s holdsReady) Send(m *msg) error {
	if m.Type == pb.ChaincodeMessage_READY {
		<-s.release
	}
	return s.Stream.Send(m)
}

// F17: a stream that is refused between another one's REGISTER and READY doesn't end that one's launch, though it comes with
// the chaincode's credential.
func TestSecondStreamWhileRegistering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(untilStopped), Identify: identifyAs("asset:1", nil)})
		launched := launchAll(t, cs, 1)
		synctest.Wait()
		release := make(chan struct{})
		first := connectOver(t, cs, func(s pb.Stream) pb.Stream { return holdsReady{s, release} }).register("asset:1")
		first.expect(pb.ChaincodeMessage_REGISTERED)
		for _, name := range []string{"asset:1", "other:1"} {
			if err := <-connect(t, cs).register(name).ended; err == nil {
				t.Errorf("a second stream was accepted as %s", name)
			}
		}
		synctest.Wait()
		select {
		case err := <-launched:
			t.Errorf("the launch ended: %v", err)
		default:
		}
		wantStates(t, cs, "asset:1 launching")
		close(release)
		first.expect(pb.ChaincodeMessage_READY)
		if err := <-launched; err != nil {
			t.Errorf("Launch: %v", err)
		}
		whileAlive(t, cs, first)
	})
}

// F62: who registers after the launch has timed out is refused, whether or not the runtime has stopped by then.
func TestLateRegistration(t *testing.T) {
	for _, test := range []struct{ name, text string }{
		{"while it is being stopped", "chaincode asset:1 registered after its launch had ended"},
		{"when it has been stopped", "peer will not accept external chaincode connection asset:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt, release := slowToStop()
				cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt), StartupTimeout: time.Second})
				late := connect(t, cs)
				if err := cs.Launch(t.Context(), "asset:1"); err == nil {
					t.Error("Launch succeeded")
				}
				if test.name == "when it has been stopped" {
					release()
					synctest.Wait()
				}
				late.register("asset:1")
				wantStatus(t, <-late.ended, codes.PermissionDenied, test.text)
				release()
			})
		})
	}
}
