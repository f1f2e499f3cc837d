package chaincodesupport_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	"github.com/ccpeer/ccpeer/shim"
)

// closing is what the status of a stream says that Close has ended, or refused.
const closing = "chaincode support is closed"

// closeWithin calls Close with a grace time, and returns the channel that its error comes through.
func closeWithin(t *testing.T, cs *chaincodesupport.ChaincodeSupport, grace time.Duration) <-chan error {
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), grace)
		defer cancel()
		closed <- cs.Close(ctx)
	}()
	synctest.Wait()
	return closed
}

// F56: transactions in flight may finish, new ones are refused.
func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		c := connect(t, cs).ready()
		synctest.Wait()
		inFlight := executeAll(t, cs, 2)
		synctest.Wait()
		closed := closeWithin(t, cs, time.Minute)

		_, err := cs.Execute(t.Context(), "asset:1", params("t"), input())
		wantError(t, err, "failed to execute transaction t: chaincode support is closed")
		if !errors.Is(err, chaincodesupport.ErrClosed) {
			t.Errorf("%v is not ErrClosed", err)
		}
		wantError(t, cs.Launch(t.Context(), "asset:2"), "chaincode support is closed")

		for range 2 {
			if len(closed) != 0 {
				t.Fatal("closed before the transactions had finished")
			}
			c.answer()
			if err := <-inFlight; err != nil {
				t.Errorf("Execute: %v", err)
			}
		}
		began := time.Now()
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		wantStatus(t, <-c.ended, codes.Unavailable, closing)
		wantStatus(t, <-connect(t, cs).ended, codes.Unavailable, closing)
		if err := cs.Close(t.Context()); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("took %s", d)
		}
	})
}

// F56: what has not finished within the grace time is ended.
func TestCloseEndsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true, Runtimes: always(untilStopped), StartupTimeout: time.Hour})
		c := connect(t, cs).ready()
		synctest.Wait()
		inFlight := executeAll(t, cs, 3)
		launching := make(chan error, 1)
		go func() { launching <- cs.Launch(t.Context(), "asset:2") }()
		synctest.Wait()
		began := time.Now()
		closed, again := closeWithin(t, cs, 5*time.Second), closeWithin(t, cs, 10*time.Second)
		for range 3 {
			if err := <-inFlight; !errors.Is(err, handler.ErrStreamTerminated) {
				t.Errorf("Execute: %v", err)
			}
		}
		wantError(t, <-launching, "chaincode support is closed")
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("ended after %s", d)
		}
		wantStatus(t, <-c.ended, codes.Unavailable, closing)
		for _, c := range []<-chan error{closed, again} {
			if err := <-c; err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

// A stream that has not registered is ended too, at once.
func TestCloseEndsUnregisteredStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Limits: handler.Limits{RegisterTimeout: time.Hour}, DevMode: true})
		c := connect(t, cs)
		synctest.Wait()
		began := time.Now()
		if err := cs.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
		wantStatus(t, <-c.ended, codes.Unavailable, closing)
		if d := time.Since(began); d != 0 {
			t.Errorf("took %s", d)
		}
	})
}

// A chaincode that registers while Close drains is not kept.
func TestRegisterWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{DevMode: true})
		c := connect(t, cs).ready()
		late := connect(t, cs)
		synctest.Wait()
		inFlight := executeAll(t, cs, 1)
		synctest.Wait()
		closed := closeWithin(t, cs, time.Second)
		late.register("asset:2")
		began := time.Now()
		c.answer()
		if err := <-inFlight; err != nil {
			t.Errorf("Execute: %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		wantStatus(t, <-late.ended, codes.Unavailable, closing)
		if d := time.Since(began); d != 0 {
			t.Errorf("took %s", d)
		}
	})
}

// However Close meets launches, registrations and transactions, nothing is left, and nobody waits for long.
func TestCloseRaces(t *testing.T) {
	for range 500 {
		synctest.Test(t, func(t *testing.T) {
			rt := count(scripted(t, succeed))
			cs := newSupport(t, chaincodesupport.Config{DevMode: true, Runtimes: always(rt)})
			c := connect(t, cs)
			errs := executeAll(t, cs, 3)
			began := time.Now()
			c.register("asset:2")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := cs.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
			if n := rt.running.Load(); n != 0 {
				t.Errorf("%d run after Close", n)
			}
			for range 3 {
				if err := <-errs; err != nil && !errors.Is(err, chaincodesupport.ErrClosed) && !errors.Is(err, handler.ErrStreamTerminated) {
					t.Errorf("Execute: %v", err)
				}
			}
			wantStatus(t, <-c.ended, codes.Unavailable, closing)
			if d := time.Since(began); d != 0 {
				t.Errorf("took %s", d)
			}
		})
	}
}

// F52: a ledger that does not return makes Close say so; when it does return, nothing is left.
func TestCloseWithBlockedLedger(t *testing.T) {
	for _, set := range []time.Duration{0, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t, chaincodesupport.Config{StopTimeout: set}, map[string]function{"keeper": keeper})
			unblock := make(chan struct{})
			n.watched["ch1"].On(ledgertest.GetState, ledgertest.Hang(unblock))
			executed := make(chan error, 1)
			p := n.params("t")
			go func() {
				_, err := n.Execute(t.Context(), "keeper", p, input())
				executed <- err
			}()
			synctest.Wait()
			began := time.Now()
			err := <-closeWithin(t, n.ChaincodeSupport, time.Second)
			want := max(set, 3*time.Second)
			if set == 0 {
				want = 30 * time.Second
			}
			wantError(t, err, "close chaincode support: something was still running after "+want.String()+", in a ledger or a runtime")
			if d := time.Since(began); d != time.Second+want {
				t.Errorf("Close took %s", d)
			}
			if err := <-executed; !errors.Is(err, handler.ErrStreamTerminated) {
				t.Errorf("Execute: %v", err)
			}
			close(unblock)
			if err := n.Close(t.Context()); err != nil {
				t.Errorf("Close again: %v", err)
			}
		})
	}
}

// A transaction in flight may wait for its chaincode's launch.
func TestCloseDrainsLaunches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(after(time.Second, scripted(t, succeed)))})
		inFlight := executeAll(t, cs, 3)
		synctest.Wait()
		if err := <-closeWithin(t, cs, time.Minute); err != nil {
			t.Errorf("Close: %v", err)
		}
		for range 3 {
			if err := <-inFlight; err != nil {
				t.Errorf("Execute: %v", err)
			}
		}
	})
}

// A runtime that is slow to stop is waited for.
func TestCloseWaitsForRuntimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		rt := count(slow)
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		launched := launchAll(t, cs, 1)
		synctest.Wait()
		time.AfterFunc(10*time.Second, release)
		if err := <-closeWithin(t, cs, time.Second); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n := rt.running.Load(); n != 0 {
			t.Errorf("%d run after Close", n)
		}
		wantError(t, <-launched, "chaincode support is closed")
	})
}

// While Close drains, chaincode can call chaincode that runs, but nothing is launched for it.
func TestCallWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiting := make(chan struct{})
		n := newNetwork(t, chaincodesupport.Config{}, map[string]function{
			"caller": func(s stub) *shim.Response { <-waiting; return calls(s) },
			"keeper": keeper,
			"other":  keeper,
		})
		if err := n.Launch(t.Context(), "keeper"); err != nil {
			t.Fatal(err)
		}
		results := make(chan string, 2)
		for _, name := range []string{"keeper", "other"} {
			go func() {
				r, err := n.Execute(t.Context(), "caller", n.params(name), input(name))
				if err != nil {
					results <- err.Error()
					return
				}
				results <- name + ": " + string(r.Payload)
			}()
		}
		synctest.Wait()
		closed := closeWithin(t, n.ChaincodeSupport, time.Minute)
		close(waiting)
		want := map[string]bool{
			"keeper: ": true,
			"other: INVOKE_CHAINCODE failed: transaction ID: other: execute failed: chaincode support is closed": true,
		}
		for range 2 {
			if r := <-results; !want[r] {
				t.Errorf("got %q", r)
			}
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

// Close waits for its callers too, wherever they are held up.
func TestCloseWaitsForCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Runtimes: choose(func(string) runtime.Runtime {
			<-time.After(10 * time.Second)
			return untilStopped
		})})
		launched := launchAll(t, cs, 1)
		synctest.Wait()
		began := time.Now()
		if err := <-closeWithin(t, cs, time.Second); err != nil {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("took %s", d)
		}
		wantError(t, <-launched, "chaincode support is closed")
	})
}
