package kvledger_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// unknown is what was simulated, without the private data.
func unknown(r *kvledger.Results) *kvledger.Results { return &kvledger.Results{RWSet: r.RWSet} }

// TestPrivateDataIsMissing commits at block 1 what this ledger does not have the private data of, or has the wrong. The
// hash is committed, and the value stays what it was.
func TestPrivateDataIsMissing(t *testing.T) {
	const missing = "private data matching public hash version is not available. Public hash version = "
	const old, changed = "{BlockNum: 0, TxNum: 0}", "{BlockNum: 1, TxNum: 0}"
	for _, test := range []struct {
		name  string
		ops   []op
		err   string // of k; "" is none
		value string // that is kept
	}{
		{"written", []op{putPrivate("k", "new")}, missing + changed + ", Private data version = " + old, "old"},
		{"created", []op{putPrivate("k", ""), putPrivate("new", "v")}, missing + "<nil>, Private data version = " + old, "old"},
		{"deleted", []op{putPrivate("k", "")}, missing + "<nil>, Private data version = " + old, "old"},
		{"metadata", []op{setPrivateMetadata("k", "a=1")}, "", "old"}, // whose value is still the one that the hash is of
		{"purged", []op{purge("k")}, "", ""},
	} {
		for how, change := range mismatches(t) {
			t.Run(test.name+"/"+how, func(t *testing.T) {
				l := openMemory(t)
				commitResults(t, l, results(t, l, putPrivate("k", "old"), putPrivate("other", "1")))
				if got := commitResults(t, l, change(results(t, l, test.ops...))); got[0] != valid {
					t.Fatalf("code is %v", got[0])
				}
				_, _, err := private(t, l, "k")
				if (test.err == "") != (err == nil) || (err != nil && err.Error() != test.err) {
					t.Errorf("error is %v, want %s", err, test.err)
				}
				want := "other=1"
				if test.value != "" {
					want = "k=" + test.value + " other=1"
				}
				if got := collection(t, l, ledger.Range{}); got != want {
					t.Errorf("collection has %q, want %q", got, want)
				}
				commitResults(t, l, results(t, l, putPrivate("k", "again")))
				if value, hashed, err := private(t, l, "k"); value != "again" || hashed != string(hash([]byte("again"))) || err != nil {
					t.Errorf("written again: %q, hash %x, %v", value, hashed, err)
				}
			})
		}
	}
	l := openMemory(t)
	commitResults(t, l, unknown(results(t, l, putPrivate("new", "v"))))
	_, hashed, err := private(t, l, "new")
	wantError(t, "a key whose value never was there", err, missing+old+", Private data version = <nil>")
	if hashed != string(hash([]byte("v"))) {
		t.Errorf("its hash is %x", hashed)
	}
}

// mismatches are ways in which private data is not what the public read/write set has the hashes of.
func mismatches(t *testing.T) map[string]func(*kvledger.Results) *kvledger.Results {
	edit := func(change func(*pb.KVRWSet)) func(*kvledger.Results) *kvledger.Results {
		return func(r *kvledger.Results) *kvledger.Results {
			return &kvledger.Results{RWSet: r.RWSet, PrivateRWSet: editPrivate(t, r.PrivateRWSet, change)}
		}
	}
	// lying has the public part have the hash of the changed private data: what is inside does not fit.
	lying := func(change func(*pb.KVRWSet)) func(*kvledger.Results) *kvledger.Results {
		return func(r *kvledger.Results) *kvledger.Results {
			private := editPrivate(t, r.PrivateRWSet, change)
			return &kvledger.Results{RWSet: rehash(t, r.RWSet, private), PrivateRWSet: private}
		}
	}
	value := func(kv *pb.KVRWSet) {
		kv.MetadataWrites = nil
		kv.Writes = []*pb.KVWrite{{Key: "k", Value: []byte("forged")}}
	}
	key := func(kv *pb.KVRWSet) {
		for _, w := range kv.Writes {
			w.Key += "x"
		}
		for _, m := range kv.MetadataWrites {
			m.Key += "x"
		}
	}
	return map[string]func(*kvledger.Results) *kvledger.Results{
		"unknown": unknown,
		"garbage": func(r *kvledger.Results) *kvledger.Results {
			return &kvledger.Results{RWSet: r.RWSet, PrivateRWSet: []byte("garbage")}
		},
		"another value": edit(value), "another key": edit(key),
		"other bytes":           edit(func(kv *pb.KVRWSet) { kv.ProtoReflect().SetUnknown([]byte{0x78, 1}) }),
		"a lie of omission":     lying(func(kv *pb.KVRWSet) { kv.Writes, kv.MetadataWrites = nil, nil }),
		"a lie about the value": lying(value), "a lie about the key": lying(key),
		"a lie about how many": lying(func(kv *pb.KVRWSet) {
			kv.Writes = append(kv.Writes, &pb.KVWrite{Key: "other", IsDelete: true})
		}),
		"a lie that is garbage": func(r *kvledger.Results) *kvledger.Results {
			private := marshal(t, &pb.TxPvtReadWriteSet{NsPvtRwset: []*pb.NsPvtReadWriteSet{{
				Namespace: ns, CollectionPvtRwset: []*pb.CollectionPvtReadWriteSet{{CollectionName: coll, Rwset: []byte{0xff}}},
			}}})
			return &kvledger.Results{RWSet: rehash(t, r.RWSet, private), PrivateRWSet: private}
		},
	}
}

// editPrivate changes the private read/write set of the collection.
func editPrivate(t *testing.T, b []byte, change func(*pb.KVRWSet)) []byte {
	t.Helper()
	set, kv := new(pb.TxPvtReadWriteSet), new(pb.KVRWSet)
	if err := proto.Unmarshal(b, set); err != nil {
		t.Fatal(err)
	}
	collection := set.NsPvtRwset[0].CollectionPvtRwset[0]
	if err := proto.Unmarshal(collection.Rwset, kv); err != nil {
		t.Fatal(err)
	}
	change(kv)
	collection.Rwset = marshal(t, kv)
	return marshal(t, set)
}

// rehash puts the hash of a private read/write set into the public one.
func rehash(t *testing.T, rwset, private []byte) []byte {
	t.Helper()
	public, set := new(pb.TxReadWriteSet), new(pb.TxPvtReadWriteSet)
	if err := proto.Unmarshal(rwset, public); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(private, set); err != nil {
		t.Fatal(err)
	}
	public.NsRwset[0].CollectionHashedRwset[0].PvtRwsetHash = hash(set.NsPvtRwset[0].CollectionPvtRwset[0].Rwset)
	return marshal(t, public)
}

// Whoever says that the metadata of another key was written gets nothing by it.
func TestLieAboutMetadata(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("k", "1"), putPrivate("other", "1")))
	lie := results(t, l, setPrivateMetadata("k", "a=1"))
	lie.PrivateRWSet = editPrivate(t, lie.PrivateRWSet, func(kv *pb.KVRWSet) { kv.MetadataWrites[0].Key = "other" })
	lie.RWSet = rehash(t, lie.RWSet, lie.PrivateRWSet)
	commitResults(t, l, results(t, l, putPrivate("other", "2")), lie)
	if value, _, err := private(t, l, "other"); value != "2" || err != nil {
		t.Errorf("the other key is %q, %v", value, err)
	}
}

// A collection that is known is committed beside one that is not.
func TestPrivateDataIsPartlyKnown(t *testing.T) {
	l := openMemory(t)
	sim := newSimulator(t, l, "tx")
	for _, c := range []string{"one", "two"} {
		if err := sim.SetPrivateData(t.Context(), ns, c, "k", []byte(c)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set := new(pb.TxPvtReadWriteSet)
	if err := proto.Unmarshal(r.PrivateRWSet, set); err != nil {
		t.Fatal(err)
	}
	set.NsPvtRwset[0].CollectionPvtRwset = set.NsPvtRwset[0].CollectionPvtRwset[1:]
	commitResults(t, l, &kvledger.Results{RWSet: r.RWSet, PrivateRWSet: marshal(t, set)})
	sim = newSimulator(t, l, "read")
	if _, err := sim.GetPrivateData(t.Context(), ns, "one", "k"); err == nil {
		t.Error("a value that is not known can be read")
	}
	if value, err := sim.GetPrivateData(t.Context(), ns, "two", "k"); string(value) != "two" || err != nil {
		t.Errorf("the value that is known is %q, %v", value, err)
	}
}

// TestPurgeUnknown purges, without the private data of the purge, what the same block and earlier ones have written.
func TestPurgeUnknown(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("a", "1"), putPrivate("k", "old"), putPrivate("z", "1"), setPrivateMetadata("k", "a=1")))
	commitResults(t, l, unknown(results(t, l, putPrivate("k", "never known"))))
	commitResults(t, l, unknown(results(t, l, purge("k"))))
	if got := collection(t, l, ledger.Range{}); got != "a=1 z=1" {
		t.Errorf("collection has %q: an old value was not purged", got)
	}
	commitResults(t, l, results(t, l, putPrivate("k", "1")), unknown(results(t, l, purge("k"), purge("absent"))))
	if value, hashed, err := private(t, l, "k"); value != "" || hashed != "" || err != nil {
		t.Errorf("k is %q, hash %x, %v", value, hashed, err)
	}
	commitResults(t, l, results(t, l, purge("a")))
	if got := collection(t, l, ledger.Range{}); got != "z=1" {
		t.Errorf("collection has %q", got)
	}
}

// TestPurgeManyUnknown counts how often a commit reads: purges are found by their hashes, all at once.
func TestPurgeManyUnknown(t *testing.T) {
	s := &countingStore{Store: openStore(t)}
	l := open(t, kvledger.NewProvider(s), "mychannel")
	var puts, purges []op
	for i := range 100 {
		key := fmt.Sprintf("k%02d", i)
		puts, purges = append(puts, putPrivate(key, "1")), append(purges, purge(key), purge("absent"+key))
	}
	commitResults(t, l, results(t, l, append(puts, putPrivate("other", "1"))...))
	known := results(t, l, purge("k00"))
	for i, r := range []*kvledger.Results{known, unknown(results(t, l, putPrivate("k01", "2"))), unknown(results(t, l, purges...))} {
		height, err := l.Height(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.reads.Store(0)
		code, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: fmt.Sprint(height), RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet})
		if code != valid || err != nil || s.reads.Load() != 1 {
			t.Errorf("%d: %v, %v, with %d reads, want 1", i, code, err, s.reads.Load())
		}
	}
	if got := collection(t, l, ledger.Range{}); got != "other=1" {
		t.Errorf("collection has %q", got)
	}
}

// countingStore counts what is read, many keys at once being one.
type countingStore struct {
	store.Store
	reads atomic.Int64
}

func (s *countingStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	inner, err := s.Store.Snapshot(ctx)
	return &countingSnapshot{inner, &s.reads}, err
}

type countingSnapshot struct {
	store.Snapshot
	reads *atomic.Int64
}

func (s *countingSnapshot) Get(ctx context.Context, key string) ([]byte, error) {
	s.reads.Add(1)
	return s.Snapshot.Get(ctx, key)
}

func (s *countingSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	s.reads.Add(1)
	return s.Snapshot.GetMany(ctx, keys)
}

func (s *countingSnapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	s.reads.Add(1)
	return s.Snapshot.Scan(lo, hi, o)
}

// Metadata gives a value another version only if it is the one that the hash is of.
func TestMetadataOfStaleValue(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putPrivate("k", "old")))
	commitResults(t, l, unknown(results(t, l, putPrivate("k", "new"))))
	commitResults(t, l, results(t, l, setPrivateMetadata("k", "a=1")))
	_, _, err := private(t, l, "k")
	wantError(t, "stale value", err, "private data matching public hash version is not available. "+
		"Public hash version = {BlockNum: 2, TxNum: 0}, Private data version = {BlockNum: 0, TxNum: 0}")
}
