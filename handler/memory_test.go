package handler_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// unit is what a MiB is in these tests: a real one if CCPEER_LONG is set, and otherwise as little as the sizes that the
// handler doesn't count allow.
func unit() int {
	if os.Getenv("CCPEER_LONG") != "" {
		return 1 << 20
	}
	return 16 << 10
}

// times is how often a test does what leaves something small behind each time, which is too much in small units.
func times(long, short int) int {
	if unit() == 1<<20 {
		return long
	}
	return short
}

// vast is a ledger that makes its values when they are read: the name of a key is the size of its value, in units.
type vast struct {
	made atomic.Int64 // how many values
}

type vastSimulator struct {
	ledger *vast
	writes [][]byte
}

func (v *vast) NewSimulator(context.Context, string) (ledger.Simulator, error) {
	return &vastSimulator{ledger: v}, nil
}

func (v *vast) value(ctx context.Context, key string) ([]byte, error) {
	var n int
	_, _ = fmt.Sscan(strings.TrimRight(key, "ab"), &n)
	n *= unit()
	if err := ledger.Reserve(ctx, n); err != nil {
		return nil, err
	}
	v.made.Add(1)
	return make([]byte, n), nil
}

func (s *vastSimulator) GetState(ctx context.Context, _, key string) ([]byte, error) {
	return s.ledger.value(ctx, key)
}

func (s *vastSimulator) SetState(_ context.Context, _, _ string, value []byte) error {
	s.writes = append(s.writes, value)
	return nil
}

func (s *vastSimulator) DeleteState(context.Context, string, string) error { return nil }

func (s *vastSimulator) GetStateRange(_ context.Context, _ string, r ledger.Range) (ledger.Iterator, error) {
	return &vastIterator{ledger: s.ledger, keys: []string{r.Start + "a", r.Start + "b"}}, nil
}

func (s *vastSimulator) Done() { s.writes = nil }

type vastIterator struct {
	ledger *vast
	keys   []string
}

func (it *vastIterator) Next(ctx context.Context) (*ledger.KV, error) {
	if len(it.keys) == 0 {
		return nil, nil
	}
	key := it.keys[0]
	it.keys = it.keys[1:]
	value, err := it.ledger.value(ctx, key)
	return &ledger.KV{Key: key, Value: value}, err
}

func (it *vastIterator) Close() {}

// memoryTest plays with a chaincode of a peer that has the default limits, in units. The heap must never have more than 1024
// units in it, which is 1 GiB. After the test another transaction is served, and nothing is kept.
func memoryTest(t *testing.T, test func(c *chaincode, v *vast)) {
	t.Helper()
	u := unit()
	v := &vast{}
	p := newPeer(t)
	p.ledgers[channel] = ledgertest.NewFaulty(v)
	p.cfg.MaxBytes, p.cfg.MaxTransactionBytes, p.cfg.MaxSendMsgSize, p.cfg.MaxPageBytes = 512*u, 256*u, 100*u, 4*u
	c := p.register("cc:1")
	peak := watchHeap(768 * u) // the collector begins late if it is told the limit itself
	test(c, v)
	if got := peak(); got > int64(1024*u) {
		t.Errorf("the heap grew by %d bytes, want %d at most", got, 1024*u)
	} else {
		t.Logf("the heap grew by %d units", got/int64(u))
	}
	x := c.begin("another")
	c.Deliver(in("another", getState("1")))
	c.want(pb.ChaincodeMessage_RESPONSE, "another")
	c.complete("another")
	x.wantReply(t)
	c.stop()
	p.check()
	if s := c.h.Stats(); s.KeptBytes != 0 || s.QueuedBytes != 0 {
		t.Errorf("left over: %+v", s)
	}
}

// watchHeap looks again and again at how much is on the heap, which the collector keeps below the limit if it can. What it
// returns is called once, and returns by how much the heap has grown at most.
func watchHeap(limit int) func() int64 {
	before := heapAlloc()
	old := debug.SetMemoryLimit(before + int64(limit))
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := before
		for {
			select {
			case <-stop:
				peak <- most
				return
			default:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, int64(m.HeapAlloc)) //nolint:gosec // far from the limit
				runtime.Gosched()
			}
		}
	}()
	return func() int64 {
		close(stop)
		debug.SetMemoryLimit(old)
		return <-peak - before
	}
}

// refused takes the next message, which must be an ERROR that says something.
func (c *chaincode) refused(txID, says string) {
	c.peer.t.Helper()
	if m := c.want(pb.ChaincodeMessage_ERROR, txID); !strings.Contains(string(m.Payload), says) {
		c.peer.t.Errorf("got ERROR %q, want %q in it", m.Payload, says)
	}
}

// F100: one request for many large values is refused when the answer is too large, not after all of them were read.
func TestMemoryOfMultipleKeys(t *testing.T) {
	memoryTest(t, func(c *chaincode, v *vast) {
		x := c.begin("tx1")
		keys := make([]string, 500)
		for i := range keys {
			keys[i] = "10"
		}
		c.Deliver(in("tx1", getMultiple("", keys...)))
		c.refused("tx1", fmt.Sprintf("the answer has more than %d bytes, which is the limit", 100*unit()))
		if n := v.made.Load(); n != 11 {
			t.Errorf("%d values were read, want 11", n)
		}
		c.Deliver(in("tx1", getMultiple("", keys[:9]...)))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		c.complete("tx1")
		x.wantReply(t)
	})
}

// F101: iterators that keep a large record each are refused when there are too many, and not after they were closed.
func TestMemoryOfIterators(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		x := c.begin("tx1")
		const fit = 25 // of 10 units each, and 256 units
		for i := range times(256, 50) {
			c.Deliver(in("tx1", getRange("10", "")))
			if i < fit {
				c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			} else {
				c.refused("tx1", "limit is")
			}
		}
		if n := c.h.Stats().KeptBytes; n < 10*fit*unit() || n > 11*fit*unit() {
			t.Errorf("%d bytes are kept", n)
		}
		for _, request := range []*pb.ChaincodeMessage{closeQuery("1"), getRange("10", "")} {
			c.Deliver(in("tx1", request))
			c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		}
		c.complete("tx1")
		x.wantReply(t)
	})
}

// F102: a transaction that writes more than it may is told so, and can still succeed with what it has written.
func TestMemoryOfWrites(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		x := c.begin("tx1")
		put := putState("a", string(make([]byte, 64*unit())))
		batch := writeBatch(&pb.WriteRecord{Type: pb.WriteRecord_PUT_STATE, Key: "a", Value: make([]byte, 64*unit())})
		for i := range 30 {
			request := put
			if i%2 == 1 {
				request = batch
			}
			c.Deliver(in("tx1", request))
			if i < 3 { // the fourth has no room for its key
				c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
			} else {
				c.refused("tx1", fmt.Sprintf("that the transaction has read and written, the limit is %d", 256*unit()))
			}
		}
		c.Deliver(in("tx1", putState("b", "small")))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		c.complete("tx1")
		x.wantReply(t)
	})
}

// F103: many transactions that write much are refused when together they keep too much. Those that end make room.
func TestMemoryOfManyTransactions(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		put := putState("a", string(make([]byte, 64*unit())))
		calls := map[string]*call{}
		for i := range 30 {
			txID := fmt.Sprint("tx", i)
			calls[txID] = c.begin(txID)
			c.Deliver(in(txID, put))
			if i < 3 {
				c.want(pb.ChaincodeMessage_RESPONSE, txID)
			} else {
				c.refused(txID, "the peer keeps")
			}
		}
		c.complete("tx0")
		<-calls["tx0"].done
		for c.h.Stats().KeptBytes > 2*65*unit() { // until the simulation is done, a moment later
			runtime.Gosched()
		}
		c.Deliver(in("tx29", put))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx29")
		delete(calls, "tx0")
		for txID, x := range calls {
			c.complete(txID)
			x.wantReply(t)
		}
		for c.h.Stats().KeptBytes > 0 {
			runtime.Gosched()
		}
	})
}

// F104: transactions whose answers aren't read wait before their values are read. All are answered in turn.
func TestMemoryOfUnreadAnswers(t *testing.T) {
	memoryTest(t, func(c *chaincode, v *vast) {
		const n = 30
		calls := c.beginMany(n)
		release := make(chan struct{})
		c.Block(release)
		for txID := range calls {
			c.Deliver(in(txID, getState("63")))
		}
		for c.h.Stats().QueuedBytes < n*63*unit() {
			runtime.Gosched()
		}
		if n := v.made.Load(); n > 2 {
			t.Errorf("%d values were read while none was taken, want 2 at most", n)
		}
		close(release)
		for range n {
			m := c.Next()
			if m.GetType() != pb.ChaincodeMessage_RESPONSE || len(m.Payload) != 63*unit() {
				t.Fatalf("got %s of %d bytes", m.GetType(), len(m.GetPayload()))
			}
			c.complete(m.Txid)
			calls[m.Txid].wantReply(t)
		}
	})
}

// F105: calls with large inputs are refused when together they keep too much.
func TestMemoryOfCalls(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) { callLarge(t, c, 5) })
}

// Interceptors see requests as they were received. So each input is there twice, and half as many find room.
func TestMemoryOfInterceptedCalls(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		c.peer.cfg.Requests = []handler.RequestInterceptor{func(ctx context.Context, _ handler.Request, next handler.RequestFunc) ([]byte, error) {
			return next(ctx)
		}}
		d := c.peer.register("d:1")
		callLarge(t, d, 2)
		d.stop()
	})
}

// callLarge has a chaincode make 20 calls at once with 50 units of input each, of which some fit.
func callLarge(t *testing.T, c *chaincode, fit int) {
	t.Helper()
	b := c.peer.register("b:1")
	const n = 20
	request := message(pb.ChaincodeMessage_INVOKE_CHAINCODE, "", &pb.ChaincodeSpec{
		ChaincodeId: &pb.ChaincodeID{Name: "b"}, Input: &pb.ChaincodeInput{Args: [][]byte{make([]byte, 50*unit())}},
	})
	calls := c.beginMany(n)
	for txID := range calls {
		c.Do(func() (*pb.ChaincodeMessage, error) { return in(txID, request), nil })
	}
	for range n - fit {
		m := c.Next()
		if m.GetType() != pb.ChaincodeMessage_ERROR || !strings.Contains(string(m.Payload), "the input of a call") {
			t.Fatalf("got %s %.300q, want ERROR", m.GetType(), m.GetPayload())
		}
	}
	for range fit {
		txID := b.Next().GetTxid()
		b.complete(txID)
		c.want(pb.ChaincodeMessage_RESPONSE, txID)
	}
	for txID, x := range calls {
		c.complete(txID)
		x.wantReply(t)
	}
	b.stop()
}

// Answers of many values, which grow while they are read, don't wait for one another, whoever reads them how slowly.
func TestMemoryOfGrowingAnswers(t *testing.T) {
	memoryTest(t, func(c *chaincode, v *vast) {
		const n = 12
		calls := c.beginMany(n)
		release := make(chan struct{})
		c.Block(release)
		for txID := range calls {
			c.Deliver(in(txID, getMultiple("", "10", "10", "10", "10", "10", "10", "10", "10")))
		}
		for c.h.Stats().QueuedBytes < 128*unit() {
			runtime.Gosched()
		}
		if n := v.made.Load(); n > 12+2*7 {
			t.Errorf("%d values were read while none was taken", n)
		}
		close(release)
		for range n {
			m := c.Next()
			if m.GetType() != pb.ChaincodeMessage_RESPONSE {
				t.Fatalf("got %s", m.GetType())
			}
			c.complete(m.Txid)
			calls[m.Txid].wantReply(t)
		}
	})
}

// beginMany begins transactions, and returns them by ID: tx0, tx1, ….
func (c *chaincode) beginMany(n int) map[string]*call {
	c.peer.t.Helper()
	calls := map[string]*call{}
	for i := range n {
		txID := fmt.Sprint("tx", i)
		calls[txID] = c.begin(txID)
	}
	return calls
}

// F130: replies that can't be handed over yet, because the ledger still serves a request of their transactions, count as
// received. Nothing more is read while they are too many, and all arrive in the end.
func TestMemoryOfReplies(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		const n = 30
		release, returned := make(chan struct{}), make(chan error, n)
		c.peer.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
		for i := range n {
			txID := fmt.Sprint("tx", i)
			p := c.peer.simulate(txID, channel)
			go func() {
				reply, err := c.h.Execute(context.Background(), p, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{})
				p.Simulation.Done() // before anybody is told: who is told looks whether all are done
				if err == nil && len(reply.Payload) < 90*unit() {
					err = fmt.Errorf("a reply of %d bytes", len(reply.Payload))
				}
				returned <- err
			}()
			c.want(pb.ChaincodeMessage_TRANSACTION, txID)
			c.Deliver(in(txID, getState("1")))
		}
		var read atomic.Int64
		for i := range n {
			c.Do(func() (*pb.ChaincodeMessage, error) {
				read.Add(1)
				reply := &pb.Response{Status: 200, Payload: make([]byte, 90*unit())}
				return message(pb.ChaincodeMessage_COMPLETED, fmt.Sprint("tx", i), reply), nil
			})
		}
		for c.h.Stats().QueuedBytes < 2*90*unit() {
			runtime.Gosched()
		}
		if n := read.Load(); n > 2 {
			t.Errorf("%d replies were read while none could be handed over, want 2", n)
		}
		close(release)
		for range n {
			if err := <-returned; err != nil {
				t.Error(err)
			}
		}
		for c.h.Stats().QueuedBytes > 0 { // answers to those who had not replied yet
			runtime.Gosched()
		}
		c.Sent()
	})
}

// The reply of a transaction that was given up counts no longer, although the ledger still serves its request.
func TestMemoryOfDesertedReply(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		release := make(chan struct{})
		c.peer.ledger().On(ledgertest.GetState, ledgertest.Hang(release))
		ctx, cancel := context.WithCancel(t.Context())
		x := c.execute(ctx, c.peer.simulate("tx1", channel))
		c.want(pb.ChaincodeMessage_TRANSACTION, "tx1")
		c.Deliver(in("tx1", getState("1")))
		c.ask(pb.ChaincodeMessage_COMPLETED, "tx1", &pb.Response{Status: 200, Payload: make([]byte, 90*unit())})
		for c.h.Stats().QueuedBytes < 90*unit() {
			runtime.Gosched()
		}
		cancel()
		x.want(t, context.Canceled)
		if n := c.h.Stats().QueuedBytes; n > unit() {
			t.Errorf("%d bytes are counted", n)
		}
		close(release)
		for c.h.Stats().QueuedBytes > 0 || c.h.Stats().Abandoned > 0 {
			runtime.Gosched()
		}
	})
}

// F131: 30 calls whose answers have 90 MiB each: what finds no room is an ERROR for the caller.
func TestMemoryOfAnswersOfCalls(t *testing.T) {
	memoryTest(t, func(c *chaincode, _ *vast) {
		b := c.peer.register("b:1")
		const n = 30
		request := message(pb.ChaincodeMessage_INVOKE_CHAINCODE, "", &pb.ChaincodeSpec{
			ChaincodeId: &pb.ChaincodeID{Name: "b"}, Input: &pb.ChaincodeInput{Args: [][]byte{[]byte("large")}},
		})
		calls, release := c.beginMany(n), make(chan struct{})
		for txID := range calls {
			c.Deliver(in(txID, request))
			b.want(pb.ChaincodeMessage_TRANSACTION, txID)
		}
		c.Block(release) // c reads no more
		var read atomic.Int64
		for txID := range calls {
			b.Do(func() (*pb.ChaincodeMessage, error) {
				read.Add(1)
				return message(pb.ChaincodeMessage_COMPLETED, txID, &pb.Response{Status: 200, Payload: make([]byte, 90*unit())}), nil
			})
		}
		for b.h.Stats().InFlight > 0 {
			runtime.Gosched()
		}
		close(release)
		answered := 0
		for range n {
			m := c.Next()
			switch {
			case m.GetType() == pb.ChaincodeMessage_RESPONSE:
				answered++
			case m.GetType() != pb.ChaincodeMessage_ERROR || !strings.Contains(string(m.Payload), "the answer of a call"):
				t.Fatalf("got %s %.300q", m.GetType(), m.GetPayload())
			}
			c.complete(m.Txid)
			calls[m.Txid].wantReply(t)
		}
		if answered < 2 || answered > 4 {
			t.Errorf("%d answers found room", answered)
		}
		b.stop()
	})
}

// A write counts with its key, its value, and what a ledger needs beside them.
func TestBytesOfWrite(t *testing.T) {
	p := newPeer(t)
	p.cfg.MaxTransactionBytes = 1000
	c := p.register("cc:1")
	x := c.begin("tx1")
	c.Deliver(in("tx1", putState(strings.Repeat("k", 437), strings.Repeat("v", 500))))
	c.refused("tx1", "1001 bytes more would make 1001 bytes that the transaction has read and written, the limit is 1000")
	c.Deliver(in("tx1", putState(strings.Repeat("k", 436), strings.Repeat("v", 500))))
	c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	c.complete("tx1")
	x.wantReply(t)
	c.stop()
	p.check()
}

// What an iterator has read ahead isn't counted if it is small.
func TestSmallLookAhead(t *testing.T) {
	p := newPeer(t)
	p.rows(101)
	c := p.register("cc:1")
	x := c.begin("tx1")
	c.Deliver(in("tx1", getRange("", "")))
	c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
	if n := c.h.Stats().KeptBytes; n != 0 {
		t.Errorf("%d bytes are kept, want 0", n)
	}
	c.complete("tx1")
	x.wantReply(t)
	c.stop()
	p.check()
}

// F142: many iterators that have read something small ahead are counted by their sum.
func TestManySmallLookAheads(t *testing.T) {
	p := newPeer(t)
	p.cfg.MaxPageBytes, p.cfg.MaxTransactionBytes = 1, 2<<20
	for _, key := range []string{"a", "b"} {
		p.memory[channel].put("cc", key, strings.Repeat("v", 15<<10))
	}
	c := p.register("cc:1")
	x := c.begin("tx1")
	opened := 0
	for range 256 {
		c.Deliver(in("tx1", getRange("", "")))
		m := c.Next()
		if m.GetType() == pb.ChaincodeMessage_ERROR {
			if !strings.Contains(string(m.Payload), "the limit is 2097152: close those that are read") {
				t.Errorf("got ERROR %s", m.Payload)
			}
			break
		}
		opened++
	}
	if opened < 120 || opened > 140 {
		t.Errorf("%d iterators were opened in 2 MiB, each with 15 KiB and what is noted of it", opened)
	}
	if n := c.h.Stats().KeptBytes; n < opened*15<<10 {
		t.Errorf("%d bytes are kept, want %d at least", n, opened*15<<10)
	}
	c.finish(t, "tx1", x)
	for c.h.Stats().KeptBytes > 0 {
		runtime.Gosched()
	}
	c.stop()
	p.check()
}
