package chaincodesupport_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/loglimit"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A chaincode that ends by itself is a warning, so that somebody who logs only these sees a crash. One that was told to end
// is none.
func TestEndIsLogged(t *testing.T) {
	for _, crash := range []bool{true, false} {
		core, logs := observer.New(zap.WarnLevel)
		synctest.Test(t, func(t *testing.T) {
			crashed := make(chan struct{})
			rt := runFunc(func(ctx context.Context, id string, handle runtime.StreamHandler) error {
				alive, cancel := context.WithCancel(ctx)
				defer cancel()
				var err error
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					err = scripted(t, succeed).Run(alive, id, handle)
				}()
				select {
				case <-crashed:
					cancel()
					<-gone
					return errors.New("container exited with 2")
				case <-gone:
					return err
				}
			})
			cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, Runtimes: always(rt)})
			if err := cs.Launch(t.Context(), "cc:1"); err != nil {
				t.Fatal(err)
			}
			if crash {
				close(crashed)
			} else if err := cs.Stop(t.Context(), "cc:1"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		})
		ends := logs.FilterMessage("chaincode ended").All()
		switch {
		case !crash && len(ends) > 0:
			t.Errorf("the end of a chaincode that was stopped is a warning: %v", ends)
		case crash && (len(ends) != 1 || ends[0].ContextMap()["chaincode"] != "cc:1" || ends[0].ContextMap()["cause"] != "container exited with 2"):
			t.Errorf("the end of a chaincode that crashed is logged as %v, want one warning", ends)
		}
	}
}

// However many strangers come, all of them together write few lines, and each is either logged or counted.
func TestStrangersAreLoggedWithinLimits(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	const strangers = 300
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, InsecureForeignServer: true})
		for range strangers {
			c := connect(t, cs)
			if err := c.Send(&msg{Type: pb.ChaincodeMessage_GET_STATE, Txid: "tx"}); err != nil {
				t.Fatal(err)
			}
			_ = untilError(c)
		}
	})
	if n, total := logs.Len(), accountedFor(logs, ""); n > 30 || total != 2*strangers {
		t.Errorf("%d lines, which account for %d, want at most 30 for the fault and the end of %d streams", n, total, strangers)
	}
}

// accountedFor is how many lines there would be without a limit: those with a text, or all if it is "", and those left out.
func accountedFor(logs *observer.ObservedLogs, text string) (total int64) {
	for _, e := range logs.All() {
		about := e.Message
		if about == "lines were left out" {
			about, _ = e.ContextMap()["reason"].(string)
		}
		if text != "" && about != text {
			continue
		}
		if e.Message != "lines were left out" {
			total++
		}
		if n, ok := e.ContextMap()["skipped"].(int64); ok {
			total += n
		}
	}
	return total
}

// F120: a chaincode that registers and leaves in a loop writes few lines, and each is logged or counted.
func TestComingAndGoingIsLoggedWithinLimits(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	const rounds = 3000
	synctest.Test(t, func(t *testing.T) {
		cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, DevMode: true})
		for range rounds {
			c := connect(t, cs).ready()
			_ = c.CloseSend()
			if err := <-c.ended; err != nil {
				t.Error(err)
			}
		}
	})
	if n := logs.Len(); n > 30 {
		t.Errorf("%d rounds wrote %d lines, want at most 30", rounds, n)
	}
	for _, text := range []string{"chaincode registered", "chaincode stream ended"} {
		if total := accountedFor(logs, text); total != rounds {
			t.Errorf("%d lines %q are accounted for, want %d", total, text, rounds)
		}
	}
}

// F120: a chaincode that ends as soon as it is launched is seen at level Warn the first times, and then counted.
func TestCrashesAreLoggedWithinLimits(t *testing.T) {
	const rounds = 1000
	for _, level := range []zapcore.Level{zap.WarnLevel, zap.InfoLevel} {
		core, logs := observer.New(level)
		synctest.Test(t, func(t *testing.T) {
			rt := runFunc(func(context.Context, string, runtime.StreamHandler) error {
				return errors.New("container exited with 2")
			})
			cs := newSupport(t, chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}, Runtimes: always(rt)})
			for range rounds {
				if err := cs.Launch(t.Context(), "cc:1"); err == nil {
					t.Fatal("it was launched")
				}
			}
		})
		for i, e := range logs.FilterLevelExact(zap.WarnLevel).All()[:loglimit.Burst] {
			if e.Message != "chaincode ended" || e.ContextMap()["cause"] != "container exited with 2" {
				t.Errorf("warning %d is %q %v", i, e.Message, e.ContextMap())
			}
		}
		if n, total := logs.Len(), accountedFor(logs, "chaincode ended"); n > 30 || total != rounds {
			t.Errorf("at %s: %d rounds wrote %d lines, which account for %d, want at most 30", level, rounds, n, total)
		}
		if total := accountedFor(logs, "launch chaincode"); level == zap.InfoLevel && total != rounds || level == zap.WarnLevel && total != 0 {
			t.Errorf("at %s: %d lines about launches are accounted for", level, total)
		}
	}
}
