package handler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// 64 callers, whose transactions time out, are cancelled, or are cut off by the stream's end, on a slow ledger and a
// chaincode that may read slowly and calls another one: every Execute returns once and in time, and nothing is left.
func TestStress(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { stress(t, rand.New(rand.NewPCG(seed, 0))) }) //nolint:gosec // a test's
		})
	}
}

func stress(t *testing.T, rnd *rand.Rand) {
	p := newPeer(t)
	p.rows(150)
	p.cfg.ExecuteTimeout = 50 * time.Millisecond
	p.cfg.SendQueue = 1 + rnd.IntN(8)
	p.cfg.MaxBytes = 4 << rnd.IntN(16)
	delay := func(n int) time.Duration { return time.Duration(rnd.IntN(n)) * time.Millisecond }
	for _, method := range []ledgertest.Method{ledgertest.GetState, ledgertest.GetStateRange, ledgertest.Next, ledgertest.Close} {
		p.ledger().On(method, ledgertest.AfterCalls(rnd.IntN(200), ledgertest.Once(ledgertest.Delay(delay(100)))))
	}
	c, b := p.register("cc:1"), p.register("b:1")
	slow, sent := rnd.IntN(2) == 0, 0 // only the writer's
	c.OnSend(func(*pb.ChaincodeMessage) error {
		if sent++; slow && sent%50 == 0 {
			<-time.After(20 * time.Millisecond)
		}
		return nil
	})
	wantOneAnswerEach(t, c, script(everything()...))
	b.serve(script(getState("k000"), getRange("", ""), completed()))
	var returned atomic.Int64
	const callers, rounds = 64, 4
	for i := range callers {
		cancelled, timeout := rnd.IntN(4) == 0, time.Millisecond+delay(60)
		go func() {
			for round := range rounds {
				executeOnce(t, c, fmt.Sprintf("tx%d", i*rounds+round), cancelled, timeout)
				returned.Add(1)
			}
		}()
	}
	ends := 20*time.Millisecond + delay(400)
	<-time.After(ends)
	c.h.Close()
	<-c.ended
	<-time.After(time.Minute)
	if n := returned.Load(); n != callers*rounds {
		t.Errorf("%d of %d executions returned", n, callers*rounds)
	}
	c.wait()
	b.stop()
	synctest.Wait()
	p.check()
	for _, s := range []handler.Stats{c.h.Stats(), b.h.Stats()} {
		if s != (handler.Stats{}) {
			t.Errorf("left over: %+v", s)
		}
	}
}

// executeOnce runs a transaction whose caller goes away, or whose time is up, after timeout.
func executeOnce(t *testing.T, c *chaincode, txID string, cancelled bool, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	if cancelled {
		ctx, cancel = context.WithCancel(context.Background())
		timer := time.AfterFunc(timeout, cancel)
		defer timer.Stop()
	}
	defer cancel()
	start := time.Now()
	tx := c.peer.simulate(txID, channel)
	defer tx.Simulation.Done()
	_, err := c.h.Execute(ctx, tx, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{})
	if d := time.Since(start); d > min(timeout, 50*time.Millisecond)+100*time.Millisecond {
		t.Errorf("Execute took %s, with a limit of %s", d, timeout)
	}
	for _, known := range []error{nil, handler.ErrTimeout, handler.ErrStreamTerminated, handler.ErrPoisoned, context.Canceled} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Errorf("Execute returned %v", err)
}
