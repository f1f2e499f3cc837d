package kvledger

import (
	"context"
	"math"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// transaction is a Transaction whose read/write set is decoded and checked.
type transaction struct {
	Transaction
	code       ValidationCode // Valid, or why the read/write set can't be used
	config     bool           // it is of the channel's configuration, and has no read/write set
	namespaces []namespaceRWSet
}

type namespaceRWSet struct {
	name        string
	reads       []read
	ranges      []*pb.RangeQueryInfo
	hashedReads []read // of all collections
	collections []collectionRWSet
	writeSet
}

// writeSet is what is written to one namespace, or as hashes to one collection. It has each key once.
type writeSet struct {
	writes   []write
	metadata []metadataWrite
}

type read struct {
	storeKey string
	version  readVersion
}

type write struct {
	key, storeKey string
	value         []byte // nil deletes
}

// metadataWrite replaces a key's metadata.
type metadataWrite struct {
	key, storeKey string // storeKey is the value's key in the store
	value         []byte // for the store; nil deletes
}

// rwsetDecoder turns a transaction's bytes into what is validated and committed. The bytes may come from anybody. Nothing in
// them is trusted, and whatever is wrong becomes the transaction's code, not an error. Every key is turned into the store's
// key here, and is known to be one that the store takes. So validation need not look again.
//
// A set may have millions of entries. When ctx ends, its methods return soon, and what they return means nothing.
type rwsetDecoder struct{ keys keyspace }

// decode decodes a transaction's read/write sets.
func (d rwsetDecoder) decode(ctx context.Context, tx Transaction) transaction {
	if tx.Code != Valid {
		return transaction{Transaction: tx, code: tx.Code}
	}
	namespaces, code := d.decodeRWSet(ctx, tx.RWSet, decodePrivateRWSet(ctx, tx.PrivateRWSet))
	return transaction{Transaction: tx, code: code, namespaces: namespaces}
}

// decodeRWSet decodes a public read/write set, with what is known of the private one.
func (d rwsetDecoder) decodeRWSet(ctx context.Context, b []byte, private privateRWSet) ([]namespaceRWSet, ValidationCode) {
	rwset := new(pb.TxReadWriteSet)
	if portions.Unmarshal(ctx, b, rwset) != nil || rwset.DataModel != pb.TxReadWriteSet_KV {
		return nil, BadRWSet
	}
	seen := newSeen(len(rwset.NsRwset))
	namespaces := make([]namespaceRWSet, 0, min(len(rwset.NsRwset), 1<<12)) // they are large, and most of many may be nothing
	for _, ns := range rwset.NsRwset {
		kv := new(pb.KVRWSet)
		if checkName("namespace", ns.Namespace) != nil || seen[ns.Namespace] || portions.Unmarshal(ctx, ns.Rwset, kv) != nil {
			return nil, BadRWSet
		}
		seen[ns.Namespace] = true
		decoded, code := d.decodeNamespace(ctx, ns.Namespace, kv)
		if code == Valid && len(ns.CollectionHashedRwset) > 0 {
			decoded.hashedReads, decoded.collections, code = d.decodeCollections(ctx, ns, private)
		}
		if code != Valid {
			return nil, code
		}
		namespaces = append(namespaces, decoded)
	}
	return namespaces, Valid
}

// newSeen returns a set for about n keys. A large one grows as it is filled, because making it at once would take long. Clearing
// one would, too: so make another.
func newSeen(n int) map[string]bool { return make(map[string]bool, min(n, 1<<12)) }

// decodeNamespace decodes and checks what a transaction read and wrote in one namespace. Another simulator may have made the
// writes, so they are checked as this one would: each key once, none that the store can't take. A delete that is written as
// an empty value becomes nil, so that validation knows one kind of delete.
func (d rwsetDecoder) decodeNamespace(ctx context.Context, name string, kv *pb.KVRWSet) (namespaceRWSet, ValidationCode) {
	ns := namespaceRWSet{name: name, ranges: kv.RangeQueriesInfo}
	ns.reads = make([]read, 0, len(kv.Reads)) // a list that grows is copied again and again
	for i, r := range kv.Reads {
		if portions.Look(ctx, i) != nil {
			return ns, BadRWSet
		}
		ns.reads = append(ns.reads, read{d.keys.stateKey(name, r.Key), versionOf(r.Version)})
	}
	for _, info := range kv.RangeQueriesInfo {
		summary := info.GetReadsMerkleHashes()
		if summary != nil && (summary.MaxDegree < 2 || summary.MaxDegree > math.MaxInt32) {
			return ns, BadRWSet
		}
	}
	if !d.decodeWrites(ctx, &ns, kv) {
		return ns, InvalidWriteSet
	}
	return ns, Valid
}

// decodeWrites reports whether the writes can be used.
func (d rwsetDecoder) decodeWrites(ctx context.Context, ns *namespaceRWSet, kv *pb.KVRWSet) bool {
	seen := newSeen(len(kv.Writes))
	ns.writes = make([]write, 0, len(kv.Writes))
	for i, w := range kv.Writes {
		if portions.Look(ctx, i) != nil || d.keys.checkKey(ns.name, "", w.Key) != nil || seen[w.Key] {
			return false
		}
		seen[w.Key] = true
		value := w.Value
		if w.IsDelete || len(value) == 0 {
			value = nil
		}
		ns.writes = append(ns.writes, write{w.Key, d.keys.stateKey(ns.name, w.Key), value})
	}
	seen = newSeen(len(kv.MetadataWrites))
	ns.metadata = make([]metadataWrite, 0, len(kv.MetadataWrites))
	for i, m := range kv.MetadataWrites {
		if portions.Look(ctx, i) != nil || d.keys.checkKey(ns.name, "", m.Key) != nil || seen[m.Key] {
			return false
		}
		value, err := encodeMetadata(ctx, m.Entries)
		if err != nil {
			return false
		}
		seen[m.Key] = true
		ns.metadata = append(ns.metadata, metadataWrite{m.Key, d.keys.stateKey(ns.name, m.Key), value})
	}
	return true
}
