package kvledger

import (
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// collectionResults adds what was noted of collections to a namespace's public read/write set, as hashes. It returns what
// was written to the collections, or nil.
func (r *rareSet) collectionResults(ns *pb.NsReadWriteSet) (*pb.NsPvtReadWriteSet, error) {
	var private *pb.NsPvtReadWriteSet
	for _, name := range slices.Sorted(maps.Keys(r.collections)) {
		set := r.collections[name]
		hashed, err := marshal(set.hashed())
		if err != nil {
			return nil, errors.Wrapf(err, "marshal hashes of collection %q", shown(name))
		}
		if len(hashed) == 0 {
			continue // there was only a query
		}
		public := &pb.CollectionHashedReadWriteSet{CollectionName: name, HashedRwset: hashed}
		ns.CollectionHashedRwset = append(ns.CollectionHashedRwset, public)
		b, err := marshal(set.private())
		if err != nil {
			return nil, errors.Wrapf(err, "marshal writes of collection %q", shown(name))
		}
		if len(b) == 0 {
			continue // nothing was written
		}
		sum := sha256.Sum256(b)
		public.PvtRwsetHash = sum[:]
		if private == nil {
			private = &pb.NsPvtReadWriteSet{Namespace: ns.Namespace}
		}
		private.CollectionPvtRwset = append(private.CollectionPvtRwset, &pb.CollectionPvtReadWriteSet{CollectionName: name, Rwset: b})
	}
	return private, nil
}

// hashed returns what everyone may know. Its order is that of the keys, not of their hashes, as in Fabric.
func (c *collectionSet) hashed() *pb.HashedRWSet {
	set := new(pb.HashedRWSet)
	for _, r := range c.reads.sorted() {
		set.HashedReads = append(set.HashedReads, &pb.KVReadHash{KeyHash: []byte(hash(r.key)), Version: r.value.proto()})
	}
	for _, w := range c.writes.sorted() {
		write := &pb.KVWriteHash{KeyHash: []byte(hash(w.key)), IsDelete: w.value.value == nil, IsPurge: w.value.purge}
		if !write.IsDelete {
			sum := sha256.Sum256(w.value.value)
			write.ValueHash = sum[:]
		}
		set.HashedWrites = append(set.HashedWrites, write)
	}
	for _, m := range c.metadata.sorted() {
		set.MetadataWrites = append(set.MetadataWrites, &pb.KVMetadataWriteHash{KeyHash: []byte(hash(m.key)), Entries: m.value})
	}
	return set
}

// private returns what was written. Of metadata it has only the keys. With them a ledger that has the values finds those
// that get a new version.
func (c *collectionSet) private() *pb.KVRWSet {
	set := new(pb.KVRWSet)
	for _, w := range c.writes.sorted() {
		set.Writes = append(set.Writes, &pb.KVWrite{Key: w.key, IsDelete: w.value.value == nil, Value: w.value.value})
	}
	for _, m := range c.metadata.sorted() {
		set.MetadataWrites = append(set.MetadataWrites, &pb.KVMetadataWrite{Key: m.key})
	}
	return set
}
