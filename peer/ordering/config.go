package ordering

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Config says how an Orderer works. The zero Config is good for tests: everything that isn't committed stays in memory, and
// blocks aren't signed.
type Config struct {
	// Past returns a block that peers have committed, and that is not in memory any more. It may be called concurrently. An
	// error ends the reader that needs the block. Nil: readers find only the blocks that are in memory, and a slow one holds up
	// Broadcast for as long as it takes.
	Past func(ctx context.Context, channelID string, number uint64) (*pb.Block, error)
	// Signer signs blocks, as peers that don't trust the orderer's connection want it. If it fails, its channel ends, as
	// Fabric's orderer does. Nil: blocks have no signatures.
	Signer identity.Signer
	// MaxWaitingBytes is the room that each channel has: see the package's comment. Envelopes and blocks count with some bytes
	// more than they have. Zero: 64 MiB.
	MaxWaitingBytes int64
	// Patience is how long Broadcast waits for a slow reader, before that reader is left behind. Zero: 10 s.
	Patience time.Duration
	// Logger gets what clients are not told. Nil: nothing is logged.
	Logger *zap.Logger
}

const (
	defaultMaxWaitingBytes = 64 << 20
	defaultPatience        = 10 * time.Second
)

func (c *Config) complete() error {
	switch {
	case c.MaxWaitingBytes < 0:
		return errors.Errorf("Config.MaxWaitingBytes is %d, want a positive number, or 0 for %d", c.MaxWaitingBytes, defaultMaxWaitingBytes)
	case c.Patience < 0:
		return errors.Errorf("Config.Patience is %s, want a positive one, or 0 for %s", c.Patience, defaultPatience)
	}
	if c.MaxWaitingBytes == 0 {
		c.MaxWaitingBytes = defaultMaxWaitingBytes
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	c.Logger = c.Logger.Named("orderer")
	return nil
}

// Channel is what an Orderer must know of a channel.
type Channel struct {
	// ID is the channel's ID. Required.
	ID string
	// Head is where the channel goes on. The zero Head is that of a channel without blocks.
	Head Head
	// Batch says when a block is cut.
	Batch Batch
	// Verifier knows the members of the channel's organizations. Nil: creators and signatures are not checked. Peers check
	// them again.
	Verifier *identity.Verifier
	// Writers is the policy that the creator of an envelope must fulfil (Fabric: /Channel/Writers). Nil: every member may
	// broadcast. Without a Verifier it must be nil.
	Writers policies.Policy
}

// Head is the end of a chain of blocks, as a peer's ledger has it.
type Head struct {
	// Header is the last block's. Nil: the next block is the first one.
	Header *pb.BlockHeader
	// LastConfig is the number of the last block with a configuration.
	LastConfig uint64
}

// Batch says when a block is cut (Fabric: BatchSize and BatchTimeout of a channel's configuration). The size of an envelope
// is that of its payload and its signature, in bytes, and of fields that nobody knows.
type Batch struct {
	// MaxMessageCount is how many envelopes a block has at most. Zero: 500.
	MaxMessageCount int
	// PreferredMaxBytes is how large the envelopes of a block are together. An envelope that is larger is in a block of its own.
	// Zero: 2 MiB.
	PreferredMaxBytes int
	// AbsoluteMaxBytes is how large an envelope may be. A larger one is refused. Zero: 10 MiB.
	AbsoluteMaxBytes int
	// Timeout is how long the first envelope of a block waits for others. Zero: it doesn't, and each block has one envelope.
	Timeout time.Duration
}

// Fabric's, in configtx.yaml.
const (
	defaultMaxMessageCount   = 500
	defaultPreferredMaxBytes = 2 << 20
	defaultAbsoluteMaxBytes  = 10 << 20
)

// complete checks a channel and sets what is left to us.
func (c *Channel) complete(maxWaitingBytes int64) error {
	b := &c.Batch
	switch {
	case c.ID == "":
		return errors.New("Channel.ID is empty")
	case c.Verifier == nil && c.Writers != nil:
		return errors.New("Channel.Writers is given without a Verifier")
	case b.MaxMessageCount < 0, b.PreferredMaxBytes < 0, b.AbsoluteMaxBytes < 0, b.Timeout < 0:
		return errors.Errorf("Channel.Batch is %+v, want nothing negative", *b)
	}
	if b.MaxMessageCount == 0 {
		b.MaxMessageCount = defaultMaxMessageCount
	}
	if b.AbsoluteMaxBytes == 0 {
		b.AbsoluteMaxBytes = max(defaultAbsoluteMaxBytes, b.PreferredMaxBytes)
	}
	if b.PreferredMaxBytes == 0 {
		b.PreferredMaxBytes = min(defaultPreferredMaxBytes, b.AbsoluteMaxBytes)
	}
	switch {
	case b.PreferredMaxBytes > b.AbsoluteMaxBytes:
		return errors.Errorf("Batch.PreferredMaxBytes is %d, want at most AbsoluteMaxBytes, %d", b.PreferredMaxBytes, b.AbsoluteMaxBytes)
	case int64(b.AbsoluteMaxBytes) > maxWaitingBytes:
		return errors.Errorf("Batch.AbsoluteMaxBytes is %d, want at most Config.MaxWaitingBytes, %d", b.AbsoluteMaxBytes, maxWaitingBytes)
	}
	return nil
}
