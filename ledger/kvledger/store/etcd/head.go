package etcd

import (
	"encoding/binary"
	"strings"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

const (
	// magic and format begin the head's record.
	magic  = "ccpeer-kv"
	format = 1
)

// layout is where a store's pairs are. No store's keys are among those of another one, since prefixes have no zero byte.
type layout struct {
	prefix   string // of all keys of the store
	head     string // the key of the head's record
	lo, hi   string // the pairs are in [lo, hi)
	prefixHi string // after all that begins with the prefix; "\x00", which stands for the end, if nothing is
}

func newLayout(prefix string) layout {
	return layout{
		prefix: prefix, head: prefix + "\x00h", lo: prefix + "\x00k", hi: prefix + "\x00l", prefixHi: after(prefix),
	}
}

// after returns the first key that comes after all that begin with prefix.
func after(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return "\x00"
}

// record is the head as etcd has it.
type record struct {
	remote.Settled
	value string // all of that as it is encoded
	// revision is the one of the last write to the record, which is always another one.
	revision int64
}

// next returns the record of the head that a batch leads to.
func (r record) next(head store.Head) record {
	recent := append([]uint64{head.Epoch}, r.Recent[:min(len(r.Recent), remote.KeptEpochs-1)]...)
	n := record{Settled: remote.Settled{Head: head, Recent: recent}}
	n.value = n.encode()
	return n
}

func (r record) encode() string {
	b := append([]byte(magic), format)
	b = binary.BigEndian.AppendUint64(b, r.Head.Blocks)
	for _, n := range append([]uint64{r.Head.Epoch}, r.Recent...) {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return string(b)
}

// decodeRecord returns what is at the head's key.
func decodeRecord(kv *mvccpb.KeyValue) (record, error) {
	r := record{value: string(kv.Value), revision: kv.ModRevision}
	rest, ours := strings.CutPrefix(r.value, magic)
	switch {
	case !ours || rest == "":
		return r, errors.Wrapf(ErrForeign, "the value of %q", kv.Key)
	case rest[0] != format:
		return r, errors.Wrapf(ErrFormat, "%q says %d, not %d", kv.Key, rest[0], format)
	case len(rest) < 1+2*8 || (len(rest)-1)%8 != 0:
		return r, errors.Wrapf(ErrForeign, "the value of %q has %d bytes", kv.Key, len(kv.Value))
	}
	var numbers []uint64
	for b := []byte(rest[1:]); len(b) > 0; b = b[8:] {
		numbers = append(numbers, binary.BigEndian.Uint64(b))
	}
	r.Head, r.Recent = store.Head{Blocks: numbers[0], Epoch: numbers[1]}, numbers[2:]
	return r, nil
}
