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
	name   string
	reads  []read
	ranges []*pb.RangeQueryInfo
	writes []write // each key once
}

type read struct {
	storeKey string
	version  readVersion
}

type write struct {
	key, storeKey string
	value         []byte // nil is a delete
}

// decode decodes a transaction's read/write set, of which nothing can be trusted.
func (l *Ledger) decode(tx Transaction) transaction {
	namespaces, code := l.decodeRWSet(tx.RWSet)
	return transaction{Transaction: tx, code: code, namespaces: namespaces}
}

func (l *Ledger) decodeRWSet(b []byte) ([]namespaceRWSet, ValidationCode) {
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
		if len(ns.CollectionHashedRwset) > 0 || len(kv.MetadataWrites) > 0 {
			return nil, InvalidOtherReason
		}
		decoded, code := l.decodeNamespace(ns.Namespace, kv)
		if code != Valid {
			return nil, code
		}
		namespaces = append(namespaces, decoded)
	}
	return namespaces, Valid
}

func (l *Ledger) decodeNamespace(name string, kv *pb.KVRWSet) (namespaceRWSet, ValidationCode) {
	ns := namespaceRWSet{name: name, ranges: kv.RangeQueriesInfo}
	for _, r := range kv.Reads {
		ns.reads = append(ns.reads, read{l.stateKey(name, r.Key), versionOf(r.Version)})
	}
	for _, info := range kv.RangeQueriesInfo {
		summary := info.GetReadsMerkleHashes()
		if summary != nil && (summary.MaxDegree < 2 || summary.MaxDegree > math.MaxInt32) {
			return ns, BadRWSet
		}
	}
	seen := make(map[string]bool, len(kv.Writes))
	for _, w := range kv.Writes {
		if w.Key == "" || seen[w.Key] {
			return ns, InvalidWriteSet
		}
		seen[w.Key] = true
		value := w.Value
		if w.IsDelete || len(value) == 0 {
			value = nil
		}
		ns.writes = append(ns.writes, write{w.Key, l.stateKey(name, w.Key), value})
	}
	return ns, Valid
}
