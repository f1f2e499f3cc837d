package peer

import (
	"context"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/broadcast"
	"github.com/ccpeer/ccpeer/peer/deliver"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// DeliverConfig says how a peer's blocks are delivered.
type DeliverConfig struct {
	// ACL decides who may have blocks. Nil: Peer.ACL.
	ACL acl.Checker
	// MutualTLS says that clients show certificates when they connect.
	MutualTLS bool
}

// Deliver returns what gives clients the peer's blocks, as Fabric's service protos.Deliver does. It has nothing to close: gRPC ends
// its streams.
func (p *Peer) Deliver(cfg DeliverConfig) (*deliver.Server, error) {
	if cfg.ACL == nil {
		cfg.ACL = p.ACL()
	}
	d := &delivered{peer: p}
	s, err := deliver.New(deliver.Config{
		Channel: d.channel, Channels: d.channels, ACL: cfg.ACL, MutualTLS: cfg.MutualTLS, TimeWindow: p.cfg.TimeWindow, Logger: p.cfg.Logger,
	})
	return s, errors.WithMessagef(err, "deliver blocks of %s", p.Name())
}

// AtomicBroadcast returns what clients have for an orderer, as Fabric's service of that name. orderer takes what they send, such as
// Network.Orderer. blocks is the peer's Deliver: readers get blocks from a peer, because an orderer here waits for its readers.
func (p *Peer) AtomicBroadcast(orderer ordering.Service, blocks *deliver.Server) (pbgrpc.AtomicBroadcastServer, error) {
	b, err := broadcast.New(broadcast.Config{Service: orderer, Logger: p.cfg.Logger})
	return atomicBroadcast{b, blocks}, errors.WithMessagef(err, "broadcast for clients of %s", p.Name())
}

// atomicBroadcast is the service of an orderer.
type atomicBroadcast struct {
	*broadcast.Server
	blocks *deliver.Server
}

// Deliver implements pbgrpc.AtomicBroadcastServer.
func (a atomicBroadcast) Deliver(stream pbgrpc.AtomicBroadcast_DeliverServer) error {
	return a.blocks.DeliverOrdered(stream)
}

// delivered are the channels of a peer, as a deliver.Server has them.
type delivered struct {
	peer *Peer

	mu   sync.Mutex
	byID map[string]deliveredChannel
}

type deliveredChannel struct {
	of *Channel
	*deliver.Channel
}

func (d *delivered) channel(id string) *deliver.Channel {
	c := d.peer.Channel(id)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch known, ok := d.byID[id]; {
	case c == nil:
		delete(d.byID, id)
		return nil
	case ok && known.of == c:
		return known.Channel
	}
	if d.byID == nil {
		d.byID = map[string]deliveredChannel{}
	}
	fresh := deliveredChannel{c, &deliver.Channel{ // after Restore there may be other blocks
		Ledger: committedBlocks{c}, PrivateData: privateBlocks{c}, Sequence: c.configSequence, Reached: c.height.Load,
	}}
	d.byID[id] = fresh
	return fresh.Channel
}

func (d *delivered) channels() (all []*deliver.Channel) {
	for _, c := range d.peer.Channels() {
		if known := d.channel(c.cfg.ID); known != nil {
			all = append(all, known)
		}
	}
	return all
}

// configSequence is the number of the channel's configuration, or 0 as long as it can't be read.
func (c *Channel) configSequence() uint64 {
	config, err := c.Config(c.running)
	if err != nil {
		return 0
	}
	return config.Config.GetSequence()
}

// committedBlocks are those of a channel, as long as its peer is on it.
type committedBlocks struct{ c *Channel }

var _ deliver.Ledger = committedBlocks{}

// Height implements deliver.Ledger.
func (b committedBlocks) Height(ctx context.Context) (uint64, error) { return b.c.ledger.Height(ctx) }

// Block implements deliver.Ledger.
func (b committedBlocks) Block(ctx context.Context, number uint64) (*pb.Block, error) {
	committed, err := b.c.ledger.Block(ctx, number)
	if errors.Is(err, kvledger.ErrNotFound) {
		committed, err = awaitBlock(ctx, b.c, number)
	}
	if err != nil {
		return nil, err
	}
	if b.c.peer.Channel(b.c.cfg.ID) != b.c { // after Restore, the same ledger goes on with other blocks
		return nil, kvledger.ErrSubscriptionClosed
	}
	return committed.Message(), nil
}
