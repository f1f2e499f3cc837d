package handler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A limit that makes no sense is refused before anything is read.
func TestConfigRefusesNegativeLimits(t *testing.T) {
	for name, set := range map[string]func(*handler.Config){
		"ExecuteTimeout is -1s":    func(c *handler.Config) { c.ExecuteTimeout = -time.Second },
		"RegisterTimeout is -1s":   func(c *handler.Config) { c.RegisterTimeout = -time.Second },
		"Keepalive is -1s":         func(c *handler.Config) { c.Keepalive = -time.Second },
		"SendTimeout is -1s":       func(c *handler.Config) { c.SendTimeout = -time.Second },
		"TotalQueryLimit is -1":    func(c *handler.Config) { c.TotalQueryLimit = -1 },
		"MaxQueries is -1":         func(c *handler.Config) { c.MaxQueries = -1 },
		"MaxCallDepth is -1":       func(c *handler.Config) { c.MaxCallDepth = -1 },
		"SendQueue is -1":          func(c *handler.Config) { c.SendQueue = -1 },
		"Offer.WriteBatch is -2":   func(c *handler.Config) { c.Offer.WriteBatch = -2 },
		"Offer.MultipleKeys is -2": func(c *handler.Config) { c.Offer.MultipleKeys = -2 },
		"MaxInFlight is -1":        func(c *handler.Config) { c.MaxInFlight = -1 },
		"MaxSendMsgSize is -1":     func(c *handler.Config) { c.MaxSendMsgSize = -1 },
		"MaxBytes is -1":           func(c *handler.Config) { c.MaxBytes = -1 },
		"MaxEventBytes is -1":      func(c *handler.Config) { c.MaxEventBytes = -1 },
		"MaxPageBytes is -1":       func(c *handler.Config) { c.MaxPageBytes = -1 },
	} {
		c := newPeer(t).prepare()
		cfg := handler.Config{Registry: c}
		set(&cfg)
		err := handler.HandleChaincodeStream(context.Background(), cfg, c)
		want := "handler: Limits: " + name + ", want 0 or more"
		if strings.HasPrefix(name, "Offer") {
			want = strings.Replace(want, "want 0", "want -1", 1)
		}
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// wantOverload waits for the call to be refused at once, with that text.
func (x *call) wantOverload(t *testing.T, limit int) {
	t.Helper()
	synctest.Wait()
	select {
	case <-x.done:
	default:
		t.Fatal("Execute waits")
	}
	var overload *handler.OverloadError
	if !errors.Is(x.err, handler.ErrOverloaded) || !errors.As(x.err, &overload) || *overload != (handler.OverloadError{ChaincodeID: "cc:1", Limit: limit}) {
		t.Fatalf("got %v, want an overload", x.err)
	}
	if want := fmt.Sprintf("chaincode cc:1 has %d transactions in flight, which is the limit: try again later", limit); x.err.Error() != want {
		t.Errorf("got %q, want %q", x.err, want)
	}
}

// F35: a chaincode gets no more transactions at once than the limit allows, and the first ones are untouched.
func TestMaxInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.MaxInFlight = 2
		c := p.register("cc:1")
		first, second := c.begin("tx1"), c.begin("tx2")
		c.execute(context.Background(), p.simulate("tx3", channel)).wantOverload(t, 2)
		c.wantSilence()
		if n := p.ledger().Counts().Done; n != 1 {
			t.Errorf("%d simulators are done, want that of the refused transaction", n)
		}
		if n := p.count(handler.FaultOverload); n != 1 {
			t.Errorf("counted %d times", n)
		}
		// One that exists already is said to.
		c.execute(context.Background(), p.simulate("tx1", channel)).want(t, handler.ErrExists)
		c.finish(t, "tx1", first)
		c.finish(t, "tx3", c.begin("tx3"))
		c.finish(t, "tx2", second)
		c.stop()
		p.check()
	})
}

// The default is Fabric's.
func TestMaxInFlightByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c := p.register("cc:1")
		for i := range 2500 {
			c.begin(fmt.Sprint("tx", i))
		}
		c.execute(context.Background(), p.simulate("more", channel)).wantOverload(t, 2500)
		c.stop()
		synctest.Wait()
		p.check()
	})
}

// Transactions that were given up count for as long as something of them is left: a ledger that hangs must not be given
// ever more operations.
func TestMaxInFlightCountsWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.MaxInFlight = 2
		release := make(chan struct{})
		p.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
		c := p.register("cc:1")
		abandoned := c.begin("tx1")
		c.Deliver(in("tx1", getState("a")))
		abandoned.want(t, handler.ErrTimeout)
		x := c.begin("tx2")
		c.execute(context.Background(), p.simulate("tx3", channel)).wantOverload(t, 2)
		close(release)
		c.wantError("tx1", unknown(getState("a")))
		c.finish(t, "tx3", c.begin("tx3"))
		c.finish(t, "tx2", x)
		c.stop()
		p.check()
	})
}

// A chaincode that calls itself on another channel is in flight twice.
func TestMaxInFlightOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.cfg.MaxInFlight = 1
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.say("tx1", invoke("cc/other"), "execute failed: chaincode cc:1 has 1 transactions in flight, which is the limit: try again later")
		c.finish(t, "tx1", x)
		c.stop()
		p.check()
	})
}

// F36: what chaincode says of its event decides whether the transaction succeeds.
func TestMaxEventBytes(t *testing.T) {
	for _, test := range []struct {
		what  string
		event *pb.ChaincodeEvent
		want  string // of the error; "" is none
	}{
		{"none", nil, ""},
		{"at the limit", &pb.ChaincodeEvent{EventName: "name", Payload: make([]byte, 96)}, ""},
		{"payload", &pb.ChaincodeEvent{EventName: "name", Payload: make([]byte, 97)}, `[tx1] the chaincode's event "name" has 101 bytes, the limit is 100`},
		{"name", &pb.ChaincodeEvent{EventName: strings.Repeat("n", 101)},
			`[tx1] the chaincode's event "` + strings.Repeat("n", 101) + `" has 101 bytes, the limit is 100`},
		{"no name", &pb.ChaincodeEvent{Payload: []byte("x")}, "[tx1] the chaincode's event has no name"},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.cfg.MaxEventBytes = 100
				c := p.register("cc:1")
				x := c.begin("tx1")
				m := in("tx1", completed())
				m.ChaincodeEvent = test.event
				c.Deliver(m)
				<-x.done
				if got := fmt.Sprint(x.err); test.want != "" && got != test.want || test.want == "" && x.err != nil {
					t.Errorf("got %s, want %q", got, test.want)
				}
				if n := p.count(handler.FaultRefusedEvent); (n == 1) != (test.want != "") {
					t.Errorf("counted %d times", n)
				}
				c.finish(t, "tx2", c.begin("tx2"))
				c.stop()
				p.check()
			})
		})
	}
}

// F36, of a callee: its caller is told, and lives on.
func TestMaxEventBytesOfCallee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		c, b := p.register("cc:1"), p.register("b:1")
		m := completed()
		m.ChaincodeEvent = &pb.ChaincodeEvent{EventName: "e", Payload: make([]byte, 4<<20)} // with the default limit
		b.serve(script(m))
		x := c.begin("tx1")
		c.say("tx1", invoke("b"), `execute failed: [tx1] the chaincode's event "e" has 4194305 bytes, the limit is 4194304`)
		c.finish(t, "tx1", x)
		c.stop()
		b.stop()
		p.check()
	})
}

// F40: a page ends behind MaxPageBytes, and after HasMore there always is a result.
func TestMaxPageBytes(t *testing.T) {
	record := len(marshal(&pb.KV{Namespace: "cc", Key: "k000", Value: []byte("v")}))
	for _, test := range []struct {
		limit, rows int
		want        []int // results of each page
	}{
		{1, 3, []int{1, 1, 1}}, // one at least
		{2*record - 1, 2, []int{1, 1}},
		{2 * record, 2, []int{2}},
		{2 * record, 4, []int{2, 2}}, // HasMore is exact
		{2*record + 1, 5, []int{2, 2, 1}},
		{0, 200, []int{100, 100}},
	} {
		t.Run(fmt.Sprint(test.limit, " of ", test.rows), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				p.rows(test.rows)
				p.cfg.MaxPageBytes = test.limit
				c := p.register("cc:1")
				x := c.begin("tx1")
				ask := getRange("", "")
				for i, n := range test.want {
					c.Deliver(in("tx1", ask))
					ask = next(c.wantPage("tx1", n, i < len(test.want)-1).Id)
				}
				c.finish(t, "tx1", x)
				c.stop()
				p.check()
			})
		})
	}
}

// By default a page has 4 MiB.
func TestMaxPageBytesByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		for i := range 5 {
			p.memory[channel].put("cc", fmt.Sprint("k", i), strings.Repeat("v", 1<<20))
		}
		c := p.register("cc:1")
		x := c.begin("tx1")
		c.Deliver(in("tx1", getRange("", "")))
		id := c.wantPage("tx1", 3, true).Id // a fourth record has some bytes too many
		c.Deliver(in("tx1", next(id)))
		c.wantPage("tx1", 2, false)
		c.finish(t, "tx1", x)
		c.stop()
		p.check()
	})
}

// A page that the chaincode has chosen the size of doesn't end early: one that can't be sent is refused, before all of it
// is read.
func TestPaginatedPageThatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		p.rows(101)
		p.cfg.MaxSendMsgSize, p.cfg.MaxPageBytes = 250, 1
		c := p.register("cc:1")
		x := c.begin("tx1")
		page := func(size int32) *pb.ChaincodeMessage {
			return message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Metadata: marshal(&pb.QueryMetadata{PageSize: size})})
		}
		c.say("tx1", page(101), "a page of 101 records has more than 250 bytes, which is the limit: ask for fewer")
		c.Deliver(in("tx1", page(3)))
		c.wantPage("tx1", 3, false)
		c.finish(t, "tx1", x)
		c.stop()
		p.check()
	})
}
