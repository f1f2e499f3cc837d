package kvledger_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// TestStaleValueExpires commits values that expire with block 3, of which this ledger is not told what becomes of them: they
// go in time, though the hashes are others, or gone.
func TestStaleValueExpires(t *testing.T) {
	const old = `{"n":1}`
	for _, test := range []struct {
		name   string
		blocks map[int]op // of which the private data is not known
		known  map[int]op
		until  int // block that the value is there after
		hashed bool
	}{
		{name: "nothing happens", until: 2},
		{name: "written again", blocks: map[int]op{1: putPrivate("k", "new")}, until: 2, hashed: true},
		{name: "deleted", blocks: map[int]op{1: putPrivate("k", "")}, until: 2},
		{name: "written by the block that it expires with", blocks: map[int]op{3: putPrivate("k", "new")}, until: 2, hashed: true},
		{name: "deleted by the block that it expires with", blocks: map[int]op{3: putPrivate("k", "")}, until: 2},
		{name: "written twice in the first block", blocks: map[int]op{0: putPrivate("k", "new")}, until: 2},
		{name: "given metadata", blocks: map[int]op{1: setPrivateMetadata("k", "a=1")}, until: 3, hashed: true},
		{name: "known again", blocks: map[int]op{1: putPrivate("k", "new")}, known: map[int]op{2: putPrivate("k", old)}, until: 3, hashed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := openMemory(t)
			defineExpiring(t, l, 2)
			for block := range 4 {
				var all []*kvledger.Results
				if block == 0 {
					all = append(all, results(t, l, putPrivate("k", old)))
				}
				if o := test.known[block]; o != nil {
					all = append(all, results(t, l, o))
				}
				if o := test.blocks[block]; o != nil {
					all = append(all, unknown(results(t, l, o)))
				}
				commitResults(t, l, all...)
				want, found := "", ""
				if block <= test.until {
					want, found = "k="+old, "k"
				}
				if got := collection(t, l, ledger.Range{}); got != want {
					t.Errorf("after block %d the collection has %q, want %q", block, got, want)
				}
				if got := privateDocuments(t, l); got != found {
					t.Errorf("after block %d the index has %q, want %q", block, got, found)
				}
			}
			if _, hashed, _ := private(t, l, "k"); (hashed != "") != test.hashed {
				t.Errorf("the hash is %x", hashed)
			}
		})
	}
}

// defineExpiring gives the namespace a collection with an index.
func defineExpiring(t *testing.T, l *kvledger.Ledger, blockToLive uint64) {
	t.Helper()
	x, err := kvledger.ParseIndex([]byte(`{"index":{"fields":["n"]},"ddoc":"d","name":"n"}`))
	if err != nil {
		t.Fatal(err)
	}
	d := kvledger.Definition{
		Collections: []ledger.CollectionConfig{{Name: coll, BlockToLive: blockToLive}},
		Indexes:     []kvledger.Index{x.In(coll)},
	}
	if err := l.Define(t.Context(), ns, d); err != nil {
		t.Fatal(err)
	}
}

// privateDocuments returns the keys of those that the index has.
func privateDocuments(t *testing.T, l *kvledger.Ledger) string {
	t.Helper()
	it, err := newSimulator(t, l, "query").ExecuteQueryOnPrivateData(t.Context(), ns, coll, `{"selector":{"n":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	return keysOf(t, it)
}

// TestStaleValueExpiresWithAnother shortens what is left of a value's life: what it was written with, and what this ledger
// was not given, expire with the same block, before which the hash is deleted.
func TestStaleValueExpiresWithAnother(t *testing.T) {
	l := openMemory(t)
	defineExpiring(t, l, 4)
	commitResults(t, l, results(t, l, putPrivate("k", "old"))) // until block 5
	commit(t, l)
	commit(t, l)
	defineExpiring(t, l, 1)
	commitResults(t, l, unknown(results(t, l, putPrivate("k", "new")))) // block 3, until block 5
	commitResults(t, l, unknown(results(t, l, putPrivate("k", ""))))
	if got := collection(t, l, ledger.Range{}); got != "k=old" {
		t.Errorf("before it expires: %q", got)
	}
	commit(t, l)
	if got := collection(t, l, ledger.Range{}); got != "" {
		t.Errorf("it has not expired: %q", got)
	}
}

// TestExpiryLeavesNothing lets a value expire. No key of the store has its key's hash any more: not even the note of when it expires.
func TestExpiryLeavesNothing(t *testing.T) {
	s := memory.New()
	l := open(t, kvledger.NewProvider(s), "ch")
	defineExpiring(t, l, 1)
	left := func() (n int) {
		snap, err := s.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		for it := snap.Scan("", "", store.ScanOptions{}); ; {
			key, _, ok, err := it.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return n
			}
			if strings.Contains(key, string(hash([]byte("k")))) {
				n++
			}
		}
	}
	commitResults(t, l, results(t, l, putPrivate("k", "v"), setPrivateMetadata("k", "a=1")))
	if n := left(); n < 3 {
		t.Fatalf("the hash is in %d keys, want those of the hash, of the name and of the note at least", n)
	}
	commit(t, l)
	commit(t, l)
	if n := left(); n != 0 {
		t.Errorf("the hash is in %d keys", n)
	}
}
