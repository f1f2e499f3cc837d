package chaincodesupport_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

// wantError wants an error of that text, or, if that ends in "…", one that begins like it.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	begin, isBegin := strings.CutSuffix(want, "…")
	if err == nil || err.Error() != want && (!isBegin || !strings.HasPrefix(err.Error(), begin)) {
		t.Errorf("got error %v, want %q", err, want)
	}
}

// launchAll calls Launch n times at once, and returns the channel that the errors come through.
func launchAll(t *testing.T, cs *chaincodesupport.ChaincodeSupport, n int) <-chan error {
	errs := make(chan error, n)
	for range n {
		go func() { errs <- cs.Launch(t.Context(), "asset:1") }()
	}
	return errs
}

const waiters = 50

func TestOneLaunchForManyWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := count(after(time.Second, scripted(t, succeed)))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		errs := launchAll(t, cs, waiters)
		for range waiters {
			if err := <-errs; err != nil {
				t.Errorf("Launch: %v", err)
			}
		}
		if _, err := cs.Execute(t.Context(), "asset:1", params("t"), input()); err != nil {
			t.Errorf("Execute: %v", err)
		}
		if n := rt.runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

// F61, F64: every waiter gets the cause at once; the next call launches again.
func TestFailedLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("container exited with 3")
		rt := count(after(time.Second, failing(cause)), scripted(t, succeed))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		began := time.Now()
		errs := launchAll(t, cs, waiters)
		for range waiters {
			err := <-errs
			wantError(t, err, "chaincode registration failed: container exited with 3")
			if !errors.Is(err, cause) {
				t.Errorf("%v does not have the cause", err)
			}
		}
		if d := time.Since(began); d != time.Second {
			t.Errorf("waiters were told after %s", d)
		}
		if err := cs.Launch(t.Context(), "asset:1"); err != nil {
			t.Errorf("Launch after a failed one: %v", err)
		}
		if n := rt.runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
}

// How launches fail that do so at once.
func TestWhyLaunchFails(t *testing.T) {
	for _, test := range []struct {
		name, chaincodeID string
		runtime           func(t *testing.T) runtime.Runtime
		want              string
	}{
		{"no runtime", "asset:1", func(*testing.T) runtime.Runtime { return nil },
			"chaincode asset:1 is not running, and this peer has no runtime for it"},
		{"empty ID", "", func(*testing.T) runtime.Runtime { return untilStopped }, "chaincodeID name is empty"},
		{"hostile ID", "../asset", func(*testing.T) runtime.Runtime { return untilStopped },
			`chaincodeID name "../asset" is not valid: want letters, digits and + _ . : -, and a letter or digit at both ends`},
		{"runtime panics", "asset:1", func(*testing.T) runtime.Runtime {
			return runFunc(func(context.Context, string, runtime.StreamHandler) error { panic("secret") })
		}, "chaincode registration failed: the runtime panicked"},
		{"runtime returns early", "asset:1", func(*testing.T) runtime.Runtime { return failing(nil) },
			"chaincode registration failed: chaincode ended"},
		{"runtime cannot start", "asset:1", func(*testing.T) runtime.Runtime {
			return failing(&runtime.StartError{Cause: errors.New("no such file")})
		}, "error starting container: no such file"},
		{"stream ends before REGISTER", "asset:1", func(*testing.T) runtime.Runtime {
			return inproc.Runtime(func(context.Context, string, pb.ClientStream) error { return errors.New("exit 1") })
		}, `chaincode registration failed: chaincode "asset:1" ended: exit 1`},
		{"stream ends before READY", "asset:1", hangsUpAfterRegister, "chaincode registration failed: chaincode stream terminated: …"},
		{"another name", "asset:1", func(*testing.T) runtime.Runtime {
			return inproc.Runtime(func(_ context.Context, _ string, s pb.ClientStream) error {
				_ = s.Send(registration("other:1"))
				_, err := s.Recv()
				return err
			})
		}, `chaincode registration failed: error in handling register chaincode, chaincodeID name "other:1" is not the one of this stream, "asset:1"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cs := newSupport(t, chaincodesupport.Config{Runtimes: always(test.runtime(t))})
				began := time.Now()
				wantError(t, cs.Launch(t.Context(), test.chaincodeID), test.want)
				if d := time.Since(began); d != 0 {
					t.Errorf("took %s", d)
				}
			})
		})
	}
}

// hangsUpAfterRegister runs a chaincode whose stream breaks while READY is being sent.
func hangsUpAfterRegister(*testing.T) runtime.Runtime {
	return runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
		p, c := pipe.New()
		defer p.End(nil)
		_ = c.Send(registration(id))
		err := handle(ctx, noReady{p})
		<-ctx.Done()
		return err
	})
}

// noReady is a stream that breaks before READY.
type noReady struct{ *pipe.Peer }

func (s noReady) Send(m *msg) error {
	if m.Type == pb.ChaincodeMessage_READY {
		return errors.New("broken pipe")
	}
	return s.Peer.Send(m)
}

func TestWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := count(after(time.Minute, scripted(t, succeed)))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt)})
		patient := launchAll(t, cs, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := cs.Launch(ctx, "asset:1")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("impatient: %v", err)
		}
		if err := <-patient; err != nil {
			t.Errorf("patient: %v", err)
		}
		if n := rt.runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestStartupTimeout(t *testing.T) {
	for _, test := range []struct{ set, want time.Duration }{{0, 300 * time.Second}, {7 * time.Second, 7 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			rt := count(untilStopped)
			cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt), StartupTimeout: test.set})
			began := time.Now()
			errs := launchAll(t, cs, waiters)
			for range waiters {
				wantError(t, <-errs, "timeout expired while starting chaincode asset:1 for transaction")
			}
			if d := time.Since(began); d != test.want {
				t.Errorf("timed out after %s, want %s", d, test.want)
			}
			synctest.Wait()
			if n := rt.running.Load(); n != 0 {
				t.Errorf("%d still run", n)
			}
		})
	}
}

// A launch that was in time is not bothered by the timeout.
func TestStartupTimeoutIsForLaunchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := count(scripted(t, succeed))
		cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt), StartupTimeout: time.Second})
		for range 3 {
			if _, err := cs.Execute(t.Context(), "asset:1", params("t"), input()); err != nil {
				t.Errorf("Execute: %v", err)
			}
			<-time.After(time.Hour)
		}
		if n := rt.runs.Load(); n != 1 {
			t.Errorf("%d runs", n)
		}
	})
}

// F63: a chaincode that is ready before the timeout stays, and one that isn't is ended and can be launched again. At one
// instant it is the one or the other, as a whole.
func TestTimeoutRacesRegistration(t *testing.T) {
	for _, test := range []struct {
		name   string
		lead   time.Duration // of READY before the timeout
		rounds int
		may    map[bool]bool // whether the launch may succeed, and whether it may time out
	}{
		{"in time", time.Nanosecond, 20, map[bool]bool{true: true}},
		{"at one instant", 0, 2000, map[bool]bool{true: true, false: true}},
		{"late", -time.Nanosecond, 20, map[bool]bool{false: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			outcomes := map[bool]int{}
			for range test.rounds {
				synctest.Test(t, func(t *testing.T) { outcomes[raceTimeout(t, test.lead)]++ })
			}
			for succeeded, n := range outcomes {
				if !test.may[succeeded] {
					t.Errorf("%d of %d launches had the outcome %t", n, test.rounds, succeeded)
				}
			}
			t.Logf("%d launches succeeded, %d timed out", outcomes[true], outcomes[false])
		})
	}
}

// raceTimeout launches a chaincode that registers about when its launch times out. It reports whether the launch succeeded,
// and makes sure that what is left is what it says.
func raceTimeout(t *testing.T, lead time.Duration) (succeeded bool) {
	registers := make(chan struct{})
	time.AfterFunc(time.Second-lead, func() { close(registers) })
	rt := count(when(registers, scripted(t, succeed)))
	cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt), StartupTimeout: time.Second})
	err := cs.Launch(t.Context(), "asset:1")
	synctest.Wait()
	runs, want, state := int64(1), int64(1), chaincodesupport.Ready
	if err != nil {
		wantError(t, err, "timeout expired while starting chaincode asset:1 for transaction")
		runs, want, state = 2, 0, chaincodesupport.Stopped
	}
	n, list := rt.running.Load(), cs.List()
	if n != want || list[0].State != state {
		t.Errorf("Launch: %v; %d running, %+v", err, n, list)
	}
	if last := list[0].LastError; err != nil && (last == nil || !strings.HasPrefix(last.Error(), err.Error())) {
		t.Errorf("Launch: %v; List has %v", err, last)
	}
	<-time.After(time.Hour)
	if _, err := cs.Execute(t.Context(), "asset:1", params("t"), input()); err != nil {
		t.Errorf("Execute: %v", err)
	}
	if n := rt.runs.Load(); n != runs || rt.running.Load() != 1 {
		t.Errorf("after Launch: %v, and a call: %d runs, %d running", err, n, rt.running.Load())
	}
	return err == nil
}

// unread is the peer's end of a stream whose chaincode doesn't read, so that READY isn't sent.
type unread struct {
	pb.Stream
	ctx context.Context
}

func (u unread) Send(*msg) error {
	<-u.ctx.Done()
	return u.ctx.Err()
}

// What List has of a launch that took too long says so first, whatever its runtime returns when it is told to end. What adds
// nothing isn't shown.
func TestLastErrorOfTimeout(t *testing.T) {
	const timeout = "timeout expired while starting chaincode asset:1 for transaction"
	for name, test := range map[string]struct {
		registers bool // just before the time is up
		returns   func(ctx context.Context, served error) error
		want      string
	}{
		"nothing":                {false, func(context.Context, error) error { return nil }, timeout},
		"its context's error":    {false, func(ctx context.Context, _ error) error { return errors.Wrap(ctx.Err(), "dial asset:1") }, timeout},
		"its context's cause":    {false, func(ctx context.Context, _ error) error { return context.Cause(ctx) }, timeout},
		"its exit":               {false, func(context.Context, error) error { return errors.New("killed 5s after SIGTERM") }, timeout + "; killed 5s after SIGTERM"},
		"registered":             {true, func(ctx context.Context, _ error) error { return ctx.Err() }, timeout},
		"registered, its stream": {true, func(_ context.Context, served error) error { return served }, timeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rt := runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
					if !test.registers {
						<-ctx.Done()
						return test.returns(ctx, nil)
					}
					p, c := pipe.New()
					served := make(chan error)
					go func() {
						err := handle(ctx, unread{p, ctx})
						p.End(err)
						served <- err
					}()
					<-time.After(time.Second - time.Nanosecond)
					if err := c.Send(registration(id)); err != nil {
						t.Error(err)
					}
					return test.returns(ctx, <-served)
				})
				cs := newSupport(t, chaincodesupport.Config{Runtimes: always(rt), StartupTimeout: time.Second})
				err := cs.Launch(t.Context(), "asset:1")
				synctest.Wait()
				if list := cs.List(); err == nil || err.Error() != timeout || list[0].LastError == nil || list[0].LastError.Error() != test.want {
					t.Errorf("Launch: %v; List has %v, want %s", err, list[0].LastError, test.want)
				}
			})
		})
	}
}

// I9: a panic while a runtime is looked for is the caller's error, whoever that is.
func TestRuntimeLookupPanics(t *testing.T) {
	broken := chaincodesupport.RuntimesFunc(func(context.Context, string) (runtime.Runtime, error) { return nil, errors.New("registry is down") })
	wantError(t, newSupport(t, chaincodesupport.Config{Runtimes: broken}).Launch(t.Context(), "asset:1"), "find the runtime of chaincode asset:1: registry is down")
	cs := newSupport(t, chaincodesupport.Config{Runtimes: choose(func(string) runtime.Runtime { panic("secret") })})
	ctx := t.Context()
	wantError(t, cs.Launch(ctx, "asset:1"), "panic during execution")
	_, err := cs.Execute(ctx, "asset:1", params("t"), input())
	wantError(t, err, "panic during execution")
	_, err = cs.ExecuteID(ctx, "asset:1", params("t"), input())
	wantError(t, err, "panic during execution")
}
