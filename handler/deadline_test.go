package handler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A ledger that keeps a transaction's context, and first asks for its end when that has been, learns that it has.
func TestContextOfATransactionThatIsOver(t *testing.T) {
	p := newPeer(t)
	var kept context.Context
	p.ledger().On(ledgertest.GetState, func(ctx context.Context, call func() error) error {
		kept = ctx
		return call()
	})
	c := p.register("cc:1")
	x := c.begin("tx1")
	c.ask(pb.ChaincodeMessage_GET_STATE, "tx1", &pb.GetState{Key: "k"})
	c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	c.complete("tx1")
	<-x.done
	select {
	case <-kept.Done():
	default:
		t.Error("the context goes on")
	}
	if kept.Err() == nil {
		t.Error("the context has no error")
	}
	c.stop()
}

// I11: what serves a request sees the caller's deadline, if that is sooner than the handler's.
func TestLedgerSeesDeadline(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			p.cfg.ExecuteTimeout = time.Minute
			began, seen := time.Now(), make(chan time.Duration, 1)
			p.ledger().On(ledgertest.GetState, func(ctx context.Context, call func() error) error {
				at, _ := ctx.Deadline()
				seen <- at.Sub(began)
				return call()
			})
			c := p.register("cc:1")
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			x := c.execute(ctx, p.simulate("tx1", channel))
			c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
			c.Deliver(in("tx1", getState("k")))
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			if got, want := <-seen, min(limit, time.Minute); got != want {
				t.Errorf("the ledger sees a deadline in %s, want %s", got, want)
			}
			c.complete("tx1")
			x.wantReply(t)
			c.stop()
			p.check()
		})
	}
}
