package kvledger

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// ErrNotFound is returned for a block or a transaction that is not committed.
var ErrNotFound = errors.New("it is not committed on this channel")

// CommittedBlock is a block as it was committed.
type CommittedBlock struct {
	// Number is the block's number. The first block has number 0.
	Number uint64
	// Transactions are all transactions of the block, valid or not, in its order.
	Transactions []CommittedTransaction
}

// CommittedTransaction is a transaction that was committed. That doesn't mean that it was valid.
type CommittedTransaction struct {
	TxID      string
	Timestamp time.Time
	// Version says where the transaction is. What it wrote has this version.
	Version Version
	// Code says whether it is valid, or why not.
	Code ValidationCode
	// RWSet is the public read/write set as it was committed. In a transaction with the code BadRWSet it is any bytes.
	RWSet []byte
}

// Version says where on its channel a transaction is. What the transaction wrote has this version.
type Version struct {
	// Block is the block's number. Tx is the transaction's position in the block, from 0, and invalid transactions count.
	Block, Tx uint64
}

// Block returns a committed block, or ErrNotFound. The caller must not modify the read/write sets.
func (l *Ledger) Block(ctx context.Context, number uint64) (*CommittedBlock, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	parts := snapshot.Scan(l.keys.blockKey(number, 0), l.keys.blockKey(number, math.MaxUint64)+"\x00", store.ScanOptions{})
	defer parts.Close()
	b := &CommittedBlock{Number: number}
	for found := false; ; found = true {
		_, part, ok, err := parts.Next(ctx)
		switch {
		case err != nil:
			return nil, errors.Wrapf(err, "read block %d", number)
		case !ok && !found:
			return nil, errors.Wrapf(ErrNotFound, "read block %d", number)
		case !ok:
			return b, nil
		}
		if b.Transactions, err = decodePart(part, number, b.Transactions); err != nil {
			return nil, err
		}
	}
}

// Transaction returns a committed transaction, or ErrNotFound. If several have the same ID, it returns the first one, which
// alone can be valid. The caller must not modify the read/write set.
func (l *Ledger) Transaction(ctx context.Context, txID string) (*CommittedTransaction, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	b, err := snapshot.Get(ctx, l.keys.txIDKey(txID))
	if err != nil {
		return nil, errors.Wrapf(err, "read transaction %q", shown(txID))
	}
	if b == nil {
		return nil, errors.Wrapf(ErrNotFound, "read transaction %q", shown(txID))
	}
	at, _, err := decodeValue(b) // the code comes after the version, where a value would be
	if err != nil {
		return nil, errors.Wrapf(err, "read transaction %q", shown(txID))
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
	txs, err := decodePart(part, at.block, make([]CommittedTransaction, 0, 1))
	if err != nil {
		return nil, err
	}
	if at.tx-first >= uint64(len(txs)) || txs[at.tx-first].TxID != txID {
		return nil, errDamagedBlock(at.block)
	}
	tx := txs[at.tx-first]
	tx.Version = Version{at.block, at.tx}
	return &tx, nil
}

// A block is kept in parts. Each part has as many transactions as are needed for partSize bytes, and stands under the
// position of its first one. So one transaction can be read without the whole block. A large block needs no value that an
// engine would refuse, and a small block still takes a single write.
//
// partSize is how many bytes of transactions are kept under one key, at least.
const partSize = 256 << 10

// blockWrites returns what the store keeps of the block itself.
func blockWrites(keys keyspace, block uint64, txs []transaction, codes []ValidationCode) []store.Write {
	var writes []store.Write
	part := []byte{}
	first := 0
	for i, tx := range txs {
		if len(part) >= partSize {
			writes = append(writes, store.Write{Key: keys.blockKey(block, uint64(first)), Value: part})
			part, first = []byte{}, i
		}
		part = appendTransaction(part, tx, codes[i])
	}
	return append(writes, store.Write{Key: keys.blockKey(block, uint64(first)), Value: part})
}

func appendTransaction(b []byte, tx transaction, code ValidationCode) []byte {
	b = appendBytes(b, tx.TxID)
	b = binary.AppendVarint(b, tx.Timestamp.Unix())
	b = binary.AppendVarint(b, int64(tx.Timestamp.Nanosecond()))
	b = binary.AppendVarint(b, int64(code))
	return appendBytes(b, tx.RWSet)
}

func appendBytes[T string | []byte](b []byte, data T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// decodePart appends the transactions of one part of a block to those of the parts before it.
func decodePart(b []byte, block uint64, txs []CommittedTransaction) ([]CommittedTransaction, error) {
	for len(b) > 0 {
		d := decoder{b: b}
		tx := CommittedTransaction{TxID: string(d.bytes()), Version: Version{block, uint64(len(txs))}}
		tx.Timestamp = time.Unix(d.varint(), d.varint()).UTC()
		tx.Code = ValidationCode(d.varint())
		tx.RWSet = d.bytes()
		if d.failed {
			return nil, errDamagedBlock(block)
		}
		txs, b = append(txs, tx), d.b
	}
	return txs, nil
}

func errDamagedBlock(number uint64) error {
	return errors.Errorf("the store holds block %d damaged, or not this ledger's", number)
}

// decoder reads what appendTransaction writes. After an error it yields nothing.
type decoder struct {
	b      []byte
	failed bool
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 || d.failed {
		d.failed = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes() []byte {
	size, b, ok := cutUvarint(d.b)
	if !ok || d.failed || size > uint64(len(b)) {
		d.failed = true
		return nil
	}
	d.b = b[size:]
	return b[:size:size]
}
