package peer

import (
	"bytes"
	"context"
	"slices"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// level brings all peers to the height of the one that has come furthest, and returns where the channel goes on.
func level(ctx context.Context, opened []*Channel, deployed []*definition) (head ordering.Head, height uint64, err error) {
	furthest := opened[0]
	for _, c := range opened {
		h, err := c.ledger.Height(ctx)
		if err != nil {
			return head, 0, err
		}
		if h > height {
			furthest, height = c, h
		}
	}
	for _, c := range opened {
		if err := c.agree(ctx, furthest); err != nil {
			return head, 0, err
		}
		if err := c.catchUp(ctx, furthest, deployed); err != nil {
			return head, 0, err
		}
		if err := c.agree(ctx, furthest); err != nil {
			return head, 0, err
		}
	}
	return headOf(ctx, furthest.ledger)
}

// agree holds that a channel's blocks are the same as those of another peer. It looks at the last one. Its commit hash stands for the
// codes and writes of all blocks from 1 on. Block 0 has none, and is looked at, too. Peers that disagree would go on to judge the
// same transactions differently, and nobody would know.
func (c *Channel) agree(ctx context.Context, with *Channel) error {
	height, err := c.ledger.Height(ctx)
	if err != nil || height == 0 || c == with {
		return err
	}
	if err := agreeOn(ctx, 0, c, with); err != nil {
		return err
	}
	return agreeOn(ctx, height-1, c, with)
}

func agreeOn(ctx context.Context, number uint64, c, with *Channel) error {
	here, err := c.ledger.Block(ctx, number)
	if err != nil {
		return errors.WithMessage(err, c.peer.Name())
	}
	there, err := with.ledger.Block(ctx, number)
	if err != nil {
		return errors.WithMessage(err, with.peer.Name())
	}
	what := ""
	switch {
	case !proto.Equal(here.Header, there.Header):
		what = "are different blocks"
	case !bytes.Equal(slot(here, pb.BlockMetadataIndex_TRANSACTIONS_FILTER), slot(there, pb.BlockMetadataIndex_TRANSACTIONS_FILTER)):
		what = "have different validation codes"
	case !bytes.Equal(slot(here, pb.BlockMetadataIndex_COMMIT_HASH), slot(there, pb.BlockMetadataIndex_COMMIT_HASH)):
		what = "have different commit hashes, so their states differ"
	default:
		return nil
	}
	return errors.Errorf("block %d of %s and of %s %s: remove the store of the peer that is wrong, and it is copied from the others",
		number, c.peer.Name(), with.peer.Name(), what)
}

// slot returns a block's metadata, or nil.
func slot(b *kvledger.CommittedBlock, at pb.BlockMetadataIndex) []byte {
	if int(at) >= len(b.Metadata) {
		return nil
	}
	return b.Metadata[at]
}

// catchUp gives a channel the blocks that another peer of the network has and this one doesn't, with the codes that they have there.
// To judge them again would take the endorsement policies of then. Private data is not in blocks: this peer doesn't have it until it
// is written again.
func (c *Channel) catchUp(ctx context.Context, from *Channel, deployed []*definition) error {
	height, err := c.ledger.Height(ctx)
	if err != nil {
		return err
	}
	furthest, err := from.ledger.Height(ctx)
	if err != nil {
		return err
	}
	for first := true; height < furthest; height++ {
		if err := c.defineAt(ctx, height, deployed, first); err != nil {
			return err
		}
		first = false
		b, err := from.ledger.Block(ctx, height)
		if err == nil {
			err = copyBlock(ctx, c.ledger, b)
		}
		if err != nil {
			return errors.WithMessagef(err, "copy block %d from %s to %s", height, from.peer.Name(), c.peer.Name())
		}
	}
	return nil
}

// defineAt gives the ledger the definitions that a block was committed with, unless it has had them for the block before.
func (c *Channel) defineAt(ctx context.Context, height uint64, deployed []*definition, first bool) error {
	for _, d := range deployed {
		for _, s := range slices.Backward(d.ledger) {
			if s.Height > height {
				continue
			}
			if first || s.Height == height {
				if err := c.ledger.Define(ctx, d.Name, s.definition()); err != nil {
					return errors.WithMessage(err, c.peer.Name())
				}
			}
			break
		}
	}
	return nil
}

// copyBlock commits to a ledger a block that another peer has committed.
func copyBlock(ctx context.Context, to *kvledger.Ledger, b *kvledger.CommittedBlock) error {
	in := kvledger.Block{Header: b.Header, Metadata: b.Metadata}
	for _, tx := range b.Transactions {
		in.Transactions = append(in.Transactions, kvledger.Transaction{TxID: tx.TxID, Timestamp: tx.Timestamp, Envelope: tx.Envelope, RWSet: tx.RWSet, Code: tx.Code})
	}
	codes, err := to.Commit(ctx, in)
	if err != nil {
		return err
	}
	for i, tx := range b.Transactions {
		if codes[i] != tx.Code {
			return errors.Errorf("transaction %d is %s here, and %s there: the states differ", i, codes[i], tx.Code)
		}
	}
	return nil
}
