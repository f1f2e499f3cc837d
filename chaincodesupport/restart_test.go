package chaincodesupport_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// onFailure is a policy for every chaincode: pauses of 1, 2, 4 and then 5 s.
func onFailure(string) chaincodesupport.RestartPolicy {
	return chaincodesupport.RestartPolicy{OnFailure: true, MaxPause: 5 * time.Second}
}

// states shows what List has, a chaincode a line.
func states(cs *chaincodesupport.ChaincodeSupport) string {
	var b strings.Builder
	for _, s := range cs.List() {
		fmt.Fprintf(&b, "%s %s", s.ChaincodeID, s.State)
		if s.External {
			b.WriteString(" external")
		}
		if s.Restarts > 0 {
			fmt.Fprintf(&b, " restarts %d", s.Restarts)
		}
		if s.InFlight > 0 {
			fmt.Fprintf(&b, " in flight %d", s.InFlight)
		}
		if s.LastError != nil {
			fmt.Fprintf(&b, ": %s", s.LastError)
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func wantStates(t *testing.T, cs *chaincodesupport.ChaincodeSupport, want string) {
	t.Helper()
	if got := states(cs); got != want {
		t.Errorf("List has %q, want %q", got, want)
	}
}

func TestRestartPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var starts []string
		cs := newSupport(t, chaincodesupport.Config{Restart: onFailure, Runtimes: always(runFunc(
			func(context.Context, string, runtime.StreamHandler) error {
				starts = append(starts, time.Since(began).String())
				return &runtime.StartError{Cause: errors.New("no such program")}
			}))})
		wantError(t, cs.Launch(t.Context(), "asset:1"), "error starting container: no such program")
		<-time.After(13 * time.Second)
		synctest.Wait()
		if got, want := strings.Join(starts, " "), "0s 1s 3s 7s 12s"; got != want {
			t.Errorf("started at %s, want %s", got, want)
		}
		wantStates(t, cs, "asset:1 restarting restarts 4: error starting container: no such program")
		// A call doesn't wait for its turn, and the turn is then over.
		wantError(t, cs.Launch(t.Context(), "asset:1"), "error starting container: no such program")
		<-time.After(4 * time.Second)
		wantStates(t, cs, "asset:1 restarting restarts 5: error starting container: no such program")
	})
}

// livesFor runs a chaincode that dies after that time.
func livesFor(t *testing.T, d time.Duration) runtime.Runtime {
	return runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		_ = scripted(t, succeed).Run(ctx, id, handle)
		return errors.New("container exited with 1")
	})
}

// Chaincode that was up for long enough is given another chance soon.
func TestRestartAfterLongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := count(livesFor(t, time.Second), livesFor(t, time.Second), livesFor(t, 6*time.Second), livesFor(t, time.Hour))
		cs := newSupport(t, chaincodesupport.Config{Restart: onFailure, Runtimes: always(rt)})
		if err := cs.Launch(t.Context(), "asset:1"); err != nil {
			t.Fatal(err)
		}
		<-time.After(4900 * time.Millisecond) // it ran from 0 to 1 and from 2 to 3
		wantStates(t, cs, "asset:1 restarting restarts 1: container exited with 1")
		<-time.After(200 * time.Millisecond) // and from 5 to 11
		wantStates(t, cs, "asset:1 ready restarts 2: container exited with 1")
		<-time.After(7 * time.Second) // and from 12 on
		wantStates(t, cs, "asset:1 ready restarts 3: container exited with 1")
	})
}

func TestNoRestart(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy func(string) chaincodesupport.RestartPolicy
		end    func(t *testing.T, cs *chaincodesupport.ChaincodeSupport, die func())
		want   string
	}{
		{"the policy is never", nil, func(_ *testing.T, _ *chaincodesupport.ChaincodeSupport, die func()) { die() },
			"asset:1 stopped: container exited with 1"},
		{"the policy panics", func(string) chaincodesupport.RestartPolicy { panic("policy") },
			func(_ *testing.T, _ *chaincodesupport.ChaincodeSupport, die func()) { die() },
			"asset:1 stopped: container exited with 1"},
		{"somebody stopped it", onFailure, func(t *testing.T, cs *chaincodesupport.ChaincodeSupport, _ func()) {
			if err := cs.Stop(t.Context(), "asset:1"); err != nil {
				t.Error(err)
			}
		}, "asset:1 stopped"},
		{"somebody stopped it when it was due", onFailure, func(t *testing.T, cs *chaincodesupport.ChaincodeSupport, die func()) {
			die()
			synctest.Wait()
			wantStates(t, cs, "asset:1 restarting: container exited with 1")
			if err := cs.Stop(t.Context(), "asset:1"); err != nil {
				t.Error(err)
			}
		}, "asset:1 stopped: container exited with 1"},
		{"it is closed when it was due", onFailure, func(t *testing.T, cs *chaincodesupport.ChaincodeSupport, die func()) {
			die()
			synctest.Wait()
			if err := cs.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}, "asset:1 stopped: container exited with 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				died := make(chan struct{})
				rt := count(runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
					ctx, cancel := context.WithCancelCause(ctx)
					defer context.AfterFunc(ctx, func() { cancel(nil) })()
					go func() {
						select {
						case <-died:
							cancel(errors.New("died"))
						case <-ctx.Done():
						}
					}()
					_ = scripted(t, succeed).Run(ctx, id, handle)
					select {
					case <-died:
						return errors.New("container exited with 1")
					default:
						return nil
					}
				}))
				cs := newSupport(t, chaincodesupport.Config{Restart: test.policy, Runtimes: always(rt)})
				if err := cs.Launch(t.Context(), "asset:1"); err != nil {
					t.Fatal(err)
				}
				test.end(t, cs, func() { close(died) })
				<-time.After(time.Hour)
				wantStates(t, cs, test.want)
				if n := rt.runs.Load(); n != 1 {
					t.Errorf("%d runs", n)
				}
			})
		})
	}
}

// A stream that ends under a chaincode is a failure, too, whatever its runtime makes of it.
func TestRestartAfterStreamEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := count(untilStopped, scripted(t, succeed))
		cs := newSupport(t, chaincodesupport.Config{Restart: onFailure, Runtimes: always(rt)})
		c := launchByHand(t, cs)
		c.Abort(errors.New("connection reset"))
		synctest.Wait()
		if got := states(cs); !strings.HasPrefix(got, "asset:1 restarting: ") || !strings.Contains(got, "connection reset") {
			t.Errorf("List has %q", got)
		}
		<-time.After(time.Second)
		synctest.Wait()
		if got := states(cs); !strings.HasPrefix(got, "asset:1 ready restarts 1: ") {
			t.Errorf("List has %q", got)
		}
	})
}

func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		runtimes := map[string]runtime.Runtime{"asset:1": scripted(t, silent), "market:1": untilStopped, "slow:1": slow}
		cs := newSupport(t, chaincodesupport.Config{
			Limits:         handler.Limits{ExecuteTimeout: time.Hour},
			Runtimes:       choose(func(id string) runtime.Runtime { return runtimes[id] }),
			DevMode:        true,
			StartupTimeout: time.Minute,
		})
		wantStates(t, cs, "")
		inFlight := executeAll(t, cs, 2)
		launched := make(chan error, 2)
		for _, id := range []string{"market:1", "slow:1"} {
			go func() { launched <- cs.Launch(t.Context(), id) }()
		}
		mine := connect(t, cs).register("mine:1")
		mine.expect(pb.ChaincodeMessage_REGISTERED)
		mine.expect(pb.ChaincodeMessage_READY)
		synctest.Wait()
		wantStates(t, cs, "asset:1 ready in flight 2\nmarket:1 launching\nmine:1 ready external\nslow:1 launching")
		launch := time.Now()
		<-time.After(time.Minute)
		for range 2 {
			if err := <-launched; err == nil {
				t.Error("a launch that came to nothing has succeeded")
			}
		}
		synctest.Wait()
		_ = mine.CloseSend()
		synctest.Wait()
		const late = ": timeout expired while starting chaincode "
		wantStates(t, cs, "asset:1 ready in flight 2\nmarket:1 stopped"+late+"market:1 for transaction\nslow:1 ending")
		for i, since := range []time.Duration{0, time.Minute, time.Minute} {
			if got := cs.List()[i].Since.Sub(launch); got != since {
				t.Errorf("%s: since %s, want %s", cs.List()[i].ChaincodeID, got, since)
			}
		}
		release()
		synctest.Wait()
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := <-inFlight; !errors.Is(err, handler.ErrStreamTerminated) {
				t.Errorf("Execute: %v", err)
			}
		}
		const others = "\nmarket:1 stopped" + late + "market:1 for transaction\nslow:1 stopped" + late + "slow:1 for transaction"
		wantStates(t, cs, "asset:1 stopped"+others)
		byItself := connect(t, cs).ready()
		synctest.Wait() // READY is sent before the registry is told
		wantStates(t, cs, "asset:1 ready external"+others)
		_ = byItself.CloseSend()
	})
}

// The figures of a chaincode's handler are in List: an operation that a transaction has left behind, for one.
func TestListHasStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{"keeper": keeper})
		unblock := make(chan struct{})
		n.watched["ch1"].On(ledgertest.GetState, ledgertest.Hang(unblock))
		if _, err := n.run(t.Context(), "keeper", "t"); !errors.Is(err, handler.ErrTimeout) {
			t.Errorf("Execute: %v", err)
		}
		if s := n.List()[0]; s.Abandoned != 1 || s.InFlight != 0 {
			t.Errorf("List has %+v", s)
		}
		close(unblock)
		synctest.Wait()
		if s := n.List()[0]; s.Stats != (handler.Stats{}) {
			t.Errorf("List has %+v", s)
		}
	})
}

func TestStateString(t *testing.T) {
	for s, want := range []string{"stopped", "launching", "ready", "ending", "restarting", "unknown"} {
		if got := chaincodesupport.State(s).String(); got != want { //nolint:gosec // small
			t.Errorf("state %d is %q, want %q", s, got, want)
		}
	}
}

// What chaincode calls is a name of its choice: the peer doesn't remember more of them than it can.
func TestRecordsAreBounded(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{Runtimes: always(failing(errors.New("no such chaincode")))})
	for i := range 10_100 {
		_ = cs.Launch(t.Context(), fmt.Sprintf("name%d", i))
	}
	if n := len(cs.List()); n != 10_000 {
		t.Errorf("%d chaincodes are remembered", n)
	}
}

func TestMaxStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true, MaxStreams: 2})
		first := connect(t, cs)
		second := connect(t, cs).register("b:1")
		synctest.Wait()
		third := connect(t, cs)
		if err := <-third.ended; status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "2 streams") {
			t.Errorf("third stream: %v", err)
		}
		second.expect(pb.ChaincodeMessage_REGISTERED)
		_ = first.CloseSend()
		if err := <-first.ended; err != nil {
			t.Errorf("first stream: %v", err)
		}
		fourth := connect(t, cs).register("c:1")
		fourth.expect(pb.ChaincodeMessage_REGISTERED)
	})
}

// A plaintext connection that is not from this machine is refused before anything is read.
func TestPlaintextFromElsewhere(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{DevMode: true})
	l := bufconn.Listen(1 << 16) // whose addresses are no loopback ones
	serveOn(t, l, cs, cs.ServerOptions())
	conn, err := grpc.NewClient("passthrough:peer", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	s, err := pbgrpc.DialChaincodeSupport(t.Context(), conn)
	if err == nil {
		_ = s.Send(registration("asset:1")) // Recv says why, if it fails
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}
