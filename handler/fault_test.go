package handler_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// faultTest plays a fault with a registered chaincode. Whatever it leaves is stopped afterwards, and must balance.
type faultTest struct {
	row  string
	what string
	test func(t *testing.T, c *chaincode)
}

func runFaults(t *testing.T, tests []faultTest) {
	for _, test := range tests {
		t.Run(test.row+" "+test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.rows(101)
				c := p.register("cc:1")
				test.test(t, c)
				synctest.Wait()
				if n := c.h.Stats().QueuedBytes; n != 0 {
					t.Errorf("%d bytes are queued", n)
				}
				c.stop()
				synctest.Wait()
				p.check()
				if s := c.h.Stats(); s != (handler.Stats{}) {
					t.Errorf("left over: %+v", s)
				}
			})
		})
	}
}

// wantEnd waits for the stream to end with that code and text. The stream can be stopped again afterwards.
func (c *chaincode) wantEnd(code codes.Code, text string) {
	c.peer.t.Helper()
	err := (<-c.ended).err
	c.ended <- ending{err}
	if st := status.Convert(err); st.Code() != code || plain(st.Message()) != text {
		c.peer.t.Errorf("the stream ended with %s %q, want %s %q", st.Code(), st.Message(), code, text)
	}
}

// want waits for the call to fail with err.
func (x *call) want(t *testing.T, err error) {
	t.Helper()
	if <-x.done; !errors.Is(x.err, err) {
		t.Errorf("Execute returned %v, want %v", x.err, err)
	}
}

// wantReply waits for the call to return a COMPLETED.
func (x *call) wantReply(t *testing.T) {
	t.Helper()
	if <-x.done; x.err != nil || x.reply.GetType() != pb.ChaincodeMessage_COMPLETED {
		t.Errorf("Execute returned %v, %v, want COMPLETED", x.reply, x.err)
	}
}

// wantSilence makes sure that nothing more was sent.
func (c *chaincode) wantSilence() {
	c.peer.t.Helper()
	synctest.Wait()
	if sent := c.Sent(); len(sent) != 0 {
		c.peer.t.Errorf("sent %v, want nothing", sent)
	}
}

// finish completes a transaction that is still good.
func (c *chaincode) finish(t *testing.T, txID string, x *call) {
	t.Helper()
	c.complete(txID)
	x.wantReply(t)
}

// failed is Fabric's text for a request that failed.
func failed(m *pb.ChaincodeMessage, txID, cause string) string {
	return fmt.Sprintf("%s failed: transaction ID: %s: %s", m.Type, txID, cause)
}

// unknown is the text for a request of tx1, which is not in flight.
func unknown(m *pb.ChaincodeMessage) string {
	const txID = "tx1"
	if m.Type == pb.ChaincodeMessage_INVOKE_CHAINCODE {
		return failed(m, txID, "could not get valid transaction")
	}
	return failed(m, txID, "no ledger context")
}

func refused(m *pb.ChaincodeMessage, state string) string {
	return fmt.Sprintf("error handling message, ending stream: [%s] Fabric side handler cannot handle message (%s) while in %s state", m.Txid, m.Type, state)
}

func TestFaultsOfPayloads(t *testing.T) {
	runFaults(t, []faultTest{
		{"F1", "garbage payload", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			for _, m := range requests() {
				m.Payload = []byte{0xff, 0xff}
				c.Deliver(in("tx1", m))
				c.wantError("tx1", failed(m, "tx1", "unmarshal failed: proto: cannot parse invalid wire-format data"))
			}
			c.finish(t, "tx1", x)
		}},
		{"F2", "missing parts", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			for _, test := range []struct {
				spec *pb.ChaincodeSpec
				want string
			}{
				{&pb.ChaincodeSpec{}, "chaincode_id is missing: name the chaincode to call"},
				{&pb.ChaincodeSpec{ChaincodeId: &pb.ChaincodeID{Name: "b"}}, "input is missing: give the arguments of the call"},
			} {
				m := message(pb.ChaincodeMessage_INVOKE_CHAINCODE, "tx1", test.spec)
				c.Deliver(m)
				c.wantError("tx1", failed(m, "tx1", test.want))
			}
			c.Deliver(in("tx1", getRange("", ""))) // without metadata
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.finish(t, "tx1", x)
		}},
		{"F5", "key that is not UTF-8", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			m := in("tx1", getState("??"))
			copy(m.Payload[2:], "\xff\xfe")
			c.Deliver(m)
			c.wantError("tx1", failed(m, "tx1", "unmarshal failed: string field contains invalid UTF-8"))
			c.finish(t, "tx1", x)
		}},
		{"F6", "unknown fields, nested", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			m := in("tx1", getState("k000"))
			const depth = 1000
			for range depth {
				m.Payload = protowire.AppendTag(m.Payload, 99, protowire.StartGroupType)
			}
			for range depth {
				m.Payload = protowire.AppendTag(m.Payload, 99, protowire.EndGroupType)
			}
			c.Deliver(m)
			if m := c.want(pb.ChaincodeMessage_RESPONSE, "tx1"); string(m.Payload) != "v" {
				t.Errorf("got %q", m.Payload)
			}
			c.finish(t, "tx1", x)
		}},
		{"F22", "empty payload of COMPLETED", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.ask(pb.ChaincodeMessage_COMPLETED, "tx1", nil)
			x.wantReply(t)
			if len(x.reply.GetPayload()) != 0 {
				t.Errorf("got %v", x.reply)
			}
		}},
	})
}

func TestFaultsOfMessages(t *testing.T) {
	runFaults(t, []faultTest{
		{"F3", "type that nobody knows", wantsEnd(&pb.ChaincodeMessage{Type: 99, Txid: "tx1"})},
		{"F3", "UNDEFINED", wantsEnd(&pb.ChaincodeMessage{Txid: "tx1"})},
		{"F3", "a type of the peer", wantsEnd(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE, Txid: "tx1"})},
		{"F16", "second REGISTER", wantsEnd(registration("cc:1"))},
		{"F18", "READY from chaincode", wantsEnd(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_READY})},
		{"F18", "REGISTERED from chaincode", wantsEnd(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTERED})},
		{"F4", "envelope that is not UTF-8", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Fail(status.Error(codes.Internal, "grpc: failed to unmarshal the received message"))
			x.want(t, handler.ErrStreamTerminated)
			c.wantEnd(codes.Internal, "receive from chaincode support stream failed: rpc error: code = Internal desc = grpc: failed to unmarshal the received message")
		}},
		{"F38", "incoming message over the limit", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Fail(status.Error(codes.ResourceExhausted, "grpc: received message larger than max (101 vs. 100)"))
			x.want(t, handler.ErrStreamTerminated)
			c.wantEnd(codes.ResourceExhausted, "receive from chaincode support stream failed: "+
				"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (101 vs. 100)")
		}},
		{"F57", "half-close", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.CloseSend()
			x.want(t, handler.ErrStreamTerminated)
			if err := (<-c.ended).err; err != io.EOF {
				t.Errorf("the stream ended with %v", err)
			}
			c.ended <- ending{}
		}},
	})
}

func wantsEnd(m *pb.ChaincodeMessage) func(*testing.T, *chaincode) {
	return func(t *testing.T, c *chaincode) {
		x := c.begin("tx1")
		c.Deliver(m)
		x.want(t, handler.ErrStreamTerminated)
		c.wantEnd(codes.InvalidArgument, refused(m, "ready"))
		if n := c.peer.count(handler.FaultUnexpectedMessage); n != 1 {
			t.Errorf("counted %d times", n)
		}
		<-c.gone
	}
}

func TestFaultsOfTransactions(t *testing.T) {
	runFaults(t, []faultTest{
		{"F7", "unknown transaction", func(t *testing.T, c *chaincode) {
			for _, m := range requests() {
				c.Deliver(in("tx1", m))
				c.wantError("tx1", unknown(m))
			}
			if n := c.peer.count(handler.FaultUnknownTransaction); n != len(requests()) {
				t.Errorf("counted %d times", n)
			}
		}},
		{"F7", "flood of unknown transactions", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Block(nil)
			for range 1000 { // two queues of 256
				c.Deliver(in("tx2", getState("a")))
			}
			x.want(t, handler.ErrStreamTerminated)
			c.wantEnd(codes.ResourceExhausted, "chaincode sends requests of unknown transactions and does not read the answers, ending chaincode support stream")
		}},
		{"F8", "transaction of another channel", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			m := in("tx1", getState("a"))
			m.ChannelId = "other"
			c.Deliver(m)
			c.wantError("tx1", unknown(m))
			c.finish(t, "tx1", x)
		}},
		{"F9", "second request", func(t *testing.T, c *chaincode) {
			release := make(chan struct{})
			c.peer.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
			x := c.begin("tx1")
			c.Deliver(in("tx1", getState("k000")), in("tx1", putState("a", "1")), in("tx1", getState("k001")))
			c.wantSilence()
			if n := c.peer.count(handler.FaultConcurrentRequest); n != 2 {
				t.Errorf("counted %d times", n)
			}
			close(release)
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.wantSilence()
			c.finish(t, "tx1", x)
		}},
		{"F19", "COMPLETED of a finished transaction", func(t *testing.T, c *chaincode) {
			c.finish(t, "tx1", c.begin("tx1"))
			c.complete("tx1")
			c.wantSilence()
			if n := c.peer.count(handler.FaultLateCompletion); n != 1 {
				t.Errorf("counted %d times", n)
			}
		}},
		{"F20", "COMPLETED many times", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			for range 100 {
				c.complete("tx1")
			}
			x.wantReply(t)
			c.wantSilence()
			c.finish(t, "tx2", c.begin("tx2"))
		}},
		{"F21", "COMPLETED while a request is pending", func(t *testing.T, c *chaincode) {
			release := make(chan struct{})
			c.peer.ledger().On(ledgertest.SetState, ledgertest.Hang(release))
			x := c.begin("tx1")
			c.Deliver(in("tx1", putState("a", "1")))
			c.complete("tx1")
			synctest.Wait()
			select {
			case <-x.done:
				t.Error("Execute didn't wait for the operation")
			default:
			}
			close(release)
			x.wantReply(t)
			c.wantSilence()
		}},
		{"F23", "request after the timeout", func(t *testing.T, c *chaincode) {
			c.begin("tx1").want(t, handler.ErrTimeout)
			for _, m := range requests() {
				c.Deliver(in("tx1", m))
				c.wantError("tx1", unknown(m))
			}
		}},
		{"F25", "executed twice at once", func(t *testing.T, c *chaincode) {
			first := c.begin("tx1")
			second := c.execute(context.Background(), c.peer.simulate("tx1", channel))
			second.want(t, handler.ErrExists)
			if got := second.err.Error(); got != "txid: tx1(ch) exists" {
				t.Errorf("got %q", got)
			}
			c.finish(t, "tx1", first)
		}},
		{"F26", "executed again after a timeout", func(t *testing.T, c *chaincode) {
			release := make(chan struct{})
			c.peer.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
			first := c.begin("tx1")
			c.Deliver(in("tx1", getState("k000")))
			first.want(t, handler.ErrTimeout)
			second := c.begin("tx1")
			close(release)
			c.wantSilence()
			c.finish(t, "tx1", second)
		}},
		{"F55", "caller gone", func(t *testing.T, c *chaincode) {
			ctx, cancel := context.WithCancel(context.Background())
			x := c.execute(ctx, c.peer.simulate("tx1", channel))
			c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
			start := time.Now()
			cancel()
			x.want(t, context.Canceled)
			if d := time.Since(start); d > 100*time.Millisecond {
				t.Errorf("Execute took %s", d)
			}
			m := in("tx1", getState("a"))
			c.Deliver(m)
			c.wantError("tx1", unknown(m))
		}},
		{"F56", "shutdown", func(t *testing.T, c *chaincode) {
			release := make(chan struct{})
			c.peer.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
			x := c.begin("tx1")
			c.Deliver(in("tx1", getState("k000")))
			synctest.Wait()
			c.h.Close()
			x.want(t, handler.ErrStreamTerminated)
			c.wantEnd(codes.Unavailable, "chaincode was stopped, ending chaincode support stream")
			close(release)
		}},
	})
}

// F9 with the option.
func TestFaultF9Strict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.Strict = true
		p.ledger().On(ledgertest.GetState, ledgertest.Delay(time.Second))
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.Deliver(in("tx1", getState("a")), in("tx1", getState("b")))
		x.want(t, handler.ErrStreamTerminated)
		c.wantEnd(codes.InvalidArgument, "[tx1] GET_STATE while an earlier request of the transaction is pending, ending chaincode support stream")
		c.stop()
		p.check()
	})
}

// F24: a reply that the chaincode has sent wins against what ends the transaction while its iterator is closed.
func TestFaultF24(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*chaincode)
	}{
		{"timeout", func(*chaincode) {}},
		{"stream end", (*chaincode).CloseSend},
		{"close", func(c *chaincode) { c.h.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.rows(101)
				p.cfg.ExecuteTimeout = time.Second
				p.ledger().On(ledgertest.Close, ledgertest.Delay(30*time.Millisecond))
				c := p.register("cc:1")
				x := c.begin("tx1")
				c.Deliver(in("tx1", getRange("", "")))
				c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
				<-time.After(990 * time.Millisecond)
				c.complete("tx1")
				synctest.Wait()
				test.end(c)
				x.wantReply(t)
				c.stop()
				p.check()
			})
		})
	}
}
