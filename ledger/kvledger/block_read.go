package kvledger

import (
	"context"
	"encoding/binary"
	"math"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Info is how far a ledger has come.
type Info struct {
	// Height is the number of blocks that are committed. The first block has number 0.
	Height uint64
	// CurrentBlockHash is the hash of the last block's header, and PreviousBlockHash that of the block before. They are nil if
	// there is no such block. They must not be modified.
	CurrentBlockHash, PreviousBlockHash []byte
}

// Info returns how far the ledger has come.
func (l *Ledger) Info(ctx context.Context) (*Info, error) {
	t, err := l.tip(ctx)
	if err != nil {
		return nil, err
	}
	return &Info{Height: t.height, CurrentBlockHash: t.hash, PreviousBlockHash: t.previousHash}, nil
}

// Block returns a committed block, or ErrNotFound.
func (l *Ledger) Block(ctx context.Context, number uint64) (*CommittedBlock, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	b, err := l.readBlock(ctx, snapshot, number)
	return b, errors.WithMessagef(err, "read block %d", number)
}

// BlockByHash returns the block whose header has a hash, or ErrNotFound.
func (l *Ledger) BlockByHash(ctx context.Context, hash []byte) (*CommittedBlock, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	number, err := snapshot.Get(ctx, l.keys.blockHashKey(hash))
	switch {
	case err != nil:
		return nil, errors.Wrapf(err, "read block with the hash %x", shown(string(hash)))
	case number == nil:
		return nil, errors.Wrapf(ErrNotFound, "read block with the hash %x", shown(string(hash)))
	case len(number) != 8:
		return nil, errors.Errorf("the store holds the number of a block damaged (% x), or not this ledger's", number)
	}
	b, err := l.readBlock(ctx, snapshot, binary.BigEndian.Uint64(number))
	return b, errors.WithMessagef(err, "read block with the hash %x", shown(string(hash)))
}

// BlockByTxID returns the block that a transaction is in, or ErrNotFound. If several have the same ID, it is the block of the
// first one.
func (l *Ledger) BlockByTxID(ctx context.Context, txID string) (*CommittedBlock, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	at, err := l.find(ctx, snapshot, txID)
	if err != nil {
		return nil, err
	}
	b, err := l.readBlock(ctx, snapshot, at.block)
	return b, errors.WithMessagef(err, "read block of transaction %q", shown(txID))
}

// Transaction returns a committed transaction, or ErrNotFound. If several have the same ID, it returns the first one.
func (l *Ledger) Transaction(ctx context.Context, txID string) (*CommittedTransaction, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	at, err := l.find(ctx, snapshot, txID)
	if err != nil {
		return nil, err
	}
	parts := snapshot.Scan(l.keys.blockKey(at.block, 0), l.keys.blockKey(at.block, at.tx)+"\x00", store.ScanOptions{Reverse: true, Fetch: 1})
	defer parts.Close()
	storeKey, part, ok, err := parts.Next(ctx)
	if err != nil {
		return nil, errors.Wrapf(err, "read block %d", at.block)
	}
	if !ok {
		return nil, errDamagedBlock(at.block)
	}
	first := binary.BigEndian.Uint64([]byte(storeKey[len(storeKey)-8:]))
	txs, err := decodePart(part, version{at.block, first}, make([]CommittedTransaction, 0, 1))
	if err != nil {
		return nil, err
	}
	if at.tx-first >= uint64(len(txs)) || txs[at.tx-first].TxID != txID {
		return nil, errDamagedBlock(at.block)
	}
	tx := txs[at.tx-first]
	return &tx, nil
}

// TransactionCode returns where a committed transaction is, and its code, or ErrNotFound. If several have the same ID, it is the
// first one's. It doesn't read the transaction, which may be large.
func (l *Ledger) TransactionCode(ctx context.Context, txID string) (Version, ValidationCode, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return Version{}, 0, err
	}
	defer snapshot.Close()
	at, code, err := l.findCode(ctx, snapshot, txID)
	return Version{at.block, at.tx}, code, err
}

// find returns where the first transaction with an ID is.
func (l *Ledger) find(ctx context.Context, snapshot store.Snapshot, txID string) (version, error) {
	at, _, err := l.findCode(ctx, snapshot, txID)
	return at, err
}

func (l *Ledger) findCode(ctx context.Context, snapshot store.Snapshot, txID string) (version, ValidationCode, error) {
	b, err := snapshot.Get(ctx, l.keys.txIDKey(txID))
	if err == nil && b == nil { // as for every new transaction: the error has no stack of its own, which would take longer than the rest
		return version{}, 0, errors.WithMessagef(ErrNotFound, "read transaction %q", shown(txID))
	}
	if err != nil {
		return version{}, 0, errors.Wrapf(err, "read transaction %q", shown(txID))
	}
	at, rest, err := decodeValue(b) // the code comes after the version, where a value would be
	code, _, ok := cutUvarint(rest)
	if err == nil && (!ok || code > math.MaxUint8) {
		err = errors.New("the store holds a transaction without a code: it is damaged, or not this ledger's")
	}
	return at.version, ValidationCode(code), errors.WithMessagef(err, "read transaction %q", shown(txID))
}

// readBlock reads a block: first its header, then its parts.
func (l *Ledger) readBlock(ctx context.Context, snapshot store.Snapshot, number uint64) (*CommittedBlock, error) {
	it := snapshot.Scan(l.keys.headerKey(number), l.keys.blockKey(number, math.MaxUint64)+"\x00", store.ScanOptions{})
	defer it.Close()
	_, header, ok, err := it.Next(ctx)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, ErrNotFound
	}
	b, err := decodeHeader(header, number)
	if err != nil {
		return nil, err
	}
	for {
		_, part, ok, err := it.Next(ctx)
		if !ok || err != nil {
			return b, err
		}
		if b.Transactions, err = decodePart(part, version{number, uint64(len(b.Transactions))}, b.Transactions); err != nil {
			return nil, err
		}
	}
}
