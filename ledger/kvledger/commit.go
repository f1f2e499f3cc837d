package kvledger

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Block is what is committed at once: transactions, in the order in which they take effect.
type Block struct {
	Transactions []Transaction
}

// Transaction is a transaction that was simulated, here or by another peer.
type Transaction struct {
	// TxID must be unique on the channel: a second transaction with the same ID is invalid.
	TxID string
	// Timestamp is the one of the proposal. It is what the history says.
	Timestamp time.Time
	// RWSet is the public read/write set, a marshalled TxReadWriteSet. It is only read.
	RWSet []byte
	// PrivateRWSet is what is known of the private data that the transaction writes, a marshalled
	// TxPvtReadWriteSet; nil if it writes none, or nothing is known. It is only read. It decides nothing about the
	// transaction: a valid one's hashes are committed anyway. Of a collection that is not in it, or is not what
	// the public read/write set has the hashes of, no value is committed; GetPrivateData then says so.
	PrivateRWSet []byte
	// Code is why the caller has found the transaction to be invalid, such as EndorsementPolicyFailure. It is kept
	// with the transaction, which changes nothing. Zero, which is Valid, leaves it to the ledger.
	Code ValidationCode
}

// maxTxID is how many bytes a transaction's ID may have: Fabric's have 64.
const maxTxID = 1024

// Commit validates the transactions of a block and commits those that are valid: state, private data, history, indexes
// and the block itself, all at once. It returns a code for each transaction, in their order.
//
// A transaction is valid if nothing that it read has changed, neither by an earlier block nor by an earlier valid
// transaction of this one. Invalid transactions change nothing, but their IDs are used. An ID that was used decides first,
// then the caller's code. Read/write sets may come from anywhere: one that can't be decoded makes its transaction invalid,
// no more.
//
// After an error there are no codes. Nothing was committed, unless it was the store's Commit that failed in a way
// that leaves this open; the height then tells.
func (l *Ledger) Commit(ctx context.Context, b Block) ([]ValidationCode, error) {
	txs, decoder := make([]transaction, len(b.Transactions)), rwsetDecoder{l.keys}
	for i, tx := range b.Transactions {
		if tx.TxID == "" || !utf8.ValidString(tx.TxID) || len(tx.TxID) > maxTxID {
			return nil, errors.Errorf("transaction %d of the block has the ID %.100q, which must be UTF-8, not empty, and of up to %d bytes",
				i, tx.TxID, maxTxID)
		}
		txs[i] = decoder.decode(tx)
	}
	release, err := l.provider.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for {
		codes, err := l.tryCommit(ctx, txs)
		if !errors.Is(err, store.ErrHeadMoved) {
			return codes, err
		}
	}
}

// CommitTx commits one transaction as a block of its own. The code means nothing if there is an error.
func (l *Ledger) CommitTx(ctx context.Context, tx Transaction) (ValidationCode, error) {
	codes, err := l.Commit(ctx, Block{Transactions: []Transaction{tx}})
	if err != nil {
		return InvalidOtherReason, err
	}
	return codes[0], nil
}

// A block is validated without a lock on the store: at a snapshot, which is then the only state that the result is true of. The
// batch carries the snapshot's head, and the store applies it only if its head is still that one. If another process has
// committed meanwhile, nothing has happened, and the block is validated again on what is there now. Codes may then differ, so
// they are given to the caller only after the store has applied the batch.
//
// The lock is only between goroutines of one Provider. It saves them from validating for nothing: of several at once only one
// could be applied.

// tryCommit validates at a snapshot, and commits if that is still the store's head.
func (l *Ledger) tryCommit(ctx context.Context, txs []transaction) ([]ValidationCode, error) {
	v, err := l.validate(ctx, txs)
	if err != nil {
		return nil, err
	}
	writes, err := v.writes(txs)
	if err != nil {
		return nil, err
	}
	if err := l.provider.commit(ctx, v.committed.head, writes); err != nil {
		return nil, errors.Wrapf(err, "commit block %d", v.committed.block)
	}
	return v.codes, nil
}

// modifications returns the history entries of a valid transaction: one for each public key that it writes, deletes too, also
// if a later transaction of the block writes the key again. Metadata and private data have no history, as in Fabric.
func modifications(keys keyspace, tx transaction, at version) ([]store.Write, error) {
	var entries []store.Write
	for _, ns := range tx.namespaces {
		for _, w := range ns.writes {
			b, err := encodeModification(tx.TxID, tx.Timestamp, w)
			if err != nil {
				return nil, err
			}
			entries = append(entries, store.Write{Key: historyKey(keys.historyPrefix(ns.name, w.key), at), Value: b})
		}
	}
	return entries, nil
}
