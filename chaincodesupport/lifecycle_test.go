package chaincodesupport_test

import (
	"context"
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
)

// diary notes lifecycle events, a line each.
type diary struct {
	began time.Time

	mu    sync.Mutex
	lines []string
}

func newDiary() *diary { return &diary{began: time.Now()} }

func (d *diary) ObserveLifecycle(e chaincodesupport.LifecycleEvent) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", e.At.Sub(d.began), e.ChaincodeID, e.State)
	if e.External {
		b.WriteString(" external")
	}
	if e.Restarts > 0 {
		fmt.Fprintf(&b, " restarts %d", e.Restarts)
	}
	if e.Pause > 0 {
		fmt.Fprintf(&b, " in %s", e.Pause)
	}
	if e.Asked {
		b.WriteString(" asked")
	}
	if e.Cause != nil {
		cause, _, _ := strings.Cut(e.Cause.Error(), " terminated: ") // what ends a stream first is not always the same
		fmt.Fprintf(&b, ": %s", strings.TrimSuffix(cause, " terminated"))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, b.String())
}

// taken returns what was noted since the last time.
func (d *diary) taken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// want checks what was noted since the last time, when everybody has come to rest.
func (d *diary) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	wantEvents(t, d.taken(), want)
}

func wantEvents(t *testing.T, got, want []string) {
	t.Helper()
	if got, want := strings.Join(got, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("events\n%s\nwant\n%s", got, want)
	}
}

func TestLifecycleOfCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		cs := newSupport(t, chaincodesupport.Config{Lifecycle: d, Restart: onFailure, Runtimes: always(count(
			failing(&runtime.StartError{Cause: errors.New("no such program")}), livesFor(t, 2*time.Second), untilStopped))})
		if err := cs.Launch(t.Context(), "asset:1"); err == nil {
			t.Error("Launch succeeded")
		}
		d.want(t, "0s asset:1 launching",
			"0s asset:1 ending: error starting container: no such program",
			"0s asset:1 restarting in 1s: error starting container: no such program")
		<-time.After(time.Second)
		d.want(t, "1s asset:1 launching restarts 1", "1s asset:1 ready restarts 1")
		<-time.After(2 * time.Second)
		d.want(t, "3s asset:1 ending restarts 1: chaincode stream",
			"3s asset:1 restarting restarts 1 in 2s: container exited with 1")
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Error(err)
		}
		d.want(t, "3s asset:1 stopped restarts 1 asked: container exited with 1")
		<-time.After(time.Hour)
		d.want(t)
		launched := launchAll(t, cs, 1)
		d.want(t, "1h0m3s asset:1 launching restarts 2")
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Error(err)
		}
		wantError(t, <-launched, "chaincode asset:1 was stopped")
		d.want(t, "1h0m3s asset:1 ending restarts 2 asked: chaincode asset:1 was stopped",
			"1h0m3s asset:1 stopped restarts 2 asked: chaincode asset:1 was stopped")
	})
}

// What is run by the same as before goes on.
func TestStopReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		cs := newSupport(t, chaincodesupport.Config{Lifecycle: d, Runtimes: always(scripted(t, succeed))})
		for _, id := range []string{"same:1", "other:1", "new:1"} {
			if err := cs.Launch(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		d.taken()
		before, now := map[string]int{"same:1": 1, "other:1": 1, "gone:1": 1}, map[string]int{"same:1": 1, "other:1": 2, "new:1": 0}
		if err := chaincodesupport.StopReplaced(t.Context(), cs, before, now); err != nil {
			t.Error(err)
		}
		synctest.Wait() // what is told of the stops may come later
		var stopped []string
		for _, e := range d.taken() {
			if strings.Contains(e, " stopped ") {
				stopped = append(stopped, strings.Fields(e)[1])
			}
		}
		slices.Sort(stopped)
		wantEvents(t, stopped, []string{"new:1", "other:1"})
	})
}

func TestLifecycleOfStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		slow, release := slowToStop()
		cs := newSupport(t, chaincodesupport.Config{Lifecycle: d, DevMode: true, Runtimes: always(slow)})
		launchByHand(t, cs)
		d.want(t, "0s asset:1 launching", "0s asset:1 ready")
		mine := connect(t, cs).register("mine:1")
		d.want(t, "0s mine:1 launching external", "0s mine:1 ready external")
		_ = mine.CloseSend()
		d.want(t, "0s mine:1 ending external: chaincode stream", "0s mine:1 stopped external: chaincode stream")
		stopped := make(chan error, 1)
		go func() { stopped <- cs.Stop(t.Context(), "asset:1") }()
		d.want(t, "0s asset:1 ending asked: chaincode asset:1 was stopped")
		<-time.After(time.Second)
		release()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		d.want(t, "1s asset:1 stopped asked: chaincode asset:1 was stopped")
		launchByHand(t, cs)
		if err := cs.Close(t.Context()); err != nil {
			t.Error(err)
		}
		// Close has waited until the last one was told.
		wantEvents(t, d.taken(), []string{"1s asset:1 launching", "1s asset:1 ready",
			"1s asset:1 ending asked: chaincode support is closed", "1s asset:1 stopped asked: chaincode support is closed"})
	})
}

// An observer that blocks holds up nobody but Close; one that panics, or whose goroutine exits, is told of what follows.
func TestLifecycleObserverMisbehaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.ErrorLevel)
		release := make(chan struct{})
		told := 0
		cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, Runtimes: always(scripted(t, succeed)), Lifecycle: chaincodesupport.LifecycleFunc(
			func(chaincodesupport.LifecycleEvent) {
				switch told++; told {
				case 1:
					<-release
				case 2:
					panic("secret")
				case 3:
					goruntime.Goexit()
				}
			})})
		if err := cs.Launch(t.Context(), "asset:1"); err != nil {
			t.Error(err)
		}
		if err := cs.Stop(t.Context(), "asset:1"); err != nil {
			t.Error(err)
		}
		if err := cs.Launch(t.Context(), "asset:1"); err != nil {
			t.Error(err)
		}
		close(release)
		synctest.Wait()
		if told != 6 { // launching, ready, ending, stopped, launching, ready
			t.Errorf("it was told of %d events", told)
		}
		if n := logs.FilterMessage("panic in Config.Lifecycle").Len(); n != 1 {
			t.Errorf("%d panics were logged", n)
		}
	})
}

// However Stop meets a restart that is due, and Close, what was told last is that the chaincode has stopped.
func TestLifecycleRaces(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			d := newDiary()
			cs := newSupport(t, chaincodesupport.Config{Lifecycle: d, Restart: onFailure, Runtimes: always(failing(errors.New("no")))})
			_ = cs.Launch(t.Context(), "asset:1")
			<-time.After(time.Second) // it is launched again now
			stopped := make(chan error, 1)
			go func() { stopped <- cs.Stop(t.Context(), "asset:1") }()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := cs.Close(ctx); err != nil {
				t.Error(err)
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if lines := d.taken(); !strings.Contains(lines[len(lines)-1], "stopped") {
				t.Errorf("the events are %q", lines)
			}
		})
	}
}
