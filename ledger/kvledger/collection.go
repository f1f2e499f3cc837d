package kvledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"

	"github.com/ccpeer/ccpeer/internal/portions"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The public part of a transaction names what it wrote to a collection by hashes. That part is endorsed, and decides. The
// private part has the values. It reaches a peer by another way, perhaps later, perhaps not at all, and nobody has signed
// it. So it is believed only as far as the public part confirms it. First, its bytes must have the hash that was endorsed.
// Then its keys and values must fit the public hashes, one to one. Otherwise none of it is used.
//
// A wrong value must never be committed. But a missing value doesn't make the transaction invalid: peers must agree on
// codes, and each of them is given something else.

// collectionRWSet is what a transaction wrote to one collection.
type collectionRWSet struct {
	name     string
	writeSet          // hashes of values, by the key's hash
	purges   []string // hashes of keys

	// What is known of the values: all of them, or none.
	known   bool
	private []privateUpdate
}

// privateUpdate is a write of a private value.
type privateUpdate struct {
	keyHash string
	write
}

// privateRWSet is what is known of a transaction's private data: a marshalled KVRWSet for each collection.
type privateRWSet map[collectionName][]byte

type collectionName struct{ namespace, collection string }

// decodePrivateRWSet decodes a private read/write set. A set that can't be decoded counts as none.
func decodePrivateRWSet(ctx context.Context, b []byte) privateRWSet {
	if len(b) == 0 {
		return nil
	}
	rwset := new(pb.TxPvtReadWriteSet)
	if portions.Unmarshal(ctx, b, rwset) != nil {
		return nil
	}
	private := privateRWSet{}
	for _, ns := range rwset.NsPvtRwset {
		for _, c := range ns.CollectionPvtRwset {
			private[collectionName{ns.Namespace, c.CollectionName}] = c.Rwset
		}
	}
	return private
}

// decodeCollections decodes the part of a namespace's read/write set that is about collections.
func (d rwsetDecoder) decodeCollections(ctx context.Context, ns *pb.NsReadWriteSet, private privateRWSet) ([]read, []collectionRWSet, ValidationCode) {
	var reads []read
	var collections []collectionRWSet
	seen := newSeen(len(ns.CollectionHashedRwset))
	for _, set := range ns.CollectionHashedRwset {
		name, hashed := set.CollectionName, new(pb.HashedRWSet)
		if checkName("collection name", name) != nil || seen[name] || portions.Unmarshal(ctx, set.HashedRwset, hashed) != nil {
			return nil, nil, BadRWSet
		}
		seen[name] = true
		reads = slices.Grow(reads, len(hashed.HashedReads))
		for i, r := range hashed.HashedReads {
			if portions.Look(ctx, i) != nil {
				return nil, nil, BadRWSet
			}
			reads = append(reads, read{d.keys.hashKey(ns.Namespace, name, string(r.KeyHash)), versionOf(r.Version)})
		}
		c := collectionRWSet{name: name}
		if !d.decodeHashedWrites(ctx, ns.Namespace, &c, hashed) {
			return nil, nil, InvalidWriteSet
		}
		if b, ok := private[collectionName{ns.Namespace, name}]; ok {
			if sum, err := hashBytes(ctx, b); err == nil && bytes.Equal(sum[:], set.PvtRwsetHash) {
				d.decodePrivateWrites(ctx, ns.Namespace, &c, b)
			}
		}
		collections = append(collections, c)
	}
	return reads, collections, Valid
}

// decodeHashedWrites reports whether the writes can be used.
func (d rwsetDecoder) decodeHashedWrites(ctx context.Context, namespace string, c *collectionRWSet, hashed *pb.HashedRWSet) bool {
	seen := newSeen(len(hashed.HashedWrites))
	c.writes = make([]write, 0, len(hashed.HashedWrites))
	for i, w := range hashed.HashedWrites {
		if portions.Look(ctx, i) != nil {
			return false
		}
		key, value := string(w.KeyHash), w.ValueHash
		if isHashedDelete(w) {
			value = nil
		} else if len(value) != sha256.Size {
			return false
		}
		if len(key) != sha256.Size || seen[key] || d.keys.room(namespace, c.name) < 1 {
			return false
		}
		seen[key] = true
		c.writes = append(c.writes, write{key, d.keys.hashKey(namespace, c.name, key), value})
		if w.IsPurge {
			c.purges = append(c.purges, key)
		}
	}
	seen = newSeen(len(hashed.MetadataWrites))
	c.metadata = make([]metadataWrite, 0, len(hashed.MetadataWrites))
	for i, m := range hashed.MetadataWrites {
		if portions.Look(ctx, i) != nil {
			return false
		}
		key := string(m.KeyHash)
		value, err := encodeMetadata(ctx, m.Entries)
		if len(key) != sha256.Size || seen[key] || err != nil {
			return false
		}
		seen[key] = true
		c.metadata = append(c.metadata, metadataWrite{key, d.keys.hashKey(namespace, c.name, key), value})
	}
	return true
}

// isHashedDelete reports whether a write deletes. A write of the hash of an empty value deletes, too, because an empty value
// is a delete (Fabric: core/ledger/kvledger/txmgmt/rwsetutil, IsKVWriteHashDelete).
func isHashedDelete(w *pb.KVWriteHash) bool {
	return w.IsDelete || w.IsPurge || len(w.ValueHash) == 0 || string(w.ValueHash) == hash("")
}

// decodePrivateWrites makes the values known if each value belongs to a hash, and each hash to a value.
func (d rwsetDecoder) decodePrivateWrites(ctx context.Context, namespace string, c *collectionRWSet, b []byte) {
	kv := new(pb.KVRWSet)
	if portions.Unmarshal(ctx, b, kv) != nil || len(kv.Writes) != len(c.writes) || len(kv.MetadataWrites) != len(c.metadata) {
		return
	}
	hashes := make(map[string][]byte, len(c.writes))
	for _, w := range c.writes {
		hashes[w.key] = w.value
	}
	private := make([]privateUpdate, 0, len(kv.Writes))
	for _, w := range kv.Writes {
		if ctx.Err() != nil {
			return
		}
		key := hash(w.Key)
		want, ok := hashes[key]
		delete(hashes, key)
		value := w.Value
		if w.IsDelete || len(value) == 0 {
			value = nil
		}
		if !ok || d.keys.checkKey(namespace, c.name, w.Key) != nil || !isHashOf(ctx, want, value) {
			return
		}
		private = append(private, privateUpdate{key, write{w.Key, d.keys.privateKey(namespace, c.name, w.Key), value}})
	}
	metadata := make(map[string]bool, len(c.metadata))
	for _, m := range c.metadata {
		metadata[m.key] = true
	}
	for i, m := range kv.MetadataWrites {
		if portions.Look(ctx, i) != nil || !metadata[hash(m.Key)] {
			return
		}
	}
	c.known, c.private = true, private
}

// isHashOf reports whether h is the hash of a private value. The hash of a delete is nil. If ctx has ended, what it returns
// means nothing.
func isHashOf(ctx context.Context, h, value []byte) bool {
	if value == nil || h == nil {
		return value == nil && h == nil
	}
	sum, err := hashBytes(ctx, value)
	return err == nil && bytes.Equal(sum[:], h)
}
