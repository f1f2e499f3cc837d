package main

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// hash is a SHA-256, in hexadecimal.
type hash string

func newHash(b []byte) hash { return hash(hex.EncodeToString(b)) }

// data is bytes of a ledger. Text says the same, if it is a text.
type data struct {
	Base64 []byte  `json:"base64"`
	Text   *string `json:"text,omitempty"`
}

func newData(b []byte) *data {
	d := &data{Base64: b}
	if b == nil {
		d.Base64 = []byte{} // "", not null
	}
	if utf8.Valid(b) {
		text := string(b)
		d.Text = &text
	}
	return d
}

// keyVersion says which transaction wrote a value: the one at a position, from 0, of a block.
type keyVersion struct {
	Block uint64 `json:"block"`
	Tx    uint64 `json:"tx"`
}

// namespaceRWSet is what a transaction read and wrote of a chaincode's state.
type namespaceRWSet struct {
	Namespace   string             `json:"namespace"`
	Reads       []readJSON         `json:"reads,omitempty"`
	Ranges      []rangeJSON        `json:"ranges,omitempty"`
	Writes      []writeJSON        `json:"writes,omitempty"`
	Metadata    []metadataJSON     `json:"metadataWrites,omitempty"`
	Collections []collectionHashes `json:"collections,omitempty"`
}

type readJSON struct {
	Key     string      `json:"key"`
	Version *keyVersion `json:"version"` // null: the key was absent
}

type rangeJSON struct {
	Start     string      `json:"start"`
	End       string      `json:"end"`
	Exhausted bool        `json:"exhausted"` // it was read to its end
	Reads     []readJSON  `json:"reads,omitempty"`
	Merkle    *merkleJSON `json:"merkle,omitempty"` // instead of reads, if they were many
}

type merkleJSON struct {
	MaxDegree uint32 `json:"maxDegree"`
	Level     uint32 `json:"level"`
	Hashes    []hash `json:"hashes"`
}

type writeJSON struct {
	Key    string `json:"key"`
	Delete bool   `json:"delete,omitempty"`
	Value  *data  `json:"value,omitempty"`
}

type metadataJSON struct {
	Key     string           `json:"key"`
	Entries map[string]*data `json:"entries"` // none: the metadata is deleted
}

// collectionHashes is what a transaction read and wrote of a collection of private data.
type collectionHashes struct {
	Collection string             `json:"collection"`
	Reads      []readHashJSON     `json:"reads,omitempty"`
	Writes     []writeHashJSON    `json:"writes,omitempty"`
	Metadata   []metadataHashJSON `json:"metadataWrites,omitempty"`
	// PrivateRWSetHash is the SHA-256 of what was written, as it was sent to the members.
	PrivateRWSetHash hash `json:"privateRWSetHash,omitempty"`
}

type readHashJSON struct {
	KeyHash hash        `json:"keyHash"`
	Version *keyVersion `json:"version"`
}

type writeHashJSON struct {
	KeyHash   hash `json:"keyHash"`
	ValueHash hash `json:"valueHash,omitempty"`
	Delete    bool `json:"delete,omitempty"`
	Purge     bool `json:"purge,omitempty"`
}

type metadataHashJSON struct {
	KeyHash hash             `json:"keyHash"`
	Entries map[string]*data `json:"entries"`
}

// decodeRWSet decodes a read/write set.
func decodeRWSet(b []byte) ([]namespaceRWSet, error) {
	var set pb.TxReadWriteSet
	if err := proto.Unmarshal(b, &set); err != nil {
		return nil, errors.Wrap(err, "decode read/write set")
	}
	namespaces := make([]namespaceRWSet, 0, len(set.NsRwset))
	for _, ns := range set.NsRwset {
		var kv pb.KVRWSet
		if err := proto.Unmarshal(ns.Rwset, &kv); err != nil {
			return nil, errors.Wrapf(err, "decode read/write set of %q", ns.Namespace)
		}
		decoded := decodeNamespace(ns.Namespace, &kv)
		for _, c := range ns.CollectionHashedRwset {
			var hashed pb.HashedRWSet
			if err := proto.Unmarshal(c.HashedRwset, &hashed); err != nil {
				return nil, errors.Wrapf(err, "decode read/write set of %q", c.CollectionName)
			}
			hashes := decodeHashes(c.CollectionName, &hashed)
			hashes.PrivateRWSetHash = newHash(c.PvtRwsetHash)
			decoded.Collections = append(decoded.Collections, hashes)
		}
		namespaces = append(namespaces, decoded)
	}
	return namespaces, nil
}

func decodeNamespace(name string, kv *pb.KVRWSet) namespaceRWSet {
	ns := namespaceRWSet{Namespace: name, Reads: decodeReads(kv.Reads)}
	for _, r := range kv.RangeQueriesInfo {
		decoded := rangeJSON{Start: r.StartKey, End: r.EndKey, Exhausted: r.ItrExhausted, Reads: decodeReads(r.GetRawReads().GetKvReads())}
		if m := r.GetReadsMerkleHashes(); m != nil {
			decoded.Merkle = &merkleJSON{MaxDegree: m.MaxDegree, Level: m.MaxLevel}
			for _, h := range m.MaxLevelHashes {
				decoded.Merkle.Hashes = append(decoded.Merkle.Hashes, newHash(h))
			}
		}
		ns.Ranges = append(ns.Ranges, decoded)
	}
	for _, w := range kv.Writes {
		decoded := writeJSON{Key: w.Key, Delete: w.IsDelete}
		if !w.IsDelete {
			decoded.Value = newData(w.Value)
		}
		ns.Writes = append(ns.Writes, decoded)
	}
	for _, m := range kv.MetadataWrites {
		ns.Metadata = append(ns.Metadata, metadataJSON{m.Key, decodeEntries(m.Entries)})
	}
	return ns
}

func decodeHashes(collection string, set *pb.HashedRWSet) collectionHashes {
	c := collectionHashes{Collection: collection}
	for _, r := range set.HashedReads {
		c.Reads = append(c.Reads, readHashJSON{newHash(r.KeyHash), decodeVersion(r.Version)})
	}
	for _, w := range set.HashedWrites {
		c.Writes = append(c.Writes, writeHashJSON{newHash(w.KeyHash), newHash(w.ValueHash), w.IsDelete, w.IsPurge})
	}
	for _, m := range set.MetadataWrites {
		c.Metadata = append(c.Metadata, metadataHashJSON{newHash(m.KeyHash), decodeEntries(m.Entries)})
	}
	return c
}

func decodeReads(reads []*pb.KVRead) []readJSON {
	var decoded []readJSON
	for _, r := range reads {
		decoded = append(decoded, readJSON{r.Key, decodeVersion(r.Version)})
	}
	return decoded
}

func decodeVersion(v *pb.Version) *keyVersion {
	if v == nil {
		return nil
	}
	return &keyVersion{v.BlockNum, v.TxNum}
}

func decodeEntries(entries []*pb.KVMetadataEntry) map[string]*data {
	decoded := map[string]*data{}
	for _, e := range entries {
		decoded[e.Name] = newData(e.Value)
	}
	return decoded
}
