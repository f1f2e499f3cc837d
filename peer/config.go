package peer

import (
	"context"
	"slices"
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/policies"
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

	says     *channelconfig.Channel // what is in Config
	policies sync.Map               // those that were asked for, by their paths
}

// configured keeps a channel's configuration, which is asked for again and again.
type configured struct {
	mu   sync.Mutex
	last *Configuration // nil if it was not read yet
	none bool           // says that it was read, and that there is none
	// changing says that a block is being committed that has one: which one is the last is up to the ledger then, from call to call.
	changing bool

	// expected are those that the network has ordered, or is going to. A peer that lags behind may yet have to judge an earlier one.
	expected []*pb.Config
}

// expect says which configuration may follow.
func (c *configured) expect(next *pb.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected = append(c.expected, next)
}

// accept reports whether a configuration is expected. Then those before it are not expected any more.
func (c *configured) accept(config *pb.Config) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.ContainsFunc(c.expected, func(e *pb.Config) bool { return proto.Equal(e, config) }) {
		return false
	}
	c.expected = slices.DeleteFunc(c.expected, func(e *pb.Config) bool { return e.GetSequence() < config.GetSequence() })
	return true
}

// change has the configuration read again: each time while a block is committed that has one, and once after it.
func (c *configured) change(changing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.none, c.changing = nil, false, changing
}

// Config returns the channel's configuration as of the last block that this peer has committed, or ErrNoConfig.
func (c *Channel) Config(ctx context.Context) (*Configuration, error) {
	c.configured.mu.Lock()
	defer c.configured.mu.Unlock()
	if c.configured.last != nil {
		return c.configured.last, nil
	}
	last, err := (*Configuration)(nil), ErrNoConfig
	if !c.configured.none {
		last, err = lastConfig(ctx, c.ledger)
	}
	if !c.configured.changing {
		c.configured.last, c.configured.none = last, errors.Is(err, ErrNoConfig)
	}
	return last, errors.WithMessagef(err, "read configuration of channel %s", c.cfg.ID)
}

// ConfigBlock returns the last block that has a configuration, or ErrNoConfig.
func (c *Channel) ConfigBlock(ctx context.Context) (*pb.Block, error) {
	last, err := c.Config(ctx)
	if err != nil {
		return nil, err
	}
	return last.Block, nil
}

// lastConfig reads a ledger's last configuration. It is found by the metadata of the last block. One that was refused is in the
// blocks, too: then it is the one before that.
func lastConfig(ctx context.Context, l *kvledger.Ledger) (*Configuration, error) {
	head, height, err := headOf(ctx, l)
	if err != nil {
		return nil, err
	}
	for end, at := height, head.LastConfig; at < end; {
		committed, err := l.Block(ctx, at)
		if err != nil {
			return nil, err
		}
		config, err := channelconfig.FromBlock(committed.Message())
		switch {
		case errors.Is(err, channelconfig.ErrNoConfig):
			return nil, ErrNoConfig
		case committed.Transactions[0].Code == kvledger.Valid:
			return newConfiguration(committed.Message(), config, err)
		case at == 0:
			return nil, ErrNoConfig
		}
		before, err := l.Block(ctx, at-1)
		if err != nil {
			return nil, err
		}
		end = at
		if at, err = block.LastConfig(before.Metadata); err != nil {
			return nil, err
		}
	}
	return nil, ErrNoConfig
}

// newConfiguration is of a block whose configuration was decoded, unless there is an error.
func newConfiguration(b *pb.Block, config *pb.Config, err error) (*Configuration, error) {
	if err != nil {
		return nil, err
	}
	says, err := channelconfig.Read(config)
	if err != nil {
		return nil, err
	}
	return &Configuration{Block: b, Config: config, says: says}, nil
}

// policyAt returns the policy that has a path, or nil.
func (c *Configuration) policyAt(path string) policies.Policy {
	if p, ok := c.policies.Load(path); ok {
		return p.(policies.Policy)
	}
	p, err := c.says.Policy(path)
	if err != nil {
		return nil
	}
	c.policies.Store(path, p)
	return p
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

// configure decides about a configuration that is ordered. It is the first one, in block 0, or one that the network has said will
// follow. Any other one nobody has decided on who may. It must be the next one after that of the blocks before: all peers know that
// alike, while the network may have gone on to say what follows after it.
func (c *Channel) configure(ctx context.Context, b *pb.Block, _ int, payload *pb.Payload) error {
	invalid := func(err error) error { return errors.Wrap(committer.ErrInvalidConfig, err.Error()) }
	if len(b.GetData().GetData()) != 1 {
		return invalid(errors.New("it doesn't stand alone in its block"))
	}
	config, err := channelconfig.Unmarshal(payload.GetData())
	if err == nil {
		_, err = channelconfig.Read(config)
	}
	if err != nil {
		return invalid(err)
	}
	if b.GetHeader().GetNumber() == 0 {
		return nil
	}
	now, err := c.Config(ctx)
	switch {
	case errors.Is(err, ErrNoConfig):
		return invalid(err)
	case err != nil:
		return err
	case config.GetSequence() != now.Config.GetSequence()+1:
		return invalid(errors.Errorf("its sequence is %d, after %d", config.GetSequence(), now.Config.GetSequence()))
	case !c.configured.accept(config):
		return invalid(errors.New("the channel has another one, and the network has not changed it"))
	}
	return nil
}

// begin gives a new channel its first block, the same on all peers. The orderer goes on behind it. If the process ends before all of
// them have committed it, the others copy it at the next start.
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
