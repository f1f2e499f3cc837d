package peer

import (
	"context"
	"math"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// ErrNoConfig is, or is wrapped by, the error of Channel.Config for a channel whose blocks have no configuration. A channel that an
// earlier version of this package has made has none.
var ErrNoConfig = errors.New("the channel's blocks have no configuration")

// Configuration is a channel's configuration. Nothing in it may be modified.
type Configuration struct {
	// Block is the last block that has one.
	Block *pb.Block
	// Config is the configuration in that block. Its sequence says how often it was changed. channelconfig.Read says what is in it.
	Config *pb.Config
}

// configured keeps a channel's configuration, which is asked for again and again.
type configured struct {
	mu   sync.Mutex
	last *Configuration // nil if it was not read yet
}

// forget has the configuration read again.
func (c *configured) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = nil
}

// Config returns the channel's configuration as of the last block that this peer has committed, or ErrNoConfig.
func (c *Channel) Config(ctx context.Context) (*Configuration, error) {
	c.configured.mu.Lock()
	defer c.configured.mu.Unlock()
	if c.configured.last == nil {
		last, err := lastConfig(ctx, c.ledger)
		if err != nil {
			return nil, errors.WithMessagef(err, "read configuration of channel %s", c.cfg.ID)
		}
		c.configured.last = last
	}
	return c.configured.last, nil
}

// ConfigBlock returns the last block that has a configuration, or ErrNoConfig.
func (c *Channel) ConfigBlock(ctx context.Context) (*pb.Block, error) {
	last, err := c.Config(ctx)
	if err != nil {
		return nil, err
	}
	return last.Block, nil
}

// lastConfig reads a ledger's last configuration. It is found by the metadata of the last block.
func lastConfig(ctx context.Context, l *kvledger.Ledger) (*Configuration, error) {
	head, height, err := headOf(ctx, l)
	if err != nil {
		return nil, err
	}
	if height == 0 {
		return nil, ErrNoConfig
	}
	committed, err := l.Block(ctx, head.LastConfig)
	if err != nil {
		return nil, err
	}
	b := committed.Message()
	config, err := channelconfig.FromBlock(b)
	if errors.Is(err, channelconfig.ErrNoConfig) {
		return nil, ErrNoConfig
	}
	return &Configuration{b, config}, err
}

// headOf returns where a ledger's channel goes on.
func headOf(ctx context.Context, l *kvledger.Ledger) (head ordering.Head, height uint64, err error) {
	if height, err = l.Height(ctx); err != nil || height == 0 {
		return head, height, err
	}
	last, err := l.Block(ctx, height-1)
	if err != nil {
		return head, 0, err
	}
	head.Header = last.Header
	head.LastConfig, err = block.LastConfig(last.Metadata)
	return head, height, errors.WithMessagef(err, "block %d", last.Number)
}

// isConfig reports whether a block has a configuration.
func isConfig(b *pb.Block) bool {
	data := b.GetData().GetData()
	if len(data) != 1 {
		return false
	}
	t, ok := block.HeaderType(data[0])
	return ok && t == pb.HeaderType_CONFIG
}

// configure decides about a configuration that is ordered: it must be the first one, which stands alone in block 0. This peer can't go by
// another one yet.
func configure(_ context.Context, b *pb.Block, _ int, payload *pb.Payload) error {
	invalid := func(err error) error { return errors.Wrap(committer.ErrInvalidConfig, err.Error()) }
	switch {
	case b.GetHeader().GetNumber() != 0:
		return invalid(errors.New("the channel has one, and it can't be changed"))
	case len(b.GetData().GetData()) != 1:
		return invalid(errors.New("it doesn't stand alone in its block"))
	}
	config, err := channelconfig.Unmarshal(payload.GetData())
	if err == nil {
		_, err = channelconfig.Read(config)
	}
	if err != nil {
		return invalid(err)
	}
	return nil
}

// begin gives a new channel its first block, the same on all peers. The orderer goes on behind it. If the process ends before all of them
// have committed it, the others copy it at the next start.
func begin(ctx context.Context, opened []*Channel, first *pb.Block) error {
	for _, c := range opened {
		codes, err := c.committer.Commit(ctx, first)
		if err != nil {
			return errors.WithMessage(err, c.peer.Name())
		}
		if codes[0] != kvledger.Valid {
			return errors.Errorf("the first block's configuration is %s at %s: %v", codes[0], c.peer.Name(), c.reasons[0])
		}
	}
	return nil
}

// describe describes a channel of some members, as far as these go by it.
func describe(members []identity.Organization) channelconfig.Channel {
	var described channelconfig.Channel
	for _, o := range members {
		described.Application.Organizations = append(described.Application.Organizations, channelconfig.Organization{MSP: o})
	}
	return described
}

// describe describes a new channel of the network. Its orderer belongs to the first organization.
func (cfg *NetworkConfig) describe(members []identity.Organization) channelconfig.Channel {
	described := describe(members)
	for i, o := range members {
		described.Application.Organizations[i].AnchorPeers = cfg.AnchorPeers[o.MSPID]
	}
	described.Orderer.Organizations = []channelconfig.Organization{{MSP: members[0], Endpoints: cfg.OrdererAddresses}}
	b := cfg.Batch
	described.Orderer.Batch = channelconfig.Batch{
		MaxMessageCount: limited(b.MaxMessageCount), AbsoluteMaxBytes: limited(b.AbsoluteMaxBytes), PreferredMaxBytes: limited(b.PreferredMaxBytes), Timeout: b.Timeout,
	}
	if b.Timeout == 0 { // each envelope has a block
		described.Orderer.Batch.MaxMessageCount = 1
	}
	return described
}

// limited returns a number as a configuration can have it.
func limited(n int) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) } //nolint:gosec // it fits
