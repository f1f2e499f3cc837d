package handler_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// ledgerError is an error as a ledger may return it, by mistake, as a nil pointer: its text can't be asked for.
type ledgerError struct{ text string }

func (e *ledgerError) Error() string { return e.text }

// A ledger's error whose text panics is a panic of the ledger (F51).
func TestErrorWithoutText(t *testing.T) {
	for _, m := range []*pb.ChaincodeMessage{getState("a"), putState("a", "1"), invoke("b/other")} {
		t.Run(m.Type.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				c, b := p.register("cc:1"), p.register("b:1")
				x := c.begin("tx1")
				for _, l := range p.ledgers {
					for _, method := range []ledgertest.Method{ledgertest.GetState, ledgertest.SetState, ledgertest.NewSimulator} {
						l.On(method, ledgertest.Fail((*ledgerError)(nil)))
					}
				}
				c.Deliver(in("tx1", m))
				c.wantError("tx1", m.Type.String()+" failed: transaction ID: tx1: panic during execution")
				c.complete("tx1")
				x.want(t, handler.ErrPoisoned)
				c.stop()
				b.stop()
				if s := c.h.Stats(); s != (handler.Stats{}) {
					t.Errorf("left over: %+v", s)
				}
				p.check()
			})
		})
	}
}

// A ledger that ends the worker's goroutine, as testing.T.FailNow does, ends the stream: nobody can answer the request.
func TestLedgerEndsWorker(t *testing.T) {
	for _, late := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			p.ledger().On(ledgertest.GetState, func(context.Context, func() error) error {
				<-time.After(late)
				runtime.Goexit()
				return nil
			})
			c := p.register("cc:1")
			x := c.begin("tx1")
			c.Deliver(in("tx1", getState("a")))
			if <-x.done; x.err == nil {
				t.Error("the transaction succeeded")
			}
			if e := <-c.ended; e.err == nil || e.err.Error() != "internal error, ending chaincode support stream" {
				t.Errorf("the stream ended with %v", e.err)
			}
			c.wait()
			if s := c.h.Stats(); s != (handler.Stats{}) {
				t.Errorf("left over: %+v", s)
			}
			p.check()
		})
	}
}

// A chaincode that stops reading for a while gets every answer, also those of transactions that have timed out
// meanwhile (I1): it waits for them.
func TestBlockedWriterLosesNoAnswer(t *testing.T) {
	for _, test := range []struct {
		what             string
		m                *pb.ChaincodeMessage
		messages, queued int // what may wait
	}{
		{"few messages GET_STATE", getState("a"), 1, 0},
		{"few messages DEL_STATE", delState("a"), 1, 0},
		{"few bytes GET_STATE", getState("a"), 0, 1},
		{"few bytes DEL_STATE", delState("a"), 0, 1},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.cfg.SendQueue, p.cfg.MaxBytes, p.cfg.SendTimeout = test.messages, 4*test.queued, time.Hour
				c := p.register("cc:1")
				const n = 40 // more than the queues hold
				var calls []*call
				for i := range n {
					calls = append(calls, c.begin(fmt.Sprint("tx", i)))
				}
				release := make(chan struct{})
				c.Block(release)
				for i := range n {
					c.Deliver(in(fmt.Sprint("tx", i), test.m))
				}
				for _, x := range calls {
					if <-x.done; !errors.Is(x.err, handler.ErrTimeout) {
						t.Errorf("got %v", x.err)
					}
				}
				synctest.Wait()
				if got := c.h.Stats().Undelivered; got < n-n/2 || got >= n {
					t.Errorf("%d of %d answers wait", got, n)
				}
				close(release)
				synctest.Wait()
				if s := c.h.Stats(); s != (handler.Stats{}) {
					t.Errorf("left over: %+v", s)
				}
				answers := map[string]int{}
				for _, m := range c.Sent() {
					answers[m.Txid]++
				}
				for i := range n {
					if got := answers[fmt.Sprint("tx", i)]; got != 1 {
						t.Errorf("transaction %d got %d answers", i, got)
					}
				}
				c.stop()
				p.check()
			})
		})
	}
}
