package peer

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// catchUp gives a channel the blocks that another peer of the network has and this one doesn't, with the codes that they have there.
// To judge them again would take the definitions of then. Private data is not in blocks: this peer doesn't have it until it is
// written again.
func (c *Channel) catchUp(ctx context.Context, from *Channel) error {
	height, err := c.ledger.Height(ctx)
	if err != nil {
		return err
	}
	furthest, err := from.ledger.Height(ctx)
	if err != nil {
		return err
	}
	for ; height < furthest; height++ {
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
