// Package ordering puts a channel's transactions into an order: envelopes in, blocks out.
//
//	o, err := ordering.New(ordering.Config{})
//	err = o.AddChannel(ordering.Channel{ID: "mychannel", Batch: ordering.Batch{Timeout: 100 * time.Millisecond}})
//	blocks, err := o.Deliver(ctx, "mychannel", 0) // a peer, which commits them
//	err = o.Broadcast(ctx, envelope)              // a client
//	b, err := blocks.Next(ctx)
//
// An Orderer is one in this process. It refuses what Fabric's orderer refuses, with its statuses and texts, and cuts blocks
// where Fabric's does (orderer/common: msgprocessor, blockcutter). It takes no updates of a channel's configuration.
//
// # What is kept, and where
//
// An Orderer writes nothing. A block is safe as soon as a peer has committed it, and peers keep all blocks. So an Orderer has
// the blocks in memory that not all its readers have committed yet, and asks for older ones: see Config.Past. What was
// accepted, and not committed by any peer, is lost when the process ends, and its client sees that it is never committed.
//
// A reader says by its next Next that it has committed the block before, and by Deliver that it has those before the one that
// it asks for. So Deliver is for peers. Whoever only looks reads from a peer.
//
// # What waits
//
// Each channel has room for Config.MaxWaitingBytes of envelopes that wait for their block, and of blocks that wait for their
// readers. When it is used up, Broadcast waits, first come, first served. So the slowest reader slows down the clients. When
// Broadcast has waited for Config.Patience, blocks that Past has leave memory, and the slow reader gets them from there.
package ordering

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Service is an ordering service as clients and peers see it. Fabric's own can stand behind it (AtomicBroadcast).
type Service interface {
	// Broadcast has an envelope ordered, a marshalled Envelope. It only reads the envelope. When it returns nil, the envelope is
	// going to be in exactly one block, unless the service fails before. Whether it is valid there is for peers to say. What one
	// client broadcasts one after the other has that order in blocks. If the service refuses the envelope, the error is an
	// *Error. If ctx ends while Broadcast waits, it is ctx's, and the envelope is in no block.
	Broadcast(ctx context.Context, envelope []byte) error
	// Deliver returns a channel's blocks from a number on, without an end. A block that isn't there yet is waited for. When ctx
	// ends, so do the Blocks. If the channel is unknown, the error is an *Error.
	Deliver(ctx context.Context, channelID string, from uint64) (Blocks, error)
}

// Blocks are a channel's blocks, one after the other. Next and Close may be called concurrently, Next and Next may not.
type Blocks interface {
	// Next returns the next block, and waits for it. The caller may replace the block's metadata, and only reads the rest. By
	// calling Next, a peer says that it has committed the block before. An error other than that of ctx, which may end, is the
	// end: ErrClosed after Close, and after the service or the channel is closed.
	Next(ctx context.Context) (*pb.Block, error)
	// Close ends Next. It may be called again.
	Close()
}

// ErrClosed is returned for what is closed.
var ErrClosed = errors.New("ordering: closed")

// Orderer is an ordering service in this process. It is safe for concurrent use.
type Orderer struct {
	cfg Config

	mu       sync.Mutex
	channels map[string]*channel
	closed   bool
}

var _ Service = (*Orderer)(nil)

// New returns an Orderer without channels. It runs nothing until Broadcast is called. Close it to be sure that nothing is left.
func New(cfg Config) (*Orderer, error) {
	if err := cfg.complete(); err != nil {
		return nil, errors.WithMessage(err, "make orderer")
	}
	return &Orderer{cfg: cfg, channels: map[string]*channel{}}, nil
}

// AddChannel has the orderer order for a channel, from its head on.
func (o *Orderer) AddChannel(c Channel) error {
	if err := c.complete(o.cfg.MaxWaitingBytes); err != nil {
		return errors.WithMessagef(err, "add channel %q", c.ID)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return errors.WithMessagef(ErrClosed, "add channel %q", c.ID)
	case o.channels[c.ID] != nil:
		return errors.Errorf("add channel %q: it is there already", c.ID)
	}
	o.channels[c.ID] = newChannel(&o.cfg, c)
	return nil
}

// RemoveChannel has the orderer forget a channel, if it has it. What waits there is made a block, as by Close.
func (o *Orderer) RemoveChannel(id string) {
	o.mu.Lock()
	c := o.channels[id]
	delete(o.channels, id)
	o.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// Channels returns the IDs of the channels, sorted, in a new slice.
func (o *Orderer) Channels() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := make([]string, 0, len(o.channels))
	for id := range o.channels {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Close ends the orderer. Broadcast refuses from then on, and gives up waiting. What waits for its block is made one. Readers
// get the blocks that are there, and after them ErrClosed. When Close returns, nothing of the orderer is running. It may be
// called again.
func (o *Orderer) Close() {
	o.mu.Lock()
	o.closed = true
	channels := slices.Collect(maps.Values(o.channels))
	o.mu.Unlock()
	for _, c := range channels {
		c.close()
	}
}

func (o *Orderer) channel(id string) *channel {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.channels[id]
}

// Broadcast implements Service.
func (o *Orderer) Broadcast(ctx context.Context, envelope []byte) error {
	var m message
	if err := m.open(envelope); err != nil {
		return err
	}
	c := o.channel(m.header.GetChannelId())
	if c == nil {
		return unknownChannel()
	}
	if err := c.check(&m); err != nil {
		return err
	}
	return c.order(ctx, m.entry)
}

// Deliver implements Service.
func (o *Orderer) Deliver(ctx context.Context, channelID string, from uint64) (Blocks, error) {
	c := o.channel(channelID)
	if c == nil {
		return nil, refuse(NotFound, "channel does not exist")
	}
	return c.read(ctx, from), nil
}
