package kvledger

import (
	"context"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// collectionResults adds what was noted of collections to a namespace's public read/write set, as hashes. It returns what
// was written to the collections, or nil.
func (r *rareSet) collectionResults(ctx context.Context, ns *pb.NsReadWriteSet) (*pb.NsPvtReadWriteSet, error) {
	var private *pb.NsPvtReadWriteSet
	for _, name := range slices.Sorted(maps.Keys(r.collections)) {
		set := r.collections[name]
		hashed, err := set.marshalHashed(ctx)
		if err != nil {
			return nil, errors.Wrapf(err, "marshal hashes of collection %q", shown(name))
		}
		if len(hashed) == 0 {
			continue // there was only a query
		}
		public := &pb.CollectionHashedReadWriteSet{CollectionName: name, HashedRwset: hashed}
		ns.CollectionHashedRwset = append(ns.CollectionHashedRwset, public)
		b, err := set.marshalPrivate(ctx)
		if err != nil {
			return nil, errors.Wrapf(err, "marshal writes of collection %q", shown(name))
		}
		if len(b) == 0 {
			continue // nothing was written
		}
		sum, err := hashBytes(ctx, b)
		if err != nil {
			return nil, errors.Wrapf(err, "hash writes of collection %q", shown(name))
		}
		public.PvtRwsetHash = sum[:]
		if private == nil {
			private = &pb.NsPvtReadWriteSet{Namespace: ns.Namespace}
		}
		private.CollectionPvtRwset = append(private.CollectionPvtRwset, &pb.CollectionPvtReadWriteSet{CollectionName: name, Rwset: b})
	}
	return private, nil
}

// marshalHashed returns what everyone may know, a HashedRWSet. Its order is that of the keys, not of their hashes, as in
// Fabric.
func (c *collectionSet) marshalHashed(ctx context.Context) ([]byte, error) {
	set := new(pb.HashedRWSet)
	reads, err := c.reads.sorted(ctx)
	if err != nil {
		return nil, err
	}
	for i, r := range reads {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		set.HashedReads = append(set.HashedReads, &pb.KVReadHash{KeyHash: []byte(hash(r.key)), Version: r.value.proto()})
	}
	writes, err := c.writes.sorted(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range writes {
		write, err := hashedWrite(ctx, w.key, w.value)
		if err != nil {
			return nil, err
		}
		set.HashedWrites = append(set.HashedWrites, write)
	}
	metadata, err := metadataWrites(ctx, &c.metadata)
	if err != nil {
		return nil, err
	}
	for i, m := range metadata {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		set.MetadataWrites = append(set.MetadataWrites, &pb.KVMetadataWriteHash{KeyHash: []byte(hash(m.Key)), Entries: m.Entries})
	}
	return marshalHashedRWSet(ctx, set)
}

func hashedWrite(ctx context.Context, key string, w privateWrite) (*pb.KVWriteHash, error) {
	write := &pb.KVWriteHash{KeyHash: []byte(hash(key)), IsDelete: w.value == nil, IsPurge: w.purge}
	if write.IsDelete {
		return write, ctx.Err()
	}
	sum, err := hashBytes(ctx, w.value)
	write.ValueHash = sum[:]
	return write, err
}

// marshalPrivate returns what was written, a KVRWSet. Of metadata it has only the keys. With them a ledger that has the
// values finds those that get a new version.
func (c *collectionSet) marshalPrivate(ctx context.Context) ([]byte, error) {
	set := new(pb.KVRWSet)
	writes, err := c.writes.sorted(ctx)
	if err != nil {
		return nil, err
	}
	for i, w := range writes {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		set.Writes = append(set.Writes, &pb.KVWrite{Key: w.key, IsDelete: w.value.value == nil, Value: w.value.value})
	}
	if set.MetadataWrites, err = metadataWrites(ctx, &c.metadata); err != nil {
		return nil, err
	}
	for _, m := range set.MetadataWrites {
		m.Entries = nil
	}
	return marshalKVRWSet(ctx, set)
}
