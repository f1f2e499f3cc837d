package chaincodesupport_test

import (
	"context"
	goruntime "runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F64: a failure is not kept, not even while the failed launch is still being stopped: the next one waits for that.
func TestFailedLaunchThatStopsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		rt := count(slow, scripted(t, succeed))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt), StartupTimeout: time.Second})
		wantError(t, cs.Launch(t.Context(), "asset:1"), "timeout expired while starting chaincode asset:1 for transaction")
		again := launchAll(t, cs, 1)
		synctest.Wait()
		select {
		case err := <-again:
			t.Errorf("second launch ended before the first run had: %v", err)
			release()
			return
		default:
		}
		release()
		if err := <-again; err != nil {
			t.Errorf("second launch: %v", err)
		}
		if runs, most := rt.runs.Load(), rt.most.Load(); runs != 2 || most != 1 {
			t.Errorf("%d runs, %d at once", runs, most)
		}
	})
}

// F27: the stream ends in the middle of a transaction; whoever tries again gets a new run, when the old one is gone.
func TestRelaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		rt := count(slow, scripted(t, succeed))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		c := launchByHand(t, cs)
		inFlight := executeAll(t, cs, 3)
		synctest.Wait()
		c.Abort(errors.New("connection reset"))
		for range 3 {
			if err := <-inFlight; !errors.Is(err, handler.ErrStreamTerminated) {
				t.Errorf("Execute: %v", err)
			}
		}
		again := executeAll(t, cs, 3)
		synctest.Wait()
		if rt.runs.Load() != 1 || len(again) != 0 {
			t.Errorf("%d runs, %d transactions ended before the first run had", rt.runs.Load(), len(again))
		}
		release()
		for range 3 {
			if err := <-again; err != nil {
				t.Errorf("Execute again: %v", err)
			}
		}
		if runs, most := rt.runs.Load(), rt.most.Load(); runs != 2 || most != 1 {
			t.Errorf("%d runs, %d at once", runs, most)
		}
	})
}

// executeAll executes n transactions at once, and returns the channel that the errors come through.
func executeAll(t *testing.T, cs *chaincodesupport.ChaincodeSupport, n int) <-chan error {
	errs := make(chan error, n)
	for i := range n {
		go func() {
			_, err := cs.Execute(t.Context(), "asset:1", params(string(rune('a'+i))), input())
			errs <- err
		}()
	}
	return errs
}

// A caller that waits for the end of the earlier run may give up.
func TestWaiterForTheEndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(slow)})
		c := launchByHand(t, cs)
		c.Abort(errors.New("connection reset"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := cs.Launch(ctx, "asset:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Launch: %v", err)
		}
		release()
	})
}

// An earlier run that does not end is not waited for longer than a launch may take.
func TestEarlierRunNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		defer release()
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(slow), StartupTimeout: time.Minute})
		wantError(t, cs.Launch(t.Context(), "asset:1"), "timeout expired while starting chaincode asset:1 for transaction")
		began := time.Now()
		wantError(t, cs.Launch(t.Context(), "asset:1"),
			"timeout expired while starting chaincode asset:1 for transaction: an earlier run of it has not ended")
		if d := time.Since(began); d != time.Minute {
			t.Errorf("waited for %s", d)
		}
	})
}

// I5: the stream of an earlier run that ends late does not take the name from the next one.
func TestStreamEndsAfterItsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crash, release := make(chan struct{}), make(chan struct{})
		rt := count(runFunc(func(context.Context, string, runtime.StreamHandler) error { <-crash; return nil }), untilStopped)
		cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Faults: handler.FaultObserverFunc(func(handler.Fault) { <-release })}, Runtimes: always(rt)})
		first := launchByHand(t, cs)
		if err := first.Send(&msg{Type: pb.ChaincodeMessage_COMPLETED, Txid: "unknown"}); err != nil {
			t.Fatal(err)
		}
		close(crash)
		synctest.Wait()
		second := launchByHand(t, cs)
		close(release)
		wantStatus(t, <-first.ended, codes.Unavailable, "")
		whileAlive(t, cs, second)
		if n := rt.runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
}

// launchByHand launches asset:1, and plays the chaincode.
func launchByHand(t *testing.T, cs *chaincodesupport.ChaincodeSupport) *connection {
	t.Helper()
	launched := launchAll(t, cs, 1)
	synctest.Wait()
	c := connect(t, cs).ready()
	if err := <-launched; err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := count(scripted(t, silent))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Errorf("Stop of what does not run: %v", err)
		}
		inFlight := executeAll(t, cs, 3)
		synctest.Wait()
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if n := rt.running.Load(); n != 0 {
			t.Errorf("%d run after Stop", n)
		}
		for range 3 {
			if err := <-inFlight; !errors.Is(err, handler.ErrStreamTerminated) {
				t.Errorf("Execute: %v", err)
			}
		}
		if err := cs.Launch(t.Context(), "asset:1"); err != nil {
			t.Errorf("Launch after Stop: %v", err)
		}
	})
}

func TestStopWhileLaunching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, release := slowToStop()
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(slow)})
		launched := launchAll(t, cs, 1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := cs.Stop(ctx, "asset:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop of what does not end: %v", err)
		}
		wantError(t, <-launched, "chaincode asset:1 was stopped")
		release()
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
}

// A chaincode that ends as soon as it is ready isn't launched for ever: each call launches it at most once.
func TestEndsAsSoonAsItIsReady(t *testing.T) {
	for range 200 {
		rt := count(inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
			if err := s.Send(registration(id)); err != nil {
				return err
			}
			for range 2 { // REGISTERED, READY
				if _, err := s.Recv(); err != nil {
					return err
				}
			}
			return nil
		}))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		if err := <-executeAll(t, cs, 1); err == nil {
			t.Fatal("Execute: no error")
		}
		if runs := rt.runs.Load(); runs != 1 {
			t.Fatalf("launched %d times", runs)
		}
	}
}

// exits is a runtime whose goroutine exits without returning, as t.FailNow makes it.
type exits struct{}

func (exits) Run(context.Context, string, runtime.StreamHandler) error {
	goruntime.Goexit()
	return nil
}

func TestRuntimeExits(t *testing.T) {
	cs := newSupport(t, chaincodesupport.Config{Runtimes: always(exits{})})
	for range 2 { // the first one leaves nothing behind
		wantError(t, cs.Launch(t.Context(), "asset:1"), "chaincode registration failed: the runtime's goroutine exited")
	}
}
