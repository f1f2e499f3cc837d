package kvledger

import (
	"crypto/sha256"
	"io"
	"math/bits"

	"github.com/pkg/errors"
	"github.com/tidwall/btree"
	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/ccpeer/ccpeer/proto"
)

// Peers that have committed the same blocks have the same state. To find out where they haven't, each block has a hash of the
// codes of its transactions, of all that it has changed and of the commit hash before (Fabric: core/ledger/kvledger,
// kv_ledger.go and txmgmt/txmgr, update_batch_bytes.go). Nothing refuses a block for it: people compare it.
//
// What is hashed of the changes is a message that nobody ever sees, with the changed keys in order:
//
//	message KVWrite { string namespace = 1; string collection = 2; bytes key = 3; bool isDelete = 4; bytes value = 5; bytes version = 6; }
//	message KVWrites { repeated KVWrite kvwrites = 1; }
//
// Of each namespace the public keys come first, and then the hashes of its collections. A name is only in the first write that
// has it. The message is not made: its bytes go into the hash one write after the other.

// The fields of a KVWrite.
const (
	writeNamespace = iota + 1
	writeCollection
	writeKey
	writeIsDelete
	writeValue
	writeVersion
)

// filter returns the codes of a block's transactions in the form that TRANSACTIONS_FILTER has.
func filter(codes []ValidationCode) []byte {
	b := make([]byte, len(codes))
	for i, code := range codes {
		b[i] = byte(code)
	}
	return b
}

// hashCommit returns the block's commit hash. Block 0 has none.
func (v *validation) hashCommit() []byte {
	if v.committed.block == 0 {
		return nil
	}
	sum := sha256.New()
	sum.Write(appendBytes(nil, filter(v.codes)))
	h := commitHasher{to: sum}
	public, hashed := v.effects.changesOf(tagState), v.effects.changesOf(tagHash)
	for public.ok || hashed.ok {
		next := &public
		if !public.ok || hashed.ok && hashed.of.namespace < public.of.namespace {
			next = &hashed
		}
		h.write(next.of, next.it.Value())
		next.advance()
	}
	sum.Write(v.committed.tip.commitHash)
	return sum.Sum(nil)
}

// changes goes through the block's updates that have one tag, in the order of the keys.
type changes struct {
	it   btree.MapIter[string, update]
	keys keyspace
	tag  string
	of   collectionKey // of the present update
	ok   bool          // false after the last one
}

func (e *effects) changesOf(tag string) changes {
	c := changes{it: e.updates.Iter(), keys: e.committed.keys, tag: tag}
	c.take(c.it.Seek(c.keys.channelID + tag))
	return c
}

func (c *changes) advance() { c.take(c.it.Next()) }

func (c *changes) take(found bool) {
	if c.ok = found; !found {
		return
	}
	var tag string
	tag, c.of = c.keys.parseKey(c.it.Key())
	c.ok = tag == c.tag
}

// commitHasher hashes KVWrites.
type commitHasher struct {
	to                    io.Writer // a hash: it returns no error
	namespace, collection string    // of the write before
	buffer                []byte
}

func (h *commitHasher) write(of collectionKey, u update) {
	b := h.buffer[:0]
	if of.namespace != h.namespace {
		b = appendField(b, writeNamespace, of.namespace)
		h.namespace, h.collection = of.namespace, ""
	}
	if of.collection != h.collection {
		b = appendField(b, writeCollection, of.collection)
		h.collection = of.collection
	}
	b = appendField(b, writeKey, of.key)
	if u.value == nil {
		b = protowire.AppendTag(b, writeIsDelete, protowire.VarintType)
		b = protowire.AppendVarint(b, 1)
	} else {
		b = appendField(b, writeValue, u.value)
	}
	b = appendField(b, writeVersion, appendOrdered(appendOrdered(nil, u.version.block), u.version.tx))
	h.buffer = b
	_, _ = h.to.Write(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.BytesType), uint64(len(b))))
	_, _ = h.to.Write(b)
}

func appendField[T string | []byte](b []byte, number protowire.Number, value T) []byte {
	return appendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

// appendOrdered appends a number so that encoded numbers have the order of the numbers: how many bytes it takes, and then those
// (Fabric: common/ledger/util, EncodeOrderPreservingVarUint64).
func appendOrdered(b []byte, n uint64) []byte {
	size := (bits.Len64(n) + 7) / 8
	b = append(b, byte(size))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// slots returns the metadata of a validated block: those of the ordering service, and the ledger's own.
func (in *incoming) slots(v *validation) ([][]byte, error) {
	slots := make([][]byte, max(len(in.metadata), len(pb.BlockMetadataIndex_name)))
	copy(slots, in.metadata)
	slots[pb.BlockMetadataIndex_TRANSACTIONS_FILTER] = filter(v.codes)
	slots[pb.BlockMetadataIndex_COMMIT_HASH] = nil
	if v.commitHash != nil {
		b, err := marshal(&pb.Metadata{Value: v.commitHash})
		if err != nil {
			return nil, errors.Wrap(err, "marshal commit hash")
		}
		slots[pb.BlockMetadataIndex_COMMIT_HASH] = b
	}
	return slots, nil
}

// writesMetadata reports whether a valid transaction of the block has written metadata of a key.
func (v *validation) writesMetadata() bool {
	for _, m := range v.effects.metadata {
		if m != nil {
			return true
		}
	}
	return false
}
