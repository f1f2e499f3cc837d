package handler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// What a peer does with a transaction's simulator besides its chaincode.
func TestSimulationDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s := p.simulate("tx1", channel).Simulation
		fail := errors.New("no")
		do := func(ctx context.Context, f func(ledger.Simulator) error) error { return s.Do(ctx, f) }
		err := do(context.Background(), func(sim ledger.Simulator) error { return sim.SetState(context.Background(), "cc", "k", []byte("v")) })
		if got := p.memory[channel].last.Load().writes["cc/k"]; err != nil || got != "v" {
			t.Errorf("wrote %q, %v", got, err)
		}
		if err := do(context.Background(), func(ledger.Simulator) error { return fail }); !errors.Is(err, fail) {
			t.Errorf("got %v, want the function's error", err)
		}
		func() {
			defer func() {
				if got := recover(); got != "mine" {
					t.Errorf("recovered %v, want the function's panic", got)
				}
			}()
			_ = do(context.Background(), func(ledger.Simulator) error { panic("mine") })
		}()
		if err := do(context.Background(), func(ledger.Simulator) error { return nil }); !errors.Is(err, handler.ErrPoisoned) {
			t.Errorf("got %v, want ErrPoisoned", err)
		}
		s.Done()
		if err := do(context.Background(), func(ledger.Simulator) error { return nil }); err == nil || err.Error() != "this instance should not be used after calling Done()" {
			t.Errorf("got %v after Done", err)
		}
		p.check()
	})
}

// It waits for an operation that runs, at most until its context ends.
func TestSimulationDoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.register("cc:1")
		p.ledger().On(ledgertest.GetState, ledgertest.Delay(time.Minute))
		params := p.simulate("tx1", channel)
		x := c.execute(context.Background(), params)
		c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
		c.Deliver(in("tx1", getState("k")))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := params.Simulation.Do(ctx, func(ledger.Simulator) error {
			t.Error("called while an operation runs")
			return nil
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		x.want(t, handler.ErrTimeout)
		<-time.After(time.Hour)
		c.stop()
		p.check()
	})
}
