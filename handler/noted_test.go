package handler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// F141: 30 requests with names of 90 MiB, which a transaction keeps until it ends, are refused when they find no room.
func TestMemoryOfNames(t *testing.T) {
	for _, test := range []struct {
		name    string
		fit     int // how many find room in 256 units
		request func(name string) *pb.ChaincodeMessage
	}{
		{"start of a range", 2, func(name string) *pb.ChaincodeMessage { return getRange(name, "") }},
		{"end of a range", 2, func(name string) *pb.ChaincodeMessage { return getRange("", name) }},
		{"range of a collection", 0, func(name string) *pb.ChaincodeMessage {
			return message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Collection: name, StartKey: name})
		}},
		{"key of a history", 2, getHistory},
		{"query", 0, func(name string) *pb.ChaincodeMessage { return richQuery("", name, 0) }},
		{"collection's query", 0, func(name string) *pb.ChaincodeMessage { return richQuery("c", name, 0) }},
		{"collection", 1, func(name string) *pb.ChaincodeMessage { return getPrivate(name, "k") }},
		{"hash in a collection", 2, func(name string) *pb.ChaincodeMessage { return getPrivateHash(name, "k") }},
		{"keys of a collection", 1, func(name string) *pb.ChaincodeMessage { return getMultiple(name, "k") }},
		{"metadata in a collection", 1, func(name string) *pb.ChaincodeMessage { return getMetadata(name, "k") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			memoryTest(t, func(c *chaincode, _ *vast) {
				p := c.peer
				p.ledgers[channel] = ledgertest.NewFaulty(p.memory[channel])
				x := c.begin("tx1")
				for i := range times(30, 6) {
					c.Deliver(in("tx1", test.request(strings.Repeat("n", 90*unit())+fmt.Sprint(i))))
					if i < test.fit {
						c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
					} else {
						c.refused("tx1", "the limit is")
					}
				}
				c.finish(t, "tx1", x)
			})
		})
	}
}

// What a ledger needs for an iterator is counted, also when the iterator was closed.
func TestBytesOfIterators(t *testing.T) {
	p := newPeer(t)
	p.cfg.MaxTransactionBytes = 100 * 512
	c := p.register("cc:1")
	x := c.begin("tx1")
	for range 88 { // with 64 each for a record that isn't there
		c.Deliver(in("tx1", getRange("", "")))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	}
	c.Deliver(in("tx1", getRange("", "")))
	c.refused("tx1", "that the transaction has read and written, the limit is")
	c.finish(t, "tx1", x)
	c.stop()
	p.check()
}

// keeping is a ledger whose queries find what has a v in it, whatever they say, and whose iterators keep that many bytes.
type keeping struct {
	*memory
	bytes int
}

type keepingSimulator struct {
	fullSimulator
	bytes int
}

type keepingIterator struct {
	ledger.QueryIterator
	bytes int
}

func (k *keeping) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	s, err := k.memory.NewSimulator(ctx, txID)
	return &keepingSimulator{s.(fullSimulator), k.bytes}, err
}

func (s *keepingSimulator) ExecuteQuery(ctx context.Context, namespace, _ string, p ledger.Page) (ledger.QueryIterator, error) {
	it, err := s.fullSimulator.ExecuteQuery(ctx, namespace, "v", p)
	return &keepingIterator{it, s.bytes}, err
}

func (it *keepingIterator) Kept() int { return it.bytes }

// F143: queries that are open are refused when their texts, or what their iterators keep, find no room. Closing one makes
// room.
func TestMemoryOfOpenQueries(t *testing.T) {
	for _, test := range []struct {
		name       string
		text, kept int // how large the text is, and how much the iterator keeps, in units
		fit        int // how many are open in 256 units
	}{
		{"text", 5, 0, 2}, // five to the end of the transaction, and 120 while the query is open
		{"iterator", 0, 60, 4},
		{"iterator that says nonsense", 0, -60, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			memoryTest(t, func(c *chaincode, _ *vast) {
				p := c.peer
				p.rows(101)
				p.ledgers[channel] = ledgertest.NewFaulty(&keeping{p.memory[channel], test.kept * unit()})
				x := c.begin("tx1")
				query := richQuery("", "v"+strings.Repeat(" ", test.text*unit()), 0)
				for i := range 20 {
					c.Deliver(in("tx1", query))
					if i < test.fit {
						c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
					} else {
						c.refused("tx1", "the limit is")
					}
					if n, want := c.h.Stats().KeptBytes, min(i+1, test.fit)*max(test.kept, 24*test.text)*unit(); n < want {
						t.Errorf("%d bytes are kept for %d queries, want %d at least", n, i+1, want)
					}
				}
				if test.kept > 0 {
					for _, request := range []*pb.ChaincodeMessage{closeQuery("1"), query} {
						c.Deliver(in("tx1", request))
						c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
					}
				}
				c.finish(t, "tx1", x)
			})
		})
	}
}

// F144: the ledger notes what a page has read, although the page is refused. So it counts, also when there is no room.
func TestMemoryOfRefusedPages(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		p := c.peer
		for i := range 30 {
			p.memory[channel].put("cc", fmt.Sprintf("%02d", i)+strings.Repeat("k", 10*unit()), "v")
		}
		p.ledgers[channel] = ledgertest.NewFaulty(p.memory[channel])
		x := c.begin("tx1")
		page := message(pb.ChaincodeMessage_GET_STATE_BY_RANGE, "", &pb.GetStateByRange{Metadata: marshal(&pb.QueryMetadata{PageSize: 30})})
		for i, says := range []string{"which is the limit", "which is the limit", "that the transaction has read and written, the limit is"} {
			c.Deliver(in("tx1", page))
			c.refused("tx1", says)
			if n, want := c.h.Stats().KeptBytes, min(100*(i+1), 250)*unit(); n < want {
				t.Errorf("%d bytes are kept after %d pages, want %d at least", n, i+1, want)
			}
		}
		read := p.ledger().Calls(ledgertest.Next)
		c.Deliver(in("tx1", getRange("", "")))
		c.refused("tx1", "that the transaction has read and written, the limit is")
		if n := p.ledger().Calls(ledgertest.Next); n != read {
			t.Errorf("%d records more were read when there was no room", n-read)
		}
		c.finish(t, "tx1", x)
	})
}

// rewriting is a ledger that writes 60 units again for each key whose metadata is written.
type rewriting struct{ *memory }

type rewritingSimulator struct{ fullSimulator }

func (r rewriting) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	s, err := r.memory.NewSimulator(ctx, txID)
	return rewritingSimulator{s.(fullSimulator)}, err
}

func (s rewritingSimulator) SetStateMetadata(ctx context.Context, namespace, key string, m map[string][]byte) error {
	if err := ledger.Charge(ctx, 60*unit()); err != nil {
		return err
	}
	return s.fullSimulator.SetStateMetadata(ctx, namespace, key, m)
}

// F167: what the ledger must write beyond what a request says counts like what the request says.
func TestMemoryOfRewrites(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		p := c.peer
		p.ledgers[channel] = ledgertest.NewFaulty(rewriting{p.memory[channel]})
		x := c.begin("tx1")
		for i := range 6 {
			c.Deliver(in("tx1", putMetadata("", fmt.Sprint("k", i))))
			if i < 4 {
				c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			} else {
				c.refused("tx1", "that the transaction has read and written, the limit is")
			}
		}
		if n := c.h.Stats().KeptBytes; n < 240*unit() || n > 241*unit() {
			t.Errorf("%d bytes are kept, want those that the ledger has counted", n)
		}
		c.finish(t, "tx1", x)
	})
}

// What the ledger charges is counted behind an interceptor as well. A ledger that miscounts gets no room by it.
func TestChargeOfNothing(t *testing.T) {
	p := newPeer(t)
	refused := make(chan error, 2)
	p.cfg.Requests = []handler.RequestInterceptor{func(ctx context.Context, _ handler.Request, next handler.RequestFunc) ([]byte, error) {
		refused <- ledger.Charge(ctx, -1)
		refused <- ledger.Charge(ctx, 1<<40)
		return next(ctx)
	}}
	c := p.register("cc:1")
	x := c.begin("tx1")
	c.Deliver(in("tx1", getState("k")))
	c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	for range 2 {
		if <-refused == nil {
			t.Error("an amount is charged that can't be")
		}
	}
	c.finish(t, "tx1", x)
	c.stop()
	p.check()
}
