package kvledger

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// version says which transaction wrote a value: the block, and the position in the block, in which all transactions count.
type version struct{ block, tx uint64 }

// readVersion is what a read records: a version, or that the key is absent.
type readVersion struct {
	version
	present bool
}

func (v readVersion) proto() *pb.Version {
	if !v.present {
		return nil
	}
	return &pb.Version{BlockNum: v.block, TxNum: v.tx}
}

// String returns what Fabric prints for a version (core/ledger/internal/version, Height).
func (v readVersion) String() string {
	if !v.present {
		return "<nil>"
	}
	return fmt.Sprintf("{BlockNum: %d, TxNum: %d}", v.block, v.tx)
}

func versionOf(v *pb.Version) readVersion {
	if v == nil {
		return readVersion{}
	}
	return readVersion{version{v.BlockNum, v.TxNum}, true}
}

// encodeValue returns what the store holds for a key: the version, then the value.
func encodeValue(v version, value []byte) []byte {
	b := make([]byte, 0, 2*binary.MaxVarintLen64+len(value))
	b = binary.AppendUvarint(b, v.block)
	b = binary.AppendUvarint(b, v.tx)
	return append(b, value...)
}

// versionPart returns as much of an encoded value as its version may need. What is large is copied, so that the value itself
// is not kept.
func versionPart(b []byte) []byte {
	const small = 256
	if len(b) <= small {
		return b
	}
	return bytes.Clone(b[:2*binary.MaxVarintLen64])
}

// decodeValue decodes what encodeValue has encoded. Nil bytes are an absent key. The value is a part of b.
func decodeValue(b []byte) (readVersion, []byte, error) {
	if b == nil {
		return readVersion{}, nil, nil
	}
	block, b, ok1 := cutUvarint(b)
	tx, b, ok2 := cutUvarint(b)
	if !ok1 || !ok2 {
		return readVersion{}, nil, errors.New("the store holds a value without a version: it is damaged, or not this ledger's")
	}
	return readVersion{version{block, tx}, true}, b, nil
}

func cutUvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:len(b):len(b)], true
}

// encodeTxID returns what the store holds for a transaction's ID.
func encodeTxID(v version, code ValidationCode) []byte {
	b := binary.AppendUvarint(nil, v.block)
	b = binary.AppendUvarint(b, v.tx)
	return binary.AppendUvarint(b, uint64(code))
}
