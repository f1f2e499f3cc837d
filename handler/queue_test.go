package handler_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// overhead is what a message counts besides what is in it.
const overhead = 64

// executeSize runs a transaction whose message counts n bytes.
func (c *chaincode) executeSize(ctx context.Context, txID string, n int) *call {
	x := &call{done: make(chan struct{})}
	params := handler.TxParams{ChannelID: channel, TxID: txID}
	arg := make([]byte, n-overhead-len(txID)-len(channel))
	for {
		in := &pb.ChaincodeInput{Args: [][]byte{arg}}
		if over := proto.Size(in) - (n - overhead - len(txID) - len(channel)); over > 0 {
			arg = arg[over:]
			continue
		}
		go func() {
			defer close(x.done)
			x.reply, x.err = c.h.Execute(ctx, params, pb.ChaincodeMessage_TRANSACTION, in)
		}()
		synctest.Wait()
		return x
	}
}

// wantQueued checks how many bytes wait.
func (c *chaincode) wantQueued(n int) {
	c.peer.t.Helper()
	synctest.Wait()
	if got := c.h.Stats().QueuedBytes; got != n {
		c.peer.t.Errorf("%d bytes are queued, want %d", got, n)
	}
}

// queueTest plays with a chaincode whose peer lets so many bytes wait.
func queueTest(t *testing.T, limit int, test func(t *testing.T, c *chaincode)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.MaxBytes, p.cfg.SendTimeout = 4*limit, time.Hour
		c := p.register("cc:1")
		test(t, c)
		c.wantQueued(0)
		c.h.Close()
		c.wait()
		p.check()
	})
}

// F33: what a chaincode doesn't read fills the queue up to the limit. Transactions that find no room time out, and
// leave nothing behind.
func TestQueueOfUnreadMessages(t *testing.T) {
	queueTest(t, 1000, func(t *testing.T, c *chaincode) {
		release := make(chan struct{})
		c.Block(release)
		var calls []*call
		for i := range 20 {
			calls = append(calls, c.executeSize(t.Context(), fmt.Sprintf("tx%02d", i), 400))
		}
		c.wantQueued(20 * 400) // two of them in the queue, the others with their callers
		for _, x := range calls {
			x.want(t, handler.ErrTimeout)
		}
		c.wantQueued(2 * 400) // the writer still has them
		close(release)
		c.wantQueued(0)
		if sent := c.Sent(); len(sent) != 1 { // the other one was stale
			t.Errorf("sent %v", sent)
		}
		c.finish(t, "tx1", c.begin("tx1"))
	})
}

// The same where it is the number of messages that is limited: who waits behind it has room, which it gives back.
func TestQueueOfManyUnreadMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.SendQueue, p.cfg.SendTimeout = 1, time.Hour
		c := p.register("cc:1")
		release := make(chan struct{})
		c.Block(release)
		var calls []*call
		for i := range 40 {
			calls = append(calls, c.executeSize(t.Context(), fmt.Sprintf("tx%02d", i), 400))
		}
		c.wantQueued(40 * 400)
		for _, x := range calls {
			x.want(t, handler.ErrTimeout)
		}
		c.wantQueued(400) // it is in Send, and takes the only place
		close(release)
		c.wantQueued(0)
		c.stop()
	})
}

// Room that is found at the very instant of the deadline is given back.
func TestQueueAtTheDeadline(t *testing.T) {
	for range 50 {
		queueTest(t, 1, func(t *testing.T, c *chaincode) {
			release := make(chan struct{})
			c.Block(release)
			time.AfterFunc(30*time.Second, func() { close(release) })
			var calls []*call
			for i := range 8 {
				calls = append(calls, c.executeSize(t.Context(), fmt.Sprint("tx", i), 400))
			}
			for i, x := range calls {
				<-x.done
				c.complete(fmt.Sprint("tx", i))
			}
		})
	}
}

// A message that is larger than the limit waits until nothing else does, and isn't passed by smaller ones for ever.
func TestQueueTakesLargeMessage(t *testing.T) {
	queueTest(t, 1000, func(t *testing.T, c *chaincode) {
		c.executeSize(t.Context(), "alone", 5000) // at once
		c.want(pb.ChaincodeMessage_TRANSACTION, "alone")
		release := make(chan struct{})
		c.Block(release)
		for _, test := range []struct {
			txID string
			size int
		}{{"tx1", 300}, {"tx2", 300}, {"large", 5000}, {"tx3", 300}} {
			c.executeSize(t.Context(), test.txID, test.size)
		}
		close(release)
		for _, txID := range []string{"tx1", "tx2", "large", "tx3"} {
			c.want(pb.ChaincodeMessage_TRANSACTION, txID)
		}
		for _, txID := range []string{"alone", "tx1", "tx2", "large", "tx3"} {
			c.complete(txID)
		}
	})
}

// One that stops waiting lets in those behind it.
func TestQueueIsLeft(t *testing.T) {
	queueTest(t, 1000, func(t *testing.T, c *chaincode) {
		release := make(chan struct{})
		c.Block(release)
		first := c.executeSize(t.Context(), "tx1", 300)
		ctx, cancel := context.WithCancel(t.Context())
		large := c.executeSize(ctx, "large", 5000)
		second := c.executeSize(t.Context(), "tx2", 300)
		c.wantQueued(300 + 5000 + 300)
		cancel()
		large.want(t, context.Canceled)
		c.wantQueued(300 + 300)
		second.want(t, handler.ErrTimeout)
		c.wantQueued(300 + 300) // it isn't with its caller any more: it was let in
		first.want(t, handler.ErrTimeout)
		close(release)
	})
}

// While the queue is full the stream is still read, and what the chaincode says counts: reading does not wait for
// writing (I2).
func TestFullQueueDoesNotStopReading(t *testing.T) {
	queueTest(t, 120, func(t *testing.T, c *chaincode) {
		calls := map[string]*call{}
		for i := range 4 {
			txID := fmt.Sprint("tx", i)
			calls[txID] = c.begin(txID)
		}
		c.Block(nil)
		c.Deliver(in("tx0", getState("a"))) // is in Send
		synctest.Wait()
		c.Deliver(in("tx1", putState("a", "value")), in("tx2", getState("a")), in("tx3", getState("a"))) // wait for room
		c.wantQueued(4 * (overhead + len("tx1") + len(channel)))
		for txID := range calls {
			c.complete(txID)
		}
		c.Deliver(in("tx4", getState("a"))) // is refused without waiting for room
		calls["tx0"].wantReply(t)
		synctest.Wait()
		for _, txID := range []string{"tx1", "tx2", "tx3"} {
			select {
			case <-calls[txID].done:
				t.Errorf("Execute of %s returned while its worker had an answer to send", txID)
			default:
			}
		}
		if err := c.h.Err(); err != nil {
			t.Errorf("the stream ended with %v", err)
		}
		c.h.Close()
		for _, x := range calls {
			x.wantReply(t) // one that is there wins
		}
		<-c.ended
	})
}

// F7, by bytes: answers to unknown transactions, which don't wait for room, are not piled up without end.
func TestFloodOfLargeRequestsOfUnknownTransactions(t *testing.T) {
	queueTest(t, 10_000, func(_ *testing.T, c *chaincode) {
		c.Block(nil)
		for i := range 4 {
			c.Deliver(in(fmt.Sprint(i, strings.Repeat("x", 3000)), getState("a"))) // is repeated twice in the answer
			synctest.Wait()
			if ended := c.h.Err() != nil; ended != (i == 3) {
				c.peer.t.Errorf("after %d requests: the stream ended %t", i+1, ended)
			}
		}
		c.wantEnd(codes.ResourceExhausted, "chaincode sends requests of unknown transactions and does not read the answers, ending chaincode support stream")
	})
}

// A chaincode may not have more transactions at once by leaving the answers of those that have timed out unread.
func TestUndeliveredAnswersCountAsInFlight(t *testing.T) {
	queueTest(t, 1, func(t *testing.T, c *chaincode) {
		p := c.peer
		p.cfg.MaxInFlight = 2
		b := p.register("b:1")
		x, y := b.begin("tx1"), b.begin("tx2")
		release := make(chan struct{})
		b.Block(release)
		b.Deliver(in("tx1", getState("a")))
		synctest.Wait()
		b.Deliver(in("tx2", getState("a")))
		x.want(t, handler.ErrTimeout)
		y.want(t, handler.ErrTimeout)
		synctest.Wait()
		if s := b.h.Stats(); s.InFlight != 0 || s.Undelivered != 1 {
			t.Errorf("got %+v", s)
		}
		b.execute(t.Context(), p.simulate("tx3", channel))
		synctest.Wait()
		z := b.execute(t.Context(), p.simulate("tx4", channel))
		z.want(t, handler.ErrOverloaded)
		close(release)
		b.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		b.want(pb.ChaincodeMessage_RESPONSE, "tx2")
		b.want(pb.ChaincodeMessage_TRANSACTION, "tx3")
		b.complete("tx3")
		b.stop()
	})
}

// deliverCounted delivers messages, and counts those that were read.
func (c *chaincode) deliverCounted(msgs ...*pb.ChaincodeMessage) *atomic.Int64 {
	read := &atomic.Int64{}
	for _, m := range msgs {
		c.Do(func() (*pb.ChaincodeMessage, error) {
			read.Add(1)
			return m, nil
		})
	}
	return read
}

// F34: while the ledger is slow, reading stops behind the limit, and goes on when the ledger does.
func TestReadingStopsAtTheLimit(t *testing.T) {
	value := strings.Repeat("v", 400)
	unknown := protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), []byte(value))
	for _, test := range []struct {
		what string
		make func() *pb.ChaincodeMessage
	}{
		{"payload", func() *pb.ChaincodeMessage { return putState("a", value) }},
		{"proposal", func() *pb.ChaincodeMessage {
			m := putState("a", "")
			m.Proposal = &pb.SignedProposal{Signature: []byte(value)}
			return m
		}},
		{"unknown fields of the proposal", func() *pb.ChaincodeMessage {
			m := putState("a", "")
			m.Proposal = &pb.SignedProposal{}
			m.Proposal.ProtoReflect().SetUnknown(unknown)
			return m
		}},
		{"event", func() *pb.ChaincodeMessage {
			m := putState("a", "")
			m.ChaincodeEvent = &pb.ChaincodeEvent{Payload: []byte(value)}
			return m
		}},
		{"unknown fields", func() *pb.ChaincodeMessage {
			m := putState("a", "")
			m.ProtoReflect().SetUnknown(unknown)
			return m
		}},
	} {
		t.Run(test.what, func(t *testing.T) {
			queueTest(t, 1000, func(t *testing.T, c *chaincode) {
				release := make(chan struct{})
				c.peer.ledger().On(ledgertest.SetState, ledgertest.Hang(release))
				var calls []*call
				var msgs []*pb.ChaincodeMessage
				for i := range 10 {
					txID := fmt.Sprint("tx", i)
					calls = append(calls, c.begin(txID))
					msgs = append(msgs, in(txID, test.make()))
				}
				read := c.deliverCounted(msgs...)
				synctest.Wait()
				if n := read.Load(); n != 3 { // 400, 800, 1200 and some
					t.Errorf("read %d messages", n)
				}
				if n := c.h.Stats().QueuedBytes; n < 1200 || n > 1500 {
					t.Errorf("%d bytes wait", n)
				}
				close(release)
				synctest.Wait()
				for i, x := range calls {
					c.complete(fmt.Sprint("tx", i))
					x.wantReply(t)
				}
			})
		})
	}
}

// F37: a message may be larger than the limit.
func TestLargeMessageIsRead(t *testing.T) {
	queueTest(t, 1000, func(t *testing.T, c *chaincode) {
		value := strings.Repeat("v", 1<<20)
		c.peer.memory[channel].put("cc", "k", value)
		x := c.begin("tx1")
		c.Deliver(in("tx1", putState("a", value)))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		c.Deliver(in("tx1", getState("k")))
		if m := c.want(pb.ChaincodeMessage_RESPONSE, "tx1"); string(m.Payload) != value {
			t.Errorf("read %d bytes", len(m.Payload))
		}
		c.finish(t, "tx1", x)
	})
}

// A chaincode that calls itself on another channel needs its stream read while it waits: a call takes no room.
func TestCallsDoNotStopReading(t *testing.T) {
	queueTest(t, 1, func(t *testing.T, c *chaincode) {
		c.peer.rows(1)
		x := c.begin("tx1")
		c.Deliver(in("tx1", invoke("cc/other")))
		c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
		for range 2 {
			m := in("tx1", getState("k000"))
			m.ChannelId = "other"
			c.Deliver(m)
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		}
		m := in("tx1", completed())
		m.ChannelId = "other"
		c.Deliver(m)
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		c.finish(t, "tx1", x)
	})
}

// A stream whose reading has stopped can be ended, and isn't taken for dead: an echo would not be read.
func TestReadingStoppedAndKeepalive(t *testing.T) {
	queueTest(t, 500, func(t *testing.T, c *chaincode) {
		p := c.peer
		p.cfg.Keepalive, p.cfg.ExecuteTimeout = time.Second, time.Hour
		release := make(chan struct{})
		p.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
		b := p.register("b:1")
		x := b.begin("tx1")
		b.Deliver(in("tx1", getState(strings.Repeat("k", 1000))))
		synctest.Wait()
		<-time.After(time.Minute)
		if err := b.h.Err(); err != nil {
			t.Errorf("the stream ended with %v", err)
		}
		b.h.Close()
		x.want(t, handler.ErrStreamTerminated)
		b.wantEnd(codes.Unavailable, "chaincode was stopped, ending chaincode support stream")
		close(release)
		b.wait()
	})
}

// What was read and sent takes no room any more, whatever became of it.
func TestNothingStaysQueued(t *testing.T) {
	queueTest(t, 0, func(t *testing.T, c *chaincode) {
		c.peer.rows(101)
		x := c.begin("tx1")
		extra := in("tx1", getState("a"))
		extra.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
		for _, m := range append(requests(), extra) {
			c.Deliver(in("tx1", m), in("tx1", m), in("tx2", m)) // the second may be dropped
			synctest.Wait()
		}
		c.Deliver(in("tx2", completed()), &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE})
		c.wantQueued(0)
		event := in("tx1", completed())
		event.ChaincodeEvent = &pb.ChaincodeEvent{EventName: "e"} // grows when it is read
		c.Deliver(event)
		x.wantReply(t)
		c.wantQueued(0)
	})
}
