package deliver

import (
	"context"

	"github.com/ccpeer/ccpeer/peer/acl"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Ledger is a channel's blocks. It is safe for concurrent use.
type Ledger interface {
	// Height returns the number of blocks that are committed.
	Height(ctx context.Context) (uint64, error)
	// Block returns a block, which must not be modified any more. If it isn't committed yet, Block waits until it is, or until ctx
	// ends. One call at a time waits for each block, whatever the number of subscribers. An error ends the streams that want the
	// block.
	Block(ctx context.Context, number uint64) (*pb.Block, error)
}

// PrivateData is what a peer has of the private data in a channel's blocks. It is safe for concurrent use.
type PrivateData interface {
	// PrivateData returns the private data that the transactions of a block have written, by their positions. What this peer
	// doesn't have is left out. The sets are only read.
	PrivateData(ctx context.Context, block uint64) (map[uint64]*pb.TxPvtReadWriteSet, error)
	// MayRead reports whether a client may have a collection's data, as the collection was defined at that block. The ACL has let the
	// client have the block. An error ends the client's stream with the error's text.
	MayRead(ctx context.Context, c Collection, client acl.Request) (bool, error)
}

// Collection is a chaincode's collection at a block.
type Collection struct {
	// Block is the number of the block that has the data.
	Block uint64
	// Namespace is the chaincode's name, and Name the collection's.
	Namespace, Name string
}

// Channel is what a Server must know of a channel. It must not be copied after its first use.
type Channel struct {
	// Ledger has the blocks. Required.
	Ledger Ledger
	// Sequence returns the number of the channel's configuration, which rises whenever that changes. Nil: it never changes.
	Sequence func() uint64
	// PrivateData has the private data. Nil: there is none.
	PrivateData PrivateData
	// Errored returns a channel that is closed while the source of the blocks fails, as that of an ordering service without a
	// leader. Clients then get SERVICE_UNAVAILABLE, unless they want BEST_EFFORT. Nil: it never fails.
	Errored func() <-chan struct{}
	// Reached returns the height that the channel has reached, or is about to, without asking the ledger: see Config.Channels. Nil: it
	// isn't known.
	Reached func() uint64
	// CacheBytes is how many bytes of blocks are kept for subscribers who come later. Zero: 32 MiB. Negative: none.
	CacheBytes int64

	blocks blocks
}

const defaultCacheBytes = 32 << 20

func (c *Channel) sequence() uint64 {
	if c.Sequence == nil {
		return 0
	}
	return c.Sequence()
}

func (c *Channel) errored() <-chan struct{} {
	if c.Errored == nil {
		return nil
	}
	return c.Errored()
}
