package kvledger_test

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestHandMade commits read/write sets that no simulator makes.
func TestHandMade(t *testing.T) {
	write := &pb.KVWrite{Key: "k", Value: []byte("v")}
	summary := func(degree uint32) *pb.RangeQueryInfo {
		return &pb.RangeQueryInfo{ItrExhausted: true, ReadsInfo: &pb.RangeQueryInfo_ReadsMerkleHashes{
			ReadsMerkleHashes: &pb.QueryReadsMerkleSummary{MaxDegree: degree},
		}}
	}
	wrap := func(n ...*pb.NsReadWriteSet) []byte { return marshal(t, &pb.TxReadWriteSet{NsRwset: n}) }
	set := func(name string) *pb.NsReadWriteSet {
		return &pb.NsReadWriteSet{Namespace: name, Rwset: marshal(t, &pb.KVRWSet{Writes: []*pb.KVWrite{write}})}
	}
	collections := func(c ...*pb.CollectionHashedReadWriteSet) []byte {
		return wrap(&pb.NsReadWriteSet{Namespace: ns, CollectionHashedRwset: c})
	}
	hashed := func(parts ...proto.Message) []byte { return collections(hashedSetOf(t, "c", parts...)) }
	keyHash := hash([]byte("k"))
	privateWrite := &pb.KVWriteHash{KeyHash: keyHash, ValueHash: hash([]byte("v"))}
	privateMetadata := &pb.KVMetadataWriteHash{KeyHash: keyHash}
	const bad, invalid = kvledger.BadRWSet, kvledger.InvalidWriteSet
	for _, test := range []struct {
		name  string
		rwset []byte
		want  kvledger.ValidationCode
	}{
		{"nothing", nil, valid},
		{"garbage", []byte("garbage"), bad},
		{"garbage inside", wrap(&pb.NsReadWriteSet{Namespace: ns, Rwset: []byte{0xff}}), bad},
		{"another data model", marshal(t, &pb.TxReadWriteSet{DataModel: 7}), bad},
		{"no namespace", wrap(set("")), bad},
		{"a namespace that reaches into another", wrap(set("asset\x00k")), bad},
		{"a namespace twice", wrap(set(ns), set(ns)), bad},
		{"key not UTF-8", wrap(&pb.NsReadWriteSet{Namespace: ns, Rwset: []byte{0x1a, 3, 0x0a, 1, 0xff}}), bad},
		{"empty key", rwsetOf(t, &pb.KVWrite{Value: []byte("v")}), invalid},
		{"a key twice", rwsetOf(t, write, write), invalid},
		{"peer's own key", rwsetOf(t, &pb.KVWrite{Key: "\x00\U0010ffffinitialized", Value: []byte("1.0")}), valid},
		{"metadata of an absent key", rwsetOf(t, &pb.KVMetadataWrite{Key: "k"}), valid},
		{"metadata of the empty key", rwsetOf(t, &pb.KVMetadataWrite{}), invalid},
		{"metadata twice", rwsetOf(t, &pb.KVMetadataWrite{Key: "k"}, &pb.KVMetadataWrite{Key: "k"}), invalid},
		{"private data", hashed(privateWrite, privateMetadata), valid},
		{"no collection name", collections(hashedSetOf(t, "")), bad},
		{"a collection that reaches into another", collections(hashedSetOf(t, "c\x00k")), bad},
		{"a collection twice", collections(hashedSetOf(t, "c"), hashedSetOf(t, "c")), bad},
		{"garbage in a collection", collections(&pb.CollectionHashedReadWriteSet{CollectionName: "c", HashedRwset: []byte{0xff}}), bad},
		{"a private key twice", hashed(privateWrite, privateWrite), invalid},
		{"private metadata twice", hashed(privateMetadata, privateMetadata), invalid},
		{"a short key hash", hashed(&pb.KVWriteHash{KeyHash: keyHash[1:], IsDelete: true}), invalid},
		{"a short key hash of metadata", hashed(&pb.KVMetadataWriteHash{KeyHash: keyHash[1:]}), invalid},
		{"a purge that does not say that it deletes", hashed(&pb.KVWriteHash{KeyHash: keyHash, IsPurge: true}), valid},
		{"a short value hash", hashed(&pb.KVWriteHash{KeyHash: keyHash, ValueHash: keyHash[1:]}), invalid},
		{"no value hash, which is a delete", hashed(&pb.KVWriteHash{KeyHash: keyHash}), valid},
		{"a hashed read of what never was", hashed(&pb.KVReadHash{KeyHash: keyHash, Version: &pb.Version{BlockNum: 9}}, privateWrite), mvcc},
		{"a hashed read of what is absent", hashed(&pb.KVReadHash{KeyHash: keyHash}, privateWrite), valid},
		{"a bad collection behind good writes", wrap(&pb.NsReadWriteSet{Namespace: ns, Rwset: set(ns).Rwset,
			CollectionHashedRwset: []*pb.CollectionHashedReadWriteSet{hashedSetOf(t, "c", privateWrite, privateWrite)}}), invalid},
		{"degree 0", rwsetOf(t, summary(0)), bad},
		{"degree 1", rwsetOf(t, summary(1)), bad},
		{"degree too large", rwsetOf(t, summary(math.MaxUint32)), bad},
		{"summary of nothing", rwsetOf(t, summary(50)), phantom},
		{"unread range", rwsetOf(t, &pb.RangeQueryInfo{StartKey: "a"}), valid},
		{"a version that never was", rwsetOf(t, readOf("k", &pb.Version{BlockNum: 9}), write), mvcc},
		{"read as absent", rwsetOf(t, readOf("k0000", nil), write), mvcc},
		{"good", rwsetOf(t, readOf("k0000", &pb.Version{}), &pb.KVWrite{Key: "k"}), valid},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := openMemory(t)
			fill(t, l, 3)
			if got := commit(t, l, test.rwset); got[0] != test.want {
				t.Errorf("code is %v, want %v", got[0], test.want)
			}
			if value := state(t, l, "k"); value != "" {
				t.Errorf("it was committed: %q", value)
			}
		})
	}
}
