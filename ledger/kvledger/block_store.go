package kvledger

import (
	"encoding/binary"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A block is kept as its header, with the metadata, and then in parts. Each part has as many transactions as are needed for
// partSize bytes, and stands under the position of its first one. So one transaction can be read without the whole block. A
// large block needs no value that an engine would refuse, and a small block takes few writes.
//
// partSize is how many bytes of transactions are kept under one key, at least.
const partSize = 256 << 10

// headerWrite returns what the store keeps of a block's header and metadata: a Block without data.
func headerWrite(keys keyspace, header *pb.BlockHeader, metadata [][]byte) (store.Write, error) {
	b, err := marshal(&pb.Block{Header: header, Metadata: &pb.BlockMetadata{Metadata: metadata}})
	if err != nil {
		return store.Write{}, errors.Wrap(err, "marshal header of block")
	}
	return store.Write{Key: keys.headerKey(header.GetNumber()), Value: b}, nil
}

func decodeHeader(b []byte, number uint64) (*CommittedBlock, error) {
	var m pb.Block
	if proto.Unmarshal(b, &m) != nil || m.GetHeader().GetNumber() != number {
		return nil, errDamagedBlock(number)
	}
	return &CommittedBlock{Number: number, Header: m.GetHeader(), Metadata: m.GetMetadata().GetMetadata()}, nil
}

// partWrites returns what the store keeps of a block's transactions.
func partWrites(keys keyspace, block uint64, txs []transaction, codes []ValidationCode) []store.Write {
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
	return appendBytes(b, tx.Envelope)
}

func appendBytes[T string | []byte](b []byte, data T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// decodePart appends the transactions of one part of a block to those of the parts before it. first is the version of the
// part's first transaction.
func decodePart(b []byte, first version, txs []CommittedTransaction) ([]CommittedTransaction, error) {
	for at := first; len(b) > 0; at.tx++ {
		d := decoder{b: b}
		tx := CommittedTransaction{TxID: string(d.bytes()), Version: Version{at.block, at.tx}}
		tx.Timestamp = time.Unix(d.varint(), d.varint()).UTC()
		tx.Code = ValidationCode(d.varint())
		tx.Envelope = d.bytes()
		if d.failed {
			return nil, errDamagedBlock(at.block)
		}
		tx.RWSet, _ = block.Results(tx.Envelope)
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
