package handler_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// stalled is why the stream of a chaincode ends that doesn't read.
const stalled = "chaincode has not read what it was sent for 30s, ending chaincode support stream"

// F33: a chaincode that doesn't read doesn't hold up Execute, and in the end loses its stream: 30 s, by default, after the
// first message that it didn't read was written, and a moment more.
func TestSendTimeout(t *testing.T) {
	for _, idle := range []time.Duration{0, time.Second, 29 * time.Second, time.Minute, time.Hour} {
		t.Run(fmt.Sprint("after ", idle), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.cfg.ExecuteTimeout = 10 * time.Second
				c := p.register("cc:1")
				<-time.After(idle)
				c.Block(nil)
				start := time.Now()
				first := c.execute(t.Context(), p.simulate("tx1", channel))
				<-time.After(5 * time.Second)
				second := c.execute(t.Context(), p.simulate("tx2", channel))
				first.want(t, handler.ErrTimeout)
				second.want(t, handler.ErrTimeout)
				if d := time.Since(start); d != 15*time.Second {
					t.Errorf("the last Execute returned after %s", d)
				}
				third := c.execute(t.Context(), p.simulate("tx3", channel))
				<-third.done
				<-time.After(4999 * time.Millisecond)
				synctest.Wait()
				if c.h.Err() != nil {
					t.Fatalf("ended after %s: %v", time.Since(start), c.h.Err())
				}
				fourth := c.execute(t.Context(), p.simulate("tx4", channel))
				c.wantEnd(codes.DeadlineExceeded, stalled)
				fourth.want(t, handler.ErrStreamTerminated)
				if d := time.Since(start); d != 30*time.Second+50*time.Millisecond {
					t.Errorf("the stream ended after %s", d)
				}
				if n := p.count(handler.FaultStalledSend); n != 1 {
					t.Errorf("counted %d times", n)
				}
				c.wait()
				p.check()
			})
		})
	}
}

// A chaincode that reads slowly, but reads, keeps its stream: each message has its own time.
func TestSlowReaderKeepsItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.ExecuteTimeout, p.cfg.SendTimeout = time.Hour, 7*time.Second
		c := p.register("cc:1")
		c.OnSend(func(*pb.ChaincodeMessage) error {
			<-time.After(7*time.Second - time.Nanosecond)
			return nil
		})
		var calls []*call
		for i := range 20 { // the writer is never idle
			calls = append(calls, c.execute(t.Context(), p.simulate(fmt.Sprint("tx", i), channel)))
		}
		for range calls {
			c.complete(c.Next().GetTxid())
		}
		for _, x := range calls {
			x.wantReply(t)
		}
		c.stop()
		p.check()
	})
}

// A Send that is late, but returns at once when it is looked at, as after a pause of the process, is forgiven (F59).
func TestLateSendIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.ExecuteTimeout = time.Hour
		c := p.register("cc:1")
		for i := range 3 {
			c.OnSend(func(*pb.ChaincodeMessage) error {
				<-time.After(30*time.Second + time.Millisecond)
				return nil
			})
			x := c.begin(fmt.Sprint("tx", i))
			c.finish(t, fmt.Sprint("tx", i), x)
		}
		c.stop()
		p.check()
	})
}

// A stream that is idle needs no timer: there may be very many of them.
func TestIdleStreamIsNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newPeer(t).register("cc:1")
		for range 3 {
			<-time.After(31 * time.Second)
			if c.h.Watched() {
				t.Error("a timer runs while nothing is sent")
			}
			c.finish(t, "tx1", c.begin("tx1"))
			if !c.h.Watched() {
				t.Error("no timer runs though something has been sent")
			}
		}
		c.stop()
	})
}

// A reply that was received before the stream ends for its stalled writer wins (F24).
func TestReplyWinsAgainstStalledSend(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			p.cfg.ExecuteTimeout = time.Hour
			busy := make(chan struct{})
			p.cfg.Faults = handler.FaultObserverFunc(func(f handler.Fault) {
				if f.Kind == handler.FaultLateCompletion {
					<-busy
				}
			})
			c := p.register("cc:1")
			x := c.begin("tx1")
			c.Block(nil)
			other := c.execute(t.Context(), p.simulate("tx2", channel))
			synctest.Wait()
			c.complete("unknown") // keeps the select loop busy
			c.complete("tx1")
			<-time.After(time.Minute)
			close(busy)
			x.wantReply(t)
			other.want(t, handler.ErrStreamTerminated)
			c.wantEnd(codes.DeadlineExceeded, stalled)
			c.wait()
			p.check()
		})
	}
}

// limitSends makes a stream refuse messages as gRPC's do (google.golang.org/grpc, prepareMsg).
func (c *chaincode) limitSends(limit int) {
	c.OnSend(func(m *pb.ChaincodeMessage) error {
		if n := proto.Size(m); n > limit {
			return status.Errorf(codes.ResourceExhausted, "trying to send message larger than max (%d vs. %d)", n, limit)
		}
		return nil
	})
}

// F39, and what it spares: without a limit of the handler's own, that of the stream ends the stream.
func TestMaxSendMsgSize(t *testing.T) {
	const limit = 200
	large := make([]byte, limit)
	play := func(t *testing.T, ownLimit int, test func(t *testing.T, c *chaincode)) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t)
			p.rows(101)
			p.memory[channel].put("cc", "large", string(large))
			p.cfg.MaxSendMsgSize = ownLimit
			c := p.register("cc:1")
			c.limitSends(limit)
			test(t, c)
			c.wait()
			p.check()
		})
	}
	t.Run("answer", func(t *testing.T) {
		play(t, limit, func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.say("tx1", getState("large"), "RESPONSE of 214 bytes is larger than the limit, 200")
			c.say("tx1", getRange("", ""), "RESPONSE of 1719 bytes is larger than the limit, 200")
			c.finish(t, "tx1", x)
			if n := c.peer.count(handler.FaultMessageSize); n != 2 {
				t.Errorf("counted %d times", n)
			}
			c.CloseSend()
		})
	})
	t.Run("answer without own limit", func(t *testing.T) {
		play(t, 0, func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Deliver(in("tx1", getState("large")))
			x.want(t, handler.ErrStreamTerminated)
			c.wantEnd(codes.Unavailable, "received error while sending message, ending chaincode support stream: "+
				"rpc error: code = ResourceExhausted desc = trying to send message larger than max (214 vs. 200)")
		})
	})
	t.Run("transaction", func(t *testing.T) {
		play(t, limit, func(t *testing.T, c *chaincode) {
			for _, typ := range []pb.ChaincodeMessage_Type{pb.ChaincodeMessage_TRANSACTION, pb.ChaincodeMessage_INIT} {
				_, err := c.h.Execute(t.Context(), handler.TxParams{TxID: "tx1"}, typ, &pb.ChaincodeInput{Args: [][]byte{large}})
				if want := fmt.Sprintf("[tx1] error sending %s: %s of 213 bytes is larger than the limit, 200", typ, typ); fmt.Sprint(err) != want {
					t.Errorf("got %v, want %s", err, want)
				}
			}
			params := handler.TxParams{TxID: "tx1", SignedProposal: &pb.SignedProposal{ProposalBytes: large}}
			if _, err := c.h.Execute(t.Context(), params, pb.ChaincodeMessage_TRANSACTION, nil); err == nil {
				t.Error("executed with a proposal that is too large")
			}
			c.wantSilence()
			c.finish(t, "tx2", c.begin("tx2"))
			c.CloseSend()
		})
	})
	t.Run("transaction without own limit", func(t *testing.T) {
		play(t, 0, func(t *testing.T, c *chaincode) {
			_, err := c.h.Execute(t.Context(), handler.TxParams{TxID: "tx1"}, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{Args: [][]byte{large}})
			if want := "[tx1] error sending TRANSACTION: rpc error: code = ResourceExhausted desc = trying to send message larger than max (213 vs. 200)"; fmt.Sprint(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
			if err := (<-c.ended).err; err == nil || err == io.EOF {
				t.Errorf("the stream ended with %v", err)
			}
		})
	})
}

// The limit is exact: a message of that size is sent, one of a byte more is not.
func TestMaxSendMsgSizeIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		const limit = 200
		p.cfg.MaxSendMsgSize = limit
		c := p.register("cc:1")
		c.limitSends(limit)
		x := c.begin("tx1")
		empty := proto.Size(message(pb.ChaincodeMessage_RESPONSE, "tx1", &pb.GetState{Key: "k"})) - 3
		for _, over := range []bool{false, true} {
			n := limit - empty - 1 // its length takes one byte more
			if over {
				n++
			}
			p.memory[channel].put("cc", fmt.Sprint("k", over), string(make([]byte, n)))
		}
		c.finish(t, "tx1", x)
		x = c.begin("tx2") // whose simulator sees them
		c.Deliver(in("tx2", getState("kfalse")))
		if n := proto.Size(c.want(pb.ChaincodeMessage_RESPONSE, "tx2")); n != limit {
			t.Errorf("sent %d bytes, want %d", n, limit)
		}
		c.say("tx2", getState("ktrue"), "RESPONSE of 201 bytes is larger than the limit, 200")
		c.finish(t, "tx2", x)
		c.stop()
		p.check()
	})
}
