package pebble

import (
	"encoding/binary"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

const (
	headTag, keyTag = 'h', 'k'

	headFormat = 1
	headSize   = 1 + 8 + 8
)

var headKey = []byte{headTag}

func encodeKey(key string) []byte {
	b := make([]byte, 0, 1+len(key))
	return append(append(b, keyTag), key...)
}

// encodeEnd returns the end of a range in the database; an empty one is after all keys.
func encodeEnd(hi string) []byte {
	if hi == "" {
		return []byte{keyTag + 1}
	}
	return encodeKey(hi)
}

func encodeHead(h store.Head) []byte {
	b := append(make([]byte, 0, headSize), headFormat)
	b = binary.BigEndian.AppendUint64(b, h.Blocks)
	return binary.BigEndian.AppendUint64(b, h.Epoch)
}

func decodeHead(b []byte) (store.Head, error) {
	switch {
	case len(b) == 0 || b[0] == headFormat && len(b) != headSize:
		return store.Head{}, errors.Wrapf(ErrDamaged, "head is % x", b)
	case b[0] != headFormat:
		return store.Head{}, errors.Wrapf(ErrFormat, "head is % x", b)
	}
	return store.Head{Blocks: binary.BigEndian.Uint64(b[1:]), Epoch: binary.BigEndian.Uint64(b[9:])}, nil
}
