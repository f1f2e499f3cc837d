package handler_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The answer of an operation that has returned just before its transaction timed out must not reach the next run of
// the same transaction, which would take it for the answer to a request of its own. The fault that is reported for
// a failed operation stands for a worker that isn't scheduled meanwhile.
func TestNextRunGetsNoStaleAnswer(t *testing.T) {
	for _, typ := range []pb.ChaincodeMessage_Type{pb.ChaincodeMessage_GET_STATE, pb.ChaincodeMessage_DEL_STATE} {
		t.Run(typ.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				scheduled := make(chan struct{})
				p.cfg.Faults = handler.FaultObserverFunc(func(f handler.Fault) {
					if f.Kind == handler.FaultFailedRequest {
						<-scheduled
					}
				})
				broken := ledgertest.Fail(errors.New("broken"))
				p.ledger().On(ledgertest.GetState, broken)
				p.ledger().On(ledgertest.DeleteState, broken)
				c := p.register("cc:1")
				defer c.stop()
				first := c.begin("tx1")
				c.ask(typ, "tx1", &pb.GetState{Key: "a"})
				<-first.done
				second := c.begin("tx1")
				close(scheduled)
				synctest.Wait()
				if sent := c.Sent(); len(sent) != 0 {
					t.Errorf("the second run was sent %v", sent)
				}
				c.complete("tx1")
				if <-second.done; second.err != nil {
					t.Error(second.err)
				}
			})
		})
	}
}

// A chaincode that has completed its transaction gets no answer to the request that it didn't wait for, whether Execute has given
// up meanwhile or not: it would be unsolicited.
func TestNoAnswerAfterCompletion(t *testing.T) {
	for _, taken := range []bool{true, false} { // by the worker, before the chaincode completes
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			release := make(chan struct{})
			p.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
			c := p.register("cc:1")
			ctx, cancel := context.WithCancel(t.Context())
			x := c.execute(ctx, p.simulate("tx1", channel))
			c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
			c.Deliver(in("tx1", getState("k")))
			if taken {
				synctest.Wait()
			}
			c.complete("tx1")
			synctest.Wait()
			cancel()
			x.want(t, context.Canceled)
			close(release)
			synctest.Wait()
			c.Deliver(in("marker", getState("k")))
			c.want(pb.ChaincodeMessage_ERROR, "marker")
			if n := p.count(handler.FaultDroppedAnswer); n != 1 {
				t.Errorf("%d answers were dropped, want 1", n)
			}
			if s := c.h.Stats(); s.Abandoned != 0 {
				t.Errorf("left over: %+v", s)
			}
			c.stop()
			p.check()
		})
	}
}

// A chaincode that doesn't read must not keep iterators and simulators of transactions that have timed out.
func TestBlockedWriterKeepsNothingOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		for i := range 101 {
			p.memory[channel].put("cc", fmt.Sprintf("k%03d", i), "v")
		}
		p.cfg.SendQueue, p.cfg.SendTimeout = 1, time.Hour
		c := p.register("cc:1")
		const n = 8
		var calls []*call
		for i := range n {
			calls = append(calls, c.begin(fmt.Sprint("tx", i)))
		}
		c.Block(nil)
		for i := range n {
			c.ask(pb.ChaincodeMessage_GET_STATE_BY_RANGE, fmt.Sprint("tx", i), &pb.GetStateByRange{})
		}
		for _, x := range calls {
			if <-x.done; !errors.Is(x.err, handler.ErrTimeout) {
				t.Errorf("got %v", x.err)
			}
		}
		synctest.Wait()
		if got, want := p.ledger().Counts(), (ledgertest.Counts{Simulators: n, Done: n, Iterators: n, Closed: n}); got != want {
			t.Errorf("while the writer is blocked: %+v, want %+v", got, want)
		}
		// The stream can still be ended.
		c.h.Close()
		<-c.ended
		c.wait()
	})
}

// Whatever a callback does, it ends its stream at most.
func TestObserverPanics(t *testing.T) {
	for _, test := range []struct {
		name string
		play func(*chaincode)
		code codes.Code
	}{
		{"an answer fails", func(c *chaincode) { c.ask(pb.ChaincodeMessage_PUT_STATE, "tx1", &pb.PutState{}) }, codes.Internal},
		{"unknown transaction", func(c *chaincode) { c.ask(pb.ChaincodeMessage_GET_STATE, "tx2", nil) }, codes.Internal},
		{"unexpected message", func(c *chaincode) { c.ask(pb.ChaincodeMessage_READY, "tx1", nil) }, codes.InvalidArgument},
		{"abandoned operation", func(c *chaincode) {
			c.ask(pb.ChaincodeMessage_GET_STATE, "tx1", &pb.GetState{Key: "a"})
			<-time.After(time.Minute)
		}, codes.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.cfg.Faults = handler.FaultObserverFunc(func(handler.Fault) { panic("observer") })
				p.ledger().On(ledgertest.GetState, ledgertest.Delay(2*time.Minute))
				c := p.register("cc:1")
				x := c.begin("tx1")
				test.play(c)
				if <-x.done; x.err == nil {
					t.Error("the transaction succeeded")
				}
				if err := (<-c.ended).err; status.Code(err) != test.code {
					t.Errorf("the stream ended with %v, want %s", err, test.code)
				}
				c.wait()
				p.check()
			})
		})
	}
}

// A reply that has been received when the connection's context ends wins.
func TestReplyWinsAgainstEndOfContext(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			busy := make(chan struct{})
			p.cfg.Faults = handler.FaultObserverFunc(func(handler.Fault) { <-busy })
			c := p.register("cc:1")
			x := c.begin("tx1")
			c.ask(pb.ChaincodeMessage_COMPLETED, "unknown", nil) // keeps the select loop busy
			c.complete("tx1")
			synctest.Wait()
			c.cancel()
			synctest.Wait()
			close(busy)
			if <-x.done; x.err != nil {
				t.Errorf("the reply was lost: %v", x.err)
			}
			<-c.ended
			c.wait()
		})
	}
}

// When Execute has succeeded, nobody else holds the simulation: Done is immediate.
func TestDoneIsImmediateAfterSuccess(t *testing.T) {
	p := newPeer(t)
	c := p.register("cc:1")
	defer c.stop()
	go func() {
		for m := c.Next(); m != nil; m = c.Next() {
			if m.Type == pb.ChaincodeMessage_TRANSACTION {
				c.ask(pb.ChaincodeMessage_GET_STATE, m.Txid, &pb.GetState{Key: "a"})
			} else {
				c.complete(m.Txid)
			}
		}
	}()
	for i := range 2000 {
		tx := p.simulate("tx", channel)
		if _, err := c.h.Execute(context.Background(), tx, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{}); err != nil {
			t.Fatal(err)
		}
		tx.Simulation.Done()
		if got := p.ledger().Counts().Done; got != i+1 {
			t.Fatalf("%d simulators are done, want %d", got, i+1)
		}
	}
}

// executeEarly is a registry that executes a transaction before the chaincode is ready.
type executeEarly struct {
	*chaincode
	x *call
}

func (e *executeEarly) Register(h *handler.Handler) error {
	err := e.chaincode.Register(h)
	e.x = e.execute(context.Background(), handler.TxParams{ChannelID: channel, TxID: "early"})
	synctest.Wait()
	return err
}

// A transaction that comes too early fails by itself.
func TestExecuteBeforeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		early := &executeEarly{}
		p.cfg.Registry = early
		early.chaincode = p.connect()
		early.Deliver(registration("cc:1"))
		early.want(pb.ChaincodeMessage_REGISTERED, "")
		early.want(pb.ChaincodeMessage_READY, "")
		if <-early.x.done; early.x.err == nil {
			t.Error("executed before READY")
		}
		early.stop()
	})
}

// Names that can't be sent fail their own transaction, not the stream.
func TestExecuteRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.register("cc:1")
		defer c.stop()
		for _, test := range []struct {
			params handler.TxParams
			typ    pb.ChaincodeMessage_Type
			in     *pb.ChaincodeInput
		}{
			{handler.TxParams{TxID: "\xff"}, pb.ChaincodeMessage_TRANSACTION, nil},
			{handler.TxParams{TxID: "tx1", ChannelID: "\xff"}, pb.ChaincodeMessage_TRANSACTION, nil},
			{handler.TxParams{TxID: "tx1"}, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{Decorations: map[string][]byte{"\xff": nil}}},
			{handler.TxParams{TxID: "tx1"}, pb.ChaincodeMessage_GET_STATE, nil},
		} {
			if _, err := c.h.Execute(context.Background(), test.params, test.typ, test.in); err == nil {
				t.Errorf("executed %s of %+v", test.typ, test.params)
			}
		}
		c.wantSilence()
	})
}

// The chaincode is told a registry's reason as it stands.
func TestRefusedRegistrationText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		defer p.register("cc:1").stop()
		c := p.connect()
		c.Deliver(registration("cc:2"))
		if got := status.Convert((<-c.ended).err).Message(); got != "duplicate chaincodeID: cc:2" {
			t.Errorf("got %q", got)
		}
		c.wait()
		if n := p.count(handler.FaultRefusedRegistration); n != 1 {
			t.Errorf("%d refused registrations were reported, want 1", n)
		}
	})
}

// What happens at the very instant of the deadline must neither wedge the stream nor be counted for ever.
func TestMessagesAtTheDeadline(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			p.cfg.ExecuteTimeout = time.Second
			c := p.register("cc:1")
			var replied, timedOut atomic.Int64
			var calls []*call
			for i := range 8 {
				txID := fmt.Sprint("tx", i)
				calls = append(calls, c.begin(txID))
				c.ask(pb.ChaincodeMessage_GET_STATE, txID, &pb.GetState{Key: "a"})
				c.want(pb.ChaincodeMessage_RESPONSE, txID)
			}
			<-time.After(time.Second)
			for i := range 8 {
				txID := fmt.Sprint("tx", i)
				c.ask(pb.ChaincodeMessage_GET_STATE, txID, &pb.GetState{Key: "a"})
				c.ask(pb.ChaincodeMessage_GET_STATE, txID, &pb.GetState{Key: "a"})
				c.complete(txID)
			}
			for _, x := range calls {
				if <-x.done; x.err == nil {
					replied.Add(1)
				} else if errors.Is(x.err, handler.ErrTimeout) || errors.Is(x.err, handler.ErrPoisoned) {
					timedOut.Add(1)
				}
			}
			if n := replied.Load() + timedOut.Load(); n != 8 {
				t.Errorf("%d of 8 transactions returned as they should", n)
			}
			synctest.Wait()
			if s := c.h.Stats(); s != (handler.Stats{}) {
				t.Errorf("left over: %+v", s)
			}
			c.stop()
			p.check()
		})
	}
}
