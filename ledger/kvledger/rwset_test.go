package kvledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// TestGolden compares with bytes that were written down by hand, after Fabric's rwset.proto and kv_rwset.proto.
func TestGolden(t *testing.T) {
	l := openMemory(t)
	commit(t, l)
	commit(t, l, simulate(t, l, put("a", "1")), simulate(t, l, put("b", "1")))
	const (
		readA  = "0a07" + "0a0161" + "12020801"
		absent = "0a08" + "0a06616273656e74"
		readB  = "0a09" + "0a0162" + "120408011001"
		ranged = "1211" + "0a0161" + "120161" + "2209" + readA
		delA   = "1a05" + "0a0161" + "1001"
		putC   = "1a06" + "0a0163" + "1a0178"
		want   = "1249" + "0a056173736574" + "1240" + readA + absent + readB + ranged + delA + putC
	)
	got := simulate(t, l, get("b", "absent", "a", "b"), put("c", "w"), put("c", "x"), put("a", "y"), scan("a", "z", 1), del("a"))
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

// TestGoldenPrivate compares with bytes that were written down by hand too. Hashes are in the order of the keys.
func TestGoldenPrivate(t *testing.T) {
	l := openMemory(t)
	commit(t, l)
	commitResults(t, l, results(t, l, putPrivate("b", "1")))
	got := results(t, l, getPrivate("b"), getHash("absent"), purge("c"), putPrivate("a", "x"), putPrivate("b", ""), setPrivateMetadata("b", "n=v"),
		setMetadata("m", "n=v"))
	sum := func(s string) string { return "20" + hex.EncodeToString(hash([]byte(s))) }
	const (
		entry    = "12060a016e120176"
		metadata = "220b" + "0a016d" + entry
		writeA   = "1a06" + "0a0161" + "1a0178"
		deleteB  = "1a05" + "0a0162" + "1001"
		deleteC  = "1a05" + "0a0163" + "1001"
		metaB    = "2203" + "0a0162"
		private  = writeA + deleteB + deleteC + metaB
		secrets  = "0a07" + "73656372657473"
		asset    = "0a05" + "6173736574"
	)
	reads := "0a22" + "0a" + sum("absent") + "0a26" + "0a" + sum("b") + "12020801"
	writes := "1244" + "0a" + sum("a") + "1a" + sum("x") + "1224" + "0a" + sum("b") + "1001" + "1226" + "0a" + sum("c") + "1001" + "2001"
	hashed := reads + writes + "1a2a" + "0a" + sum("b") + entry
	privateBytes, err := hex.DecodeString(private)
	if err != nil {
		t.Fatal(err)
	}
	field := func(tag, content string) string {
		return tag + hex.EncodeToString(binary.AppendUvarint(nil, uint64(len(content)/2))) + content
	}
	collection := secrets + field("12", hashed) + "1a" + sum(string(privateBytes))
	public := field("12", asset+field("12", metadata)+field("1a", collection))
	if hex.EncodeToString(got.RWSet) != public {
		t.Errorf("public: got  %x\nwant %s", got.RWSet, public)
	}
	if want := field("12", asset+field("12", secrets+field("12", private))); hex.EncodeToString(got.PrivateRWSet) != want {
		t.Errorf("private: got  %x\nwant %s", got.PrivateRWSet, want)
	}
	for name, ops := range map[string][]op{
		"reads": {getPrivate("b"), getHash("b")}, "public writes": {put("k", "v"), setMetadata("k", "n=v")},
	} {
		if got := results(t, l, ops...); got.PrivateRWSet != nil {
			t.Errorf("%s have the private part %x", name, got.PrivateRWSet)
		}
	}
	set := new(pb.TxReadWriteSet)
	if err := proto.Unmarshal(simulate(t, l, getPrivate("b")), set); err != nil || set.NsRwset[0].CollectionHashedRwset[0].PvtRwsetHash != nil {
		t.Errorf("a read alone has %v, %v", set, err)
	}
}

func TestNamespacesAreSorted(t *testing.T) {
	l := openMemory(t)
	sim := newSimulator(t, l, "tx")
	for _, name := range []string{"c", "a", "b"} {
		if err := sim.SetState(t.Context(), name, "k", []byte("v")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sim.GetStateRange(t.Context(), "unread", all); err != nil {
		t.Fatal(err)
	}
	results, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rwset pb.TxReadWriteSet
	if err := proto.Unmarshal(results.RWSet, &rwset); err != nil {
		t.Fatal(err)
	}
	var names string
	for _, n := range rwset.NsRwset {
		names += n.Namespace
	}
	if names != "abc" {
		t.Errorf("namespaces are %q, want abc: sorted, and without the one that was not touched", names)
	}
}

// Equal simulations are equal bytes, in whatever order they were done.
func TestEqualSimulations(t *testing.T) {
	l := openMemory(t)
	fill(t, l, 200)
	commitResults(t, l, results(t, l, putPrivate("p", "1")))
	ops := []op{
		get("k0001", "k0002"), put("x", "1"), del("k0003"), get("absent"), put("y", "2"), getMany("k0004", "k0001"),
		setMetadata("x", "b=2", "a=1"), getPrivate("p"), putPrivate("x", "1"), putPrivate("p", "2"), purge("z"), setPrivateMetadata("p", "a=1", "b=2"),
	}
	ranges := []op{scan("", "k0100", -1), scan("k0001", "", 3), scan("k0001", "", 3), scan("zz", "", -1)}
	first := results(t, l, append(ops, ranges...)...)
	for i := range ops {
		rotated := append(append([]op{}, ops[i:]...), ops[:i]...)
		got := results(t, l, append(rotated, ranges...)...)
		if !bytes.Equal(got.RWSet, first.RWSet) || !bytes.Equal(got.PrivateRWSet, first.PrivateRWSet) {
			t.Errorf("rotated by %d:\n%x, want\n%x", i, got, first)
		}
	}
	if n := len(decode(t, first.RWSet).RangeQueriesInfo); n != 3 {
		t.Errorf("%d ranges are noted, want 3: equal ones once", n)
	}
}

// fill commits n keys k0000 …, in one block.
func fill(t testing.TB, l *kvledger.Ledger, n int) {
	t.Helper()
	var ops []op
	for i := range n {
		ops = append(ops, put(fmt.Sprintf("k%04d", i), "v"))
	}
	commit(t, l, simulate(t, l, ops...))
}

// TestRangeQueryInfo reads a range to n results and compares with what Fabric notes, whose Merkle tree is computed
// here from its definition, level by level.
func TestRangeQueryInfo(t *testing.T) {
	l := openMemory(t)
	const keys = 3 * 51 * 51
	fill(t, l, keys)
	for _, n := range []int{0, 1, 49, 50, 51, 52, 101, 102, 51 * 50, 51 * 51, 51*51 + 1, 51*51 + 51, 51*51 + 52, 2*51*51 + 102, keys, -1} {
		kv := &pb.KVRWSet{}
		if b := simulate(t, l, scan("k", "l", n)); len(b) > 0 {
			kv = decode(t, b)
		}
		if n == 0 {
			if len(kv.RangeQueriesInfo) != 0 {
				t.Errorf("a range of which nothing was asked is noted: %v", kv)
			}
			continue
		}
		want := &pb.RangeQueryInfo{StartKey: "k", EndKey: "l", ItrExhausted: n < 0}
		if n < 0 {
			n = keys
		} else {
			want.EndKey = fmt.Sprintf("k%04d", n-1)
		}
		noteReads(t, want, n)
		if len(kv.RangeQueriesInfo) != 1 || !proto.Equal(kv.RangeQueriesInfo[0], want) {
			t.Errorf("%d results: noted %v, want %v", n, kv.RangeQueriesInfo, want)
		}
	}
}

func noteReads(t *testing.T, info *pb.RangeQueryInfo, n int) {
	t.Helper()
	var reads []*pb.KVRead
	for i := range n {
		reads = append(reads, readOf(fmt.Sprintf("k%04d", i), &pb.Version{}))
	}
	if n <= 50 {
		info.ReadsInfo = &pb.RangeQueryInfo_RawReads{RawReads: &pb.QueryReads{KvReads: reads}}
		return
	}
	var hashes [][]byte
	for len(reads) > 0 {
		group := reads[:min(51, len(reads))]
		b, err := proto.Marshal(&pb.QueryReads{KvReads: group})
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, hash(b))
		reads = reads[len(group):]
	}
	level := uint32(1)
	for ; len(hashes) > 50; level++ {
		var next [][]byte
		for len(hashes) > 0 {
			group := hashes[:min(51, len(hashes))]
			if len(group) == 1 {
				next = append(next, group[0])
			} else {
				next = append(next, hash(bytes.Join(group, nil)))
			}
			hashes = hashes[len(group):]
		}
		hashes = next
	}
	info.ReadsInfo = &pb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &pb.QueryReadsMerkleSummary{
		MaxDegree: 50, MaxLevel: level, MaxLevelHashes: hashes,
	}}
}

func hash(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

func readOf(key string, v *pb.Version) *pb.KVRead { return &pb.KVRead{Key: key, Version: v} }

// rwsetOf marshals a read/write set of reads, writes and ranges in one namespace.
func rwsetOf(t testing.TB, parts ...proto.Message) []byte {
	t.Helper()
	kv := new(pb.KVRWSet)
	for _, p := range parts {
		switch p := p.(type) {
		case *pb.KVRead:
			kv.Reads = append(kv.Reads, p)
		case *pb.KVWrite:
			kv.Writes = append(kv.Writes, p)
		case *pb.RangeQueryInfo:
			kv.RangeQueriesInfo = append(kv.RangeQueriesInfo, p)
		case *pb.KVMetadataWrite:
			kv.MetadataWrites = append(kv.MetadataWrites, p)
		default:
			t.Fatalf("a read/write set has no %T", p)
		}
	}
	return marshal(t, &pb.TxReadWriteSet{NsRwset: []*pb.NsReadWriteSet{{Namespace: ns, Rwset: marshal(t, kv)}}})
}

// hashedSetOf marshals the public read/write set of one collection.
func hashedSetOf(t testing.TB, collection string, parts ...proto.Message) *pb.CollectionHashedReadWriteSet {
	t.Helper()
	set := new(pb.HashedRWSet)
	for _, p := range parts {
		switch p := p.(type) {
		case *pb.KVReadHash:
			set.HashedReads = append(set.HashedReads, p)
		case *pb.KVWriteHash:
			set.HashedWrites = append(set.HashedWrites, p)
		case *pb.KVMetadataWriteHash:
			set.MetadataWrites = append(set.MetadataWrites, p)
		default:
			t.Fatalf("a collection's read/write set has no %T", p)
		}
	}
	return &pb.CollectionHashedReadWriteSet{CollectionName: collection, HashedRwset: marshal(t, set)}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
