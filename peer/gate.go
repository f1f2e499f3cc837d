package peer

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// gate is what envelopes of a channel pass on their way to the orderer. While it is shut, the peers can come to the same height.
type gate struct {
	mu      sync.Mutex
	inside  int           // how many are passing
	shut    bool          // somebody has shut it, or waits for those inside
	changed chan struct{} // is closed when one of these changes; nil if nobody waits
	passed  uint64        // how many envelopes have passed
}

// pass calls do when the gate is open, which has some envelopes ordered.
func (g *gate) pass(ctx context.Context, envelopes int, do func() error) error {
	if err := g.await(ctx, func() bool { return !g.shut }, func() { g.inside++ }); err != nil {
		return err
	}
	err := do()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if err == nil {
		g.passed += uint64(envelopes) //nolint:gosec // it is no less than 0
	}
	g.wake()
	return err
}

// close shuts the gate, waits until nobody is passing, and returns how many envelopes have passed. open must be called if there is
// no error.
func (g *gate) close(ctx context.Context) (passed uint64, err error) {
	if err := g.await(ctx, func() bool { return !g.shut }, func() { g.shut = true }); err != nil {
		return 0, err
	}
	if err := g.await(ctx, func() bool { return g.inside == 0 }, func() { passed = g.passed }); err != nil {
		g.open()
		return 0, err
	}
	return passed, nil
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
	g.wake()
}

// await waits until a condition holds, and then does something, under the lock.
func (g *gate) await(ctx context.Context, holds func() bool, do func()) error {
	for {
		g.mu.Lock()
		if holds() {
			do()
			g.mu.Unlock()
			return nil
		}
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Wrap(ctx.Err(), "wait for the channel's turn")
		}
	}
}

// wake needs the lock.
func (g *gate) wake() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// gated is a network's orderer, behind the gates of its channels. Peers count every envelope that they commit, so every envelope
// must pass the gate: an envelope that doesn't would be taken for one that has, and the peers would not come to the same height.
type gated struct{ n *Network }

var _ ordering.Service = gated{}

// Broadcast implements ordering.Service.
func (o gated) Broadcast(ctx context.Context, envelope []byte) error {
	broadcast := func() error { return o.n.orderer.Broadcast(ctx, envelope) }
	g := o.n.gates[channelHeaderOf(envelope).GetChannelId()]
	if g == nil {
		return broadcast() // which says why not
	}
	return g.pass(ctx, 1, broadcast)
}

// Deliver implements ordering.Service.
func (o gated) Deliver(ctx context.Context, channelID string, from uint64) (ordering.Blocks, error) {
	return o.n.orderer.Deliver(ctx, channelID, from)
}

// past is where the orderer finds blocks that it has forgotten: at any peer that has them.
func (o gated) past(ctx context.Context, channelID string, number uint64) (*pb.Block, error) {
	for _, p := range o.n.peers {
		c := p.Channel(channelID)
		if c == nil {
			continue
		}
		b, err := c.ledger.Block(ctx, number)
		if errors.Is(err, kvledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return b.Message(), nil
	}
	return nil, errors.Errorf("no peer has block %d of channel %s", number, channelID)
}
