package kvledger

import (
	"context"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/portions"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Block is what is committed at once: transactions, in the order in which they take effect.
type Block struct {
	// Header is the header that an ordering service has made. It must continue this ledger: an error says whether its number,
	// its previous hash or its data hash is wrong. If it is nil, the ledger makes one. It is only read.
	Header *pb.BlockHeader
	// Metadata are the ordering service's slots, by pb.BlockMetadataIndex. They are kept as they are, except
	// TRANSACTIONS_FILTER and COMMIT_HASH, which are the ledger's. It may be nil. It is only read.
	Metadata     [][]byte
	Transactions []Transaction
}

// Transaction is a transaction that was simulated, here or by another peer.
type Transaction struct {
	// TxID must be unique on the channel: a second transaction with the same ID is invalid. It is UTF-8 of up to 1,024 bytes.
	//
	// An envelope that can't be decoded has no ID, and that of a config transaction need not have one. So if Envelope is there,
	// and the caller's Code is not Valid or the envelope is a config transaction, TxID may be empty. The transaction is then
	// not found by its ID. If Code is not Valid, the same goes for an ID that breaks the rules.
	TxID string
	// Timestamp is the timestamp of the proposal. The history shows it.
	Timestamp time.Time
	// Envelope is the marshalled Envelope, as it stands in the block. The block's data hash covers it, and it is kept. If it is
	// nil, the ledger makes one that nobody has signed: see block.NewUnsigned. It is only read.
	Envelope []byte
	// RWSet is the public read/write set, a marshalled TxReadWriteSet. It is only read.
	//
	// It is kept as a part of the envelope. So leave it nil if Envelope is there, and it is taken from the envelope. If both
	// are there and differ, Commit returns an error. A config transaction has none: it is valid, and changes nothing.
	RWSet []byte
	// PrivateRWSet is what is known of the private data that the transaction writes: a marshalled TxPvtReadWriteSet. It is
	// nil if the transaction writes none, or if nothing is known. It is only read.
	//
	// It decides nothing about the transaction: the hashes of a valid one are committed anyway. A collection's values are
	// committed only if they are here and fit the hashes in the public read/write set. Otherwise GetPrivateData says that
	// the value is missing.
	PrivateRWSet []byte
	// Code is why the caller has found the transaction to be invalid, such as EndorsementPolicyFailure. It is kept with the
	// transaction, which then changes nothing. Zero, which is Valid, leaves the decision to the ledger.
	Code ValidationCode
}

// Commit validates the transactions of a block, and commits those that are valid: state, private data, history, indexes and
// the block itself, all at once. It returns a code for each transaction, in their order.
//
// A transaction is valid if nothing that it read has changed: neither by an earlier block, nor by an earlier valid
// transaction of this one. The caller's code decides first, and then the transaction's ID: one that an earlier block has is
// used up, even by an invalid transaction, and so is one that stands before in this block, unless the caller has found that
// transaction invalid. Read/write sets may come from anywhere. A set that can't be decoded makes its transaction invalid, and
// does no other harm.
//
// After an error there are no codes, and nothing was committed. There is one exception: the store's Commit may fail in a way
// that leaves this open. The height then tells.
func (l *Ledger) Commit(ctx context.Context, b Block) ([]ValidationCode, error) {
	in, err := l.receive(ctx, b)
	if err != nil {
		return nil, err
	}
	release, err := l.provider.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for {
		codes, err := l.tryCommit(ctx, in)
		if !errors.Is(err, store.ErrHeadMoved) {
			return codes, err
		}
	}
}

// CommitTx commits one transaction as a block of its own. If there is an error, the code means nothing.
func (l *Ledger) CommitTx(ctx context.Context, tx Transaction) (ValidationCode, error) {
	codes, err := l.Commit(ctx, Block{Transactions: []Transaction{tx}})
	if err != nil {
		return InvalidOtherReason, err
	}
	return codes[0], nil
}

// A block is validated without a lock on the store. It is validated at a snapshot, and the result is true of that state
// alone. So the batch carries the snapshot's head, and the store applies it only if its head is still that one. If another
// process has committed meanwhile, nothing has happened, and the block is validated again on what is there now. Codes may
// then differ, so the caller gets them only after the store has applied the batch.
//
// There is a lock, but only between goroutines of one Provider. It saves them from validating in vain, since of several at
// once only one could be applied.

// tryCommit validates at a snapshot, and commits if that is still the store's head.
func (l *Ledger) tryCommit(ctx context.Context, in *incoming) ([]ValidationCode, error) {
	v, err := l.validate(ctx, in)
	if err != nil {
		return nil, err
	}
	link, err := in.link(v)
	if err != nil {
		return nil, err
	}
	writes, err := v.writes(ctx, in.txs, link)
	if err != nil {
		return nil, err
	}
	codes, head, block := v.codes, v.committed.head, v.committed.block // what was read to validate isn't needed meanwhile
	if err := l.provider.commit(ctx, head, writes); err != nil {
		return nil, errors.Wrapf(err, "commit block %d", block)
	}
	l.provider.tips.committed(l.keys.channelID, link.tip)
	return codes, nil
}

// modifications returns the history entries of a valid transaction. There is one for each public key that it writes or
// deletes, even if a later transaction of the block writes the key again. Metadata and private data have no history, as in
// Fabric.
func modifications(ctx context.Context, keys keyspace, tx transaction, at version) ([]store.Write, error) {
	var entries []store.Write
	for _, ns := range tx.namespaces {
		for i, w := range ns.writes {
			if err := portions.Look(ctx, i); err != nil {
				return nil, err
			}
			b, err := encodeModification(tx.TxID, tx.Timestamp, w)
			if err != nil {
				return nil, err
			}
			entries = append(entries, store.Write{Key: historyKey(keys.historyPrefix(ns.name, w.key), at), Value: b})
		}
	}
	return entries, nil
}
