package handler_test

import (
	"context"
	"testing"

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
