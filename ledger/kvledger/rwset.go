package kvledger

import (
	"math"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// transaction is a Transaction whose read/write set is decoded and checked.
type transaction struct {
	Transaction
	code       ValidationCode // Valid, or why the read/write set can't be used
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
type rwsetDecoder struct{ keys keyspace }

// decode decodes a transaction's read/write sets.
func (d rwsetDecoder) decode(tx Transaction) transaction {
	if tx.Code != Valid {
		return transaction{Transaction: tx, code: tx.Code}
	}
	namespaces, code := d.decodeRWSet(tx.RWSet, decodePrivateRWSet(tx.PrivateRWSet))
	return transaction{Transaction: tx, code: code, namespaces: namespaces}
}

// decodeRWSet decodes a public read/write set, with what is known of the private one.
func (d rwsetDecoder) decodeRWSet(b []byte, private privateRWSet) ([]namespaceRWSet, ValidationCode) {
	rwset := new(pb.TxReadWriteSet)
	if proto.Unmarshal(b, rwset) != nil || rwset.DataModel != pb.TxReadWriteSet_KV {
		return nil, BadRWSet
	}
	seen := make(map[string]bool, len(rwset.NsRwset))
	namespaces := make([]namespaceRWSet, 0, len(rwset.NsRwset))
	for _, ns := range rwset.NsRwset {
		kv := new(pb.KVRWSet)
		if checkName("namespace", ns.Namespace) != nil || seen[ns.Namespace] || proto.Unmarshal(ns.Rwset, kv) != nil {
			return nil, BadRWSet
		}
		seen[ns.Namespace] = true
		decoded, code := d.decodeNamespace(ns.Namespace, kv)
		if code == Valid && len(ns.CollectionHashedRwset) > 0 {
			decoded.hashedReads, decoded.collections, code = d.decodeCollections(ns, private)
		}
		if code != Valid {
			return nil, code
		}
		namespaces = append(namespaces, decoded)
	}
	return namespaces, Valid
}

// decodeNamespace decodes and checks what a transaction read and wrote in one namespace. Another simulator may have made the
// writes, so they are checked as this one would: each key once, none that the store can't take. A delete that is written as
// an empty value becomes nil, so that validation knows one kind of delete.
func (d rwsetDecoder) decodeNamespace(name string, kv *pb.KVRWSet) (namespaceRWSet, ValidationCode) {
	ns := namespaceRWSet{name: name, ranges: kv.RangeQueriesInfo}
	for _, r := range kv.Reads {
		ns.reads = append(ns.reads, read{d.keys.stateKey(name, r.Key), versionOf(r.Version)})
	}
	for _, info := range kv.RangeQueriesInfo {
		summary := info.GetReadsMerkleHashes()
		if summary != nil && (summary.MaxDegree < 2 || summary.MaxDegree > math.MaxInt32) {
			return ns, BadRWSet
		}
	}
	seen := make(map[string]bool, len(kv.Writes))
	for _, w := range kv.Writes {
		if d.keys.checkKey(name, "", w.Key) != nil || seen[w.Key] {
			return ns, InvalidWriteSet
		}
		seen[w.Key] = true
		value := w.Value
		if w.IsDelete || len(value) == 0 {
			value = nil
		}
		ns.writes = append(ns.writes, write{w.Key, d.keys.stateKey(name, w.Key), value})
	}
	clear(seen)
	for _, m := range kv.MetadataWrites {
		value, err := encodeMetadata(m.Entries)
		if d.keys.checkKey(name, "", m.Key) != nil || seen[m.Key] || err != nil {
			return ns, InvalidWriteSet
		}
		seen[m.Key] = true
		ns.metadata = append(ns.metadata, metadataWrite{m.Key, d.keys.stateKey(name, m.Key), value})
	}
	return ns, Valid
}
