package handler_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// gate holds up an iterator before one of its records, whatever its context says.
type gate struct{ reached, open chan struct{} }

func newGate() gate { return gate{make(chan struct{}), make(chan struct{})} }

// stalling is a ledger whose ranges have four records of 40 KiB. The name of a key is the size of its value, in KiB.
type stalling struct {
	gates map[string]map[int]gate // by transaction and record
}

type stallingSimulator struct {
	ledger.Simulator
	gates map[int]gate
}

func (s *stalling) NewSimulator(_ context.Context, txID string) (ledger.Simulator, error) {
	return &stallingSimulator{&vastSimulator{}, s.gates[txID]}, nil
}

func (s *stallingSimulator) GetState(ctx context.Context, _, key string) ([]byte, error) {
	var n int
	_, _ = fmt.Sscan(key, &n)
	return make([]byte, n<<10), ledger.Reserve(ctx, n<<10)
}

func (s *stallingSimulator) GetStateRange(context.Context, string, ledger.Range) (ledger.Iterator, error) {
	return &stallingIterator{gates: s.gates}, nil
}

type stallingIterator struct {
	gates map[int]gate
	n     int
}

func (it *stallingIterator) Next(ctx context.Context) (*ledger.KV, error) {
	if g, ok := it.gates[it.n]; ok {
		close(g.reached)
		<-g.open
	}
	if it.n++; it.n > 4 {
		return nil, nil
	}
	if err := ledger.Reserve(ctx, 40<<10); err != nil {
		return nil, err
	}
	return &ledger.KV{Key: fmt.Sprint("k", it.n), Value: make([]byte, 40<<10)}, nil
}

func (it *stallingIterator) Close() {}

// stall returns a peer over a stalling ledger, whose chaincode may have that many bytes wait to be sent.
func stall(t *testing.T, waiting int, gates map[string]map[int]gate) (*peer, *chaincode) {
	t.Helper()
	p := newPeer(t)
	p.ledgers[channel] = ledgertest.NewFaulty(&stalling{gates})
	p.cfg.MaxBytes = 4 * waiting
	return p, p.register("cc:1")
}

// F140: a read that hangs in the ledger in the middle of a large answer holds up no other large answer.
func TestStalledReadHoldsUpNobody(t *testing.T) {
	hang := newGate()
	p, c := stall(t, 1<<20, map[string]map[int]gate{"slow": {2: hang}})
	slow := c.begin("slow")
	c.Deliver(in("slow", getRange("a", "")))
	<-hang.reached
	for _, request := range []*pb.ChaincodeMessage{getRange("a", ""), getMultiple("", "40", "40", "40", "40"), getState("200")} {
		x := c.begin("tx1")
		c.Deliver(in("tx1", request))
		c.want(pb.ChaincodeMessage_RESPONSE, "tx1")
		c.finish(t, "tx1", x)
	}
	close(hang.open)
	c.want(pb.ChaincodeMessage_RESPONSE, "slow")
	c.finish(t, "slow", slow)
	c.stop()
	p.check()
}

// F140: a transaction that took more than there was has no right to more once Execute has given it up, although its read
// still hangs. The next one has its turn.
func TestStalledReadGivesItsTurnBack(t *testing.T) {
	first, second, third := newGate(), newGate(), newGate()
	p, c := stall(t, 210<<10, map[string]map[int]gate{"slow": {2: first, 3: second}, "next": {2: third}})
	ctx, cancel := context.WithCancel(t.Context())
	slow := c.execute(ctx, p.simulate("slow", channel))
	c.want(pb.ChaincodeMessage_TRANSACTION, "slow")
	large, next := c.begin("large"), c.begin("next")

	c.Deliver(in("slow", getRange("a", "")))
	<-first.reached // 80 KiB
	unread := make(chan struct{})
	c.Block(unread)
	c.Deliver(in("large", getState("100")))
	for c.h.Stats().QueuedBytes < 180<<10 {
		runtime.Gosched()
	}
	close(first.open)
	<-second.reached // 120 KiB, which makes 220
	close(unread)
	c.want(pb.ChaincodeMessage_RESPONSE, "large")

	c.Deliver(in("next", getRange("a", "")))
	<-third.reached // 80 KiB, which makes 200 again
	close(third.open)
	cancel()
	slow.want(t, context.Canceled)
	c.want(pb.ChaincodeMessage_RESPONSE, "next")
	close(second.open)
	c.wantError("slow", "GET_STATE_BY_RANGE failed: transaction ID: slow: context canceled")
	for _, x := range []struct {
		txID string
		call *call
	}{{"large", large}, {"next", next}} {
		c.finish(t, x.txID, x.call)
	}
	for c.h.Stats() != (handler.Stats{}) {
		runtime.Gosched()
	}
	c.stop()
	p.check()
}
