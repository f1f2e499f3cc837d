package committer

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// checkBlock checks what isn't about transactions. Whether the block follows the one before is for the ledger to say.
func (c *Committer) checkBlock(ctx context.Context, b *pb.Block) error {
	if b.GetHeader() == nil {
		return errors.New("block has no header")
	}
	if c.cfg.VerifyBlock != nil {
		if err := c.cfg.VerifyBlock(ctx, b); err != nil {
			return errors.WithMessage(err, "verify block")
		}
	}
	height, err := c.cfg.Ledger.Height(ctx)
	if err != nil {
		return err
	}
	if number := b.GetHeader().GetNumber(); number != height {
		return errors.Errorf("block has number %d, want %d", number, height)
	}
	if want := block.DataHash(b.GetData()); !bytes.Equal(b.GetHeader().GetDataHash(), want) {
		return errors.Errorf("block has the data hash %x, but its data have %x", b.GetHeader().GetDataHash(), want)
	}
	return nil
}

// validation is a block whose envelopes are checked.
//
// It goes in two passes. The first one is what costs: signatures are checked, and it is read what the ledger has of the IDs and of the
// keys that are written. It looks at each envelope alone, so many are looked at at the same time. The second one is in the block's
// order, since what a transaction may do depends on those before it. It neither waits nor computes much.
type validation struct {
	committer   *Committer
	of          *pb.Block
	definitions definitions
	txs         []*transaction

	changed map[keyID]bool  // keys whose metadata the transactions so far would change
	used    map[string]bool // IDs of those so far that have no code
}

// transaction is what became of an envelope.
type transaction struct {
	envelope
	refusal *Refusal // nil: none so far
	known   bool     // says that its ID is used up by an earlier block
	// namespaces are those that need endorsements, and signers are the endorsers. A transaction that is refused has none, and
	// one that changes the channel's configuration has none either.
	namespaces []*namespace
	signers    signers
}

func (c *Committer) newValidation(b *pb.Block) *validation {
	return &validation{
		committer: c, of: b, definitions: definitions{from: c.cfg.Definitions}, txs: make([]*transaction, len(b.GetData().GetData())),
		changed: map[keyID]bool{}, used: map[string]bool{},
	}
}

// checkAll is the first pass. If there are several errors, it returns any of them.
func (v *validation) checkAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(v.committer.cfg.Workers, len(v.txs)) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(v.txs) {
					return
				}
				tx := &transaction{}
				err := v.check(ctx, tx, v.of.GetData().GetData()[i])
				if v.txs[i] = tx; tx.accept(err) != nil {
					cancel(errors.WithMessagef(err, "check transaction %d", i))
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// accept takes what came of a check. A Refusal becomes the transaction's. It returns every other error.
func (tx *transaction) accept(err error) error {
	if r := (*Refusal)(nil); errors.As(err, &r) {
		tx.refusal = r
		return nil
	}
	return err
}

// check looks at an envelope alone. Its error is a Refusal, or says what keeps it from being looked at.
func (v *validation) check(ctx context.Context, tx *transaction, entry []byte) error {
	if err := tx.open(ctx, entry); err != nil {
		return err
	}
	if genesis := v.of.GetHeader().GetNumber() == 0 && tx.isConfig(); !genesis { // everything else follows from that
		if err := tx.authenticate(v.committer.cfg.Verifier); err != nil {
			return err
		}
	}
	if err := tx.checkContents(ctx); err != nil {
		return err
	}
	if id := tx.channel.GetChannelId(); id != v.committer.cfg.ChannelID {
		return refuse(kvledger.TargetChainNotFound, "it is of channel %.64q", id)
	}
	var err error
	if tx.known, err = v.isKnown(ctx, tx.channel.GetTxId()); err != nil || tx.isConfig() {
		return err
	}
	if tx.known {
		return refuse(kvledger.DuplicateTxID, "a transaction with its ID is committed")
	}
	if err := tx.openAction(ctx); err != nil {
		return err
	}
	if tx.namespaces, err = tx.written(ctx); err != nil {
		return err
	}
	if err := v.prepare(ctx, tx.namespaces); err != nil {
		return err
	}
	tx.signers, err = tx.endorsers(ctx, v.committer.cfg.Verifier)
	return err
}

// isKnown reports whether an ID is used up by an earlier block.
func (v *validation) isKnown(ctx context.Context, txID string) (bool, error) {
	if txID == "" || len(txID) > maxTxID {
		return false, nil
	}
	switch _, _, err := v.committer.cfg.Ledger.TransactionCode(ctx, txID); {
	case err == nil:
		return true, nil
	case !errors.Is(err, kvledger.ErrNotFound):
		return false, err
	}
	return false, nil
}

// judgeAll is the second pass.
func (v *validation) judgeAll(ctx context.Context) error {
	for i, tx := range v.txs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if tx.refusal == nil {
			if err := tx.accept(v.judge(ctx, i, tx)); err != nil {
				return errors.WithMessagef(err, "judge transaction %d", i)
			}
		}
	}
	return nil
}

// judge decides about a transaction that is good as far as it was looked at alone, and as far as the ledger doesn't decide.
func (v *validation) judge(ctx context.Context, i int, tx *transaction) error {
	if tx.isConfig() {
		return v.configure(ctx, i, &tx.payload)
	}
	if err := v.endorsed(ctx, tx); err != nil {
		return err
	}
	id := tx.channel.GetTxId()
	if v.used[id] {
		return refuse(kvledger.DuplicateTxID, "a transaction before it in the block has its ID")
	}
	v.used[id] = true
	return nil
}
