package handler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// wantPage takes the next message, which must be a page of n results.
func (c *chaincode) wantPage(txID string, n int, more bool) *pb.QueryResponse {
	c.peer.t.Helper()
	page := &pb.QueryResponse{}
	if err := proto.Unmarshal(c.want(pb.ChaincodeMessage_RESPONSE, txID).Payload, page); err != nil {
		c.peer.t.Fatal(err)
	}
	if len(page.Results) != n || page.HasMore != more {
		c.peer.t.Errorf("got a page of %d results, more %t, want %d, %t", len(page.Results), page.HasMore, n, more)
	}
	return page
}

// say delivers a message in the transaction and wants that error in answer.
func (c *chaincode) say(txID string, m *pb.ChaincodeMessage, cause string) {
	c.peer.t.Helper()
	c.Deliver(in(txID, m))
	c.wantError(txID, failed(m, txID, cause))
}

const notFound = "query iterator not found"

func TestFaultsOfQueries(t *testing.T) {
	runFaults(t, []faultTest{
		{"F42", "never closed, completed", func(t *testing.T, c *chaincode) { c.finish(t, "tx1", c.beginQuery()) }},
		{"F42", "never closed, ERROR", func(_ *testing.T, c *chaincode) {
			x := c.beginQuery()
			c.ask(pb.ChaincodeMessage_ERROR, "tx1", nil)
			<-x.done
		}},
		{"F42", "never closed, timed out", func(t *testing.T, c *chaincode) { c.beginQuery().want(t, handler.ErrTimeout) }},
		{"F42", "never closed, stream ended", func(t *testing.T, c *chaincode) {
			x := c.beginQuery()
			c.h.Close()
			x.want(t, handler.ErrStreamTerminated)
		}},
		{"F42", "opened when the time is up", func(t *testing.T, c *chaincode) {
			c.peer.ledger().On(ledgertest.GetStateRange, ledgertest.Delay(time.Minute))
			x := c.begin("tx1")
			c.Deliver(in("tx1", getRange("", "")))
			x.want(t, handler.ErrTimeout)
			<-time.After(time.Minute)
			c.wantError("tx1", unknown(getRange("", "")))
		}},
		{"F43", "too many iterators", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			for range 256 {
				c.Deliver(in("tx1", getRange("", "")))
				c.wantPage("tx1", 100, true)
			}
			c.say("tx1", getRange("", ""), "transaction has 256 iterators open, which is the limit: close those that are read")
			c.finish(t, "tx1", x)
		}},
		{"F44", "unknown and foreign iterators", func(t *testing.T, c *chaincode) {
			x1, x2 := c.beginQuery(), c.begin("tx2")
			for _, id := range []string{"", "0", "1", "2", "x"} {
				c.say("tx2", next(id), notFound)
				c.Deliver(in("tx2", closeQuery(id)))
				if page := c.wantPage("tx2", 0, false); page.Id != id {
					t.Errorf("closed %q, want %q", page.Id, id)
				}
			}
			c.Deliver(in("tx1", next("1")))
			c.wantPage("tx1", 1, false)
			c.finish(t, "tx1", x1)
			c.finish(t, "tx2", x2)
		}},
		{"F45", "after exhaustion and close", func(t *testing.T, c *chaincode) {
			x := c.beginQuery()
			c.Deliver(in("tx1", next("1")))
			c.wantPage("tx1", 1, false)
			c.say("tx1", next("1"), notFound)
			c.Deliver(in("tx1", getRange("", "")))
			c.wantPage("tx1", 100, true)
			for range 2 {
				c.Deliver(in("tx1", closeQuery("2")))
				c.wantPage("tx1", 0, false)
			}
			c.say("tx1", next("2"), notFound)
			c.finish(t, "tx1", x)
		}},
		{"F41", "too many keys at once", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Deliver(in("tx1", getMultiple("", make([]string, 1000)...)))
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.say("tx1", getMultiple("", make([]string, 1001)...), "1001 keys are asked for at once, the limit is 1000")
			c.finish(t, "tx1", x)
		}},
		{"F41", "too many writes at once", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			records := make([]*pb.WriteRecord, 1001)
			for i := range records {
				records[i] = &pb.WriteRecord{Type: pb.WriteRecord_DEL_STATE, Key: fmt.Sprint(i)}
			}
			c.Deliver(in("tx1", writeBatch(records[:1000]...)))
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.say("tx1", writeBatch(records...), "a batch of 1001 writes is larger than the limit, 1000")
			c.finish(t, "tx1", x)
		}},
		{"F53", "iterator fails midway", func(t *testing.T, c *chaincode) {
			x := c.beginQuery()
			c.peer.ledger().On(ledgertest.Next, ledgertest.Once(ledgertest.Fail(errors.New("disk on fire"))))
			c.say("tx1", next("1"), "disk on fire")
			c.say("tx1", next("1"), notFound)
			c.finish(t, "tx1", x)
		}},
		{"F53", "bookmark fails", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.peer.ledger().On(ledgertest.Bookmark, ledgertest.Once(ledgertest.Fail(errors.New("disk on fire"))))
			c.say("tx1", richQuery("", "", 2), "disk on fire")
			c.finish(t, "tx1", x)
		}},
		{"F53", "iterator panics midway", func(t *testing.T, c *chaincode) {
			x := c.beginQuery()
			c.peer.ledger().On(ledgertest.Next, ledgertest.Once(ledgertest.Panic("secret")))
			c.Deliver(in("tx1", getRange("k050", "")))
			c.wantError("tx1", failed(getRange("", ""), "tx1", "panic during execution"))
			c.complete("tx1")
			x.want(t, handler.ErrPoisoned)
		}},
		{"F53", "query panics before there is an iterator", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.peer.ledger().On(ledgertest.ExecuteQuery, ledgertest.Once(ledgertest.Panic("secret")))
			query := richQuery("", strings.Repeat("v", 2<<10), 0) // what is counted for it is given back
			c.Deliver(in("tx1", query))
			c.wantError("tx1", failed(query, "tx1", "panic during execution"))
			c.complete("tx1")
			x.want(t, handler.ErrPoisoned)
			if n := c.h.Stats().KeptBytes; n != 0 {
				t.Errorf("%d bytes are kept for a transaction that has ended", n)
			}
		}},
		{"F71", "start behind end", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Deliver(in("tx1", getRange("k050", "k010")))
			c.wantPage("tx1", 0, false)
			c.finish(t, "tx1", x)
		}},
		{"F72", "negative page size", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			m := message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Metadata: marshal(&pb.QueryMetadata{PageSize: -1})})
			c.say("tx1", m, "page size -1 is negative, want 0 or more")
			c.finish(t, "tx1", x)
		}},
		{"F76", "own write, then read", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.Deliver(in("tx1", putState("k000", "new")))
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.Deliver(in("tx1", getState("k000")))
			if m := c.want(pb.ChaincodeMessage_RESPONSE, "tx1"); string(m.Payload) != "v" {
				t.Errorf("read %q", m.Payload)
			}
			c.finish(t, "tx1", x)
		}},
	})
}

// beginQuery begins tx1 with iterator 1 open, of which 100 of 101 results are read.
func (c *chaincode) beginQuery() *call {
	c.peer.t.Helper()
	x := c.begin("tx1")
	c.Deliver(in("tx1", getRange("", "")))
	c.wantPage("tx1", 100, true)
	return x
}

func TestFaultsOfCalls(t *testing.T) {
	runFaults(t, []faultTest{
		{"F46", "itself", func(t *testing.T, c *chaincode) {
			x := c.begin("tx1")
			c.say("tx1", invoke("cc"), "execute failed: txid: tx1(ch) exists")
			c.finish(t, "tx1", x)
		}},
		{"F46", "a caller", func(t *testing.T, c *chaincode) {
			b := c.peer.register("b:1")
			defer b.stop()
			x := c.begin("tx1")
			c.Deliver(in("tx1", invoke("b")))
			b.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
			b.say("tx1", invoke("cc"), "execute failed: txid: tx1(ch) exists")
			b.complete("tx1")
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.finish(t, "tx1", x)
		}},
		{"F49", "the callee's stream ends", func(t *testing.T, c *chaincode) {
			b := c.peer.register("b:1")
			x := c.begin("tx1")
			c.Deliver(in("tx1", invoke("b")))
			b.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
			b.stop()
			c.wantError("tx1", failed(invoke("b"), "tx1", "execute failed: chaincode stream terminated"))
			c.finish(t, "tx1", x)
		}},
		{"F48", "back on the first channel by way of another", func(t *testing.T, c *chaincode) {
			b, d := c.peer.register("b:1"), c.peer.register("d:1")
			defer b.stop()
			defer d.stop()
			b.serve(script(invoke("d/ch"), completed()))
			d.serve(script(getState("k000"), completed()))
			x := c.begin("tx1")
			c.Deliver(in("tx1", invoke("b/other")))
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			c.finish(t, "tx1", x)
			if n := c.peer.ledger().Counts().Simulators; n != 2 {
				t.Errorf("%d simulators of the first channel, want 2", n)
			}
		}},
		{"F52", "the callee's operation blocks", func(t *testing.T, c *chaincode) {
			b := c.peer.register("b:1")
			defer b.stop()
			release := make(chan struct{})
			c.peer.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
			x := c.begin("tx1")
			c.Deliver(in("tx1", invoke("b")))
			b.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
			b.Deliver(in("tx1", getState("a")))
			x.want(t, handler.ErrTimeout)
			synctest.Wait() // for the callee's Execute, whose time is up too
			if n := c.peer.ledger().Counts().Done; n != 0 {
				t.Error("the simulator is done while the callee's operation runs")
			}
			if n := b.h.Stats().Abandoned; n != 1 {
				t.Errorf("%d abandoned operations, want 1", n)
			}
			close(release)
		}},
	})
}

// F47: chaincode that calls itself on one channel after another.
func TestFaultF47(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.Ledgers = handler.LedgersFunc(func(context.Context, string) (ledger.Ledger, error) { return p.ledgers["other"], nil })
		c := p.register("cc:1")
		deepest := 0
		c.serve(func(m *pb.ChaincodeMessage, n int) *pb.ChaincodeMessage {
			if n > 0 {
				if m.Type == pb.ChaincodeMessage_ERROR && !strings.Contains(string(m.Payload), "execute failed: chaincode calls chaincode more than 64 deep") {
					t.Errorf("got %s", m.Payload)
				}
				return completed()
			}
			depth := 0
			_, _ = fmt.Sscanf(m.ChannelId, "ch%d", &depth)
			deepest = max(deepest, depth)
			return invoke(fmt.Sprintf("cc/ch%d", depth+1))
		})
		x := c.execute(context.Background(), p.simulate("tx1", channel))
		x.wantReply(t)
		c.stop()
		if deepest != 64 {
			t.Errorf("%d calls deep, want 64", deepest)
		}
		p.check()
	})
}

// everything is a transaction that calls each method of the ledger.
func everything() []*pb.ChaincodeMessage {
	return []*pb.ChaincodeMessage{
		getState("k000"), putState("a", "1"), delState("b"), getRange("", ""), next("1"), getRange("", ""), closeQuery("2"),
		getRange("", ""), getHistory("k000"), invoke("b/other"), invoke("b"),
		getMultiple("", "k000"), getMultiple("c", "k000"), richQuery("", "v", 1), richQuery("c", "v", 0),
		getMetadata("", "k000"), getMetadata("c", "k000"), putMetadata("", "k000"), putMetadata("c", "k000"),
		getPrivate("c", "k000"), getPrivateHash("c", "k000"), getPrivateRange("c"),
		putPrivate("c", "a"), delPrivate("c", "b"), purge("c"),
		writeBatch(&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Key: "x", Value: []byte("1")}, &pb.WriteRecord{Type: pb.WriteRecord_DEL_STATE, Key: "y"}),
		completed(),
	}
}

// F50 to F54: each method of the ledger fails in each way, from its first call on and from its second. The faults
// concern the caller's channel, except those of NewSimulator and Done, which there are the test's to call.
func TestLedgerFaults(t *testing.T) {
	faults := []struct {
		name     string
		fault    func(release <-chan struct{}) ledgertest.Fault
		poisoned bool // the transaction can't succeed
		row      string
	}{
		{"error", func(<-chan struct{}) ledgertest.Fault { return ledgertest.Fail(errors.New("disk on fire")) }, false, "F50"},
		{"panic", func(<-chan struct{}) ledgertest.Fault { return ledgertest.Panic("secret") }, true, "F51"},
		{"block", ledgertest.Hang, false, "F52"},
		{"late", func(<-chan struct{}) ledgertest.Fault { return ledgertest.Delay(time.Minute) }, false, "F52"},
		{"a little late", func(<-chan struct{}) ledgertest.Fault { return ledgertest.Delay(time.Millisecond) }, false, ""},
		{"nil", func(<-chan struct{}) ledgertest.Fault { return ledgertest.ReturnNil() }, false, "F54"},
	}
	for _, method := range ledgertest.Methods() {
		for _, f := range faults {
			for after := range 2 {
				t.Run(fmt.Sprintf("%s %s %s after %d", f.row, method, f.name, after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						release := make(chan struct{})
						err := playLedgerFault(t, method, ledgertest.AfterCalls(after, f.fault(release)), release)
						if f.poisoned && err == nil && after == 0 && method != ledgertest.Done && method != ledgertest.NewSimulator {
							t.Error("the transaction succeeded after a panic")
						}
						if err != nil && strings.Contains(err.Error(), "secret") {
							t.Errorf("the panic's value got out: %v", err)
						}
					})
				})
			}
		}
	}
}

// playLedgerFault runs everything, checks the invariants, and returns what Execute returned.
func playLedgerFault(t *testing.T, method ledgertest.Method, fault ledgertest.Fault, release chan struct{}) error {
	p := newPeer(t)
	p.rows(250)
	on := p.ledger()
	if method == ledgertest.NewSimulator || method == ledgertest.Done {
		on = p.ledgers["other"]
	}
	c, b := p.register("cc:1"), p.register("b:1")
	on.On(method, fault)
	wantOneAnswerEach(t, c, script(everything()...))
	b.serve(script(getState("k000"), getRange("", ""), completed()))
	start := time.Now()
	x := c.execute(context.Background(), p.simulate("tx1", channel))
	<-x.done
	if d := time.Since(start); d > 30*time.Second+100*time.Millisecond {
		t.Errorf("Execute took %s", d)
	}
	close(release)
	<-time.After(3 * time.Minute)
	c.stop()
	b.stop()
	synctest.Wait()
	p.check()
	for _, s := range []handler.Stats{c.h.Stats(), b.h.Stats()} {
		if s != (handler.Stats{}) {
			t.Errorf("left over: %+v", s)
		}
	}
	return x.err
}

// wantOneAnswerEach serves next and makes sure that no transaction is sent more answers than it has asked for (I1),
// and that no answer tells a panic's value (I9). Transaction IDs must not be used again.
func wantOneAnswerEach(t *testing.T, c *chaincode, next func(*pb.ChaincodeMessage, int) *pb.ChaincodeMessage) {
	asked := map[string]int{}
	c.serve(func(m *pb.ChaincodeMessage, n int) *pb.ChaincodeMessage {
		if n > asked[m.Txid] {
			t.Errorf("unsolicited: %v", m)
		}
		if strings.Contains(string(m.Payload), "secret") {
			t.Errorf("the panic's value got out: %s", m.Payload)
		}
		say := next(m, n)
		if say != nil {
			asked[m.Txid]++
		}
		return say
	})
}
