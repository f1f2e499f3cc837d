package peer

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/ordering"
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
		if err := c.catchUp(ctx, furthest, deployed); err != nil {
			return head, 0, err
		}
	}
	if height == 0 {
		return head, 0, nil
	}
	last, err := furthest.ledger.Block(ctx, height-1)
	if err != nil {
		return head, 0, err
	}
	return ordering.Head{Header: last.Header}, height, nil
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
			err = c.copyBlock(ctx, b)
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

// copyBlock commits a block that another peer has committed.
func (c *Channel) copyBlock(ctx context.Context, b *kvledger.CommittedBlock) error {
	in := kvledger.Block{Header: b.Header, Metadata: b.Metadata}
	for _, tx := range b.Transactions {
		in.Transactions = append(in.Transactions, kvledger.Transaction{TxID: tx.TxID, Timestamp: tx.Timestamp, Envelope: tx.Envelope, RWSet: tx.RWSet, Code: tx.Code})
	}
	codes, err := c.ledger.Commit(ctx, in)
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
