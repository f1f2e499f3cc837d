package kvledger_test

import (
	"math"
	"reflect"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// define gives the namespace collections, by name and how many blocks what is in them lives.
func define(t testing.TB, l *kvledger.Ledger, collections ...ledger.CollectionConfig) {
	t.Helper()
	if err := l.Define(t.Context(), ns, kvledger.Definition{Collections: collections}); err != nil {
		t.Fatal(err)
	}
}

// TestDefinition defines a namespace several times, and reads the definition back.
func TestDefinition(t *testing.T) {
	l := openMemory(t)
	if d, err := l.Definition(t.Context(), ns); d != nil || err != nil {
		t.Errorf("before it is defined: %+v, %v", d, err)
	}
	full := ledger.CollectionConfig{
		Name: coll, Policy: "OR('Org1MSP.member')", RequiredPeerCount: 1, MaxPeerCount: 2, BlockToLive: math.MaxUint64, MemberOnlyRead: true,
	}
	for _, want := range [][]ledger.CollectionConfig{{full}, nil, {{Name: "other", MemberOnlyWrite: true}, full}} {
		for range 2 {
			define(t, l, want...)
			d, err := l.Definition(t.Context(), ns)
			if err != nil || !reflect.DeepEqual(d.Collections, want) {
				t.Errorf("collections are %+v, %v, want %+v", d.Collections, err, want)
			}
		}
	}
	sim := newSimulator(t, l, "tx")
	define(t, l)
	c, err := sim.GetCollectionConfig(t.Context(), ns, coll)
	if err != nil || !reflect.DeepEqual(*c, full) {
		t.Errorf("what the simulator sees is %+v, %v, want what was there when it was made, %+v", c, err, full)
	}
	for _, name := range []string{"never", "_implicit_org_Org1MSP"} {
		if c, err := sim.GetCollectionConfig(t.Context(), ns, name); c != nil || err != nil {
			t.Errorf("collection %q: %+v, %v", name, c, err)
		}
	}
	if c, err := sim.GetCollectionConfig(t.Context(), "undefined", coll); c != nil || err != nil {
		t.Errorf("collection of another namespace: %+v, %v", c, err)
	}
	if height, err := l.Height(t.Context()); height != 0 || err != nil {
		t.Errorf("height is %d, %v: a definition is no block", height, err)
	}
}

// TestDefinitionRefused defines what can't be.
func TestDefinitionRefused(t *testing.T) {
	l := openMemory(t)
	for want, names := range map[string][]string{
		"collection name must not be an empty string": {""},
		"must not contain U+0000":                     {"a\x00b"},
		"those of collections that always exist":      {"_implicit_org_Org1MSP"},
		`collection 2: there are two of the name "a"`: {"a", "b", "a"},
	} {
		var d kvledger.Definition
		for _, name := range names {
			d.Collections = append(d.Collections, ledger.CollectionConfig{Name: name})
		}
		wantErrorHas(t, "define", l.Define(t.Context(), ns, d), want)
	}
	wantErrorHas(t, "define", l.Define(t.Context(), "", kvledger.Definition{}), "namespace must not be an empty string")
	if d, err := l.Definition(t.Context(), ns); d != nil || err != nil {
		t.Errorf("after what was refused: %+v, %v", d, err)
	}
}

// TestUndefinedCollections uses collections that are not defined, where others are.
func TestUndefinedCollections(t *testing.T) {
	const undefined = "collection [secrets] not defined in the collection config for chaincode [asset]"
	l := openMemory(t)
	uses := map[string]func(*kvledger.Simulator, string) error{
		"get": func(s *kvledger.Simulator, c string) error { return second(s.GetPrivateData(t.Context(), ns, c, "k")) },
		"hash": func(s *kvledger.Simulator, c string) error {
			return second(s.GetPrivateDataHash(t.Context(), ns, c, "k"))
		},
		"set": func(s *kvledger.Simulator, c string) error {
			return s.SetPrivateData(t.Context(), ns, c, "k", []byte("v"))
		},
		"delete": func(s *kvledger.Simulator, c string) error { return s.DeletePrivateData(t.Context(), ns, c, "k") },
		"purge":  func(s *kvledger.Simulator, c string) error { return s.PurgePrivateData(t.Context(), ns, c, "k") },
		"get metadata": func(s *kvledger.Simulator, c string) error {
			return second(s.GetPrivateDataMetadata(t.Context(), ns, c, "k"))
		},
		"set metadata": func(s *kvledger.Simulator, c string) error {
			return s.SetPrivateDataMetadata(t.Context(), ns, c, "k", nil)
		},
		"range": func(s *kvledger.Simulator, c string) error {
			return second(s.GetPrivateDataRange(t.Context(), ns, c, ledger.Range{}))
		},
		"query": func(s *kvledger.Simulator, c string) error {
			return second(s.ExecuteQueryOnPrivateData(t.Context(), ns, c, `{"selector":{}}`))
		},
	}
	for name, use := range uses {
		l = openMemory(t)
		try := func(c, want string) {
			t.Helper()
			sim := newSimulator(t, l, "tx")
			defer sim.Done()
			if err := use(sim, c); (err == nil) != (want == "") || err != nil && err.Error() != want {
				t.Errorf("%s of %q: error is %v, want %q", name, c, err, want)
			}
		}
		try(coll, "")
		define(t, l)
		try(coll, undefined)
		define(t, l, ledger.CollectionConfig{Name: "other"})
		try(coll, undefined)
		try("other", "")
		try("_implicit_org_Org1MSP", "")
	}
}

// TestBlockToLive writes private data at block 0, and watches it expire with block BTL+1 unless it is written again.
func TestBlockToLive(t *testing.T) {
	for _, test := range []struct {
		name   string
		btl    uint64
		first  func(*kvledger.Results) *kvledger.Results // what is known of block 0
		blocks map[int][]op                              // besides block 0
		want   []string                                  // state of k after each block, from 0: its value and whether it has a hash
	}{
		{name: "for ever", want: []string{"v#", "v#", "v#", "v#"}},
		{name: "so long that it overflows", btl: math.MaxUint64, want: []string{"v#", "v#"}},
		{name: "nearly", btl: math.MaxUint64 - 1, want: []string{"v#", "v#"}},
		{name: "one block", btl: 1, want: []string{"v#", "v#", "", ""}},
		{name: "two blocks", btl: 2, want: []string{"v#", "v#", "v#", "", ""}},
		{name: "written again", btl: 1, blocks: map[int][]op{1: {putPrivate("k", "w")}}, want: []string{"v#", "w#", "w#", "", ""}},
		{name: "written by the block that it expires with", btl: 1, blocks: map[int][]op{2: {putPrivate("k", "w")}}, want: []string{"v#", "v#", "w#", "w#", "", ""}},
		{name: "read by the block that it expires with", btl: 1, blocks: map[int][]op{2: {getPrivate("k"), put("x", "y")}}, want: []string{"v#", "v#", ""}},
		{name: "deleted", btl: 1, blocks: map[int][]op{1: {putPrivate("k", "")}}, want: []string{"v#", "", "", ""}},
		{name: "purged and written", btl: 2, blocks: map[int][]op{1: {purge("k")}, 2: {putPrivate("k", "w")}}, want: []string{"v#", "", "w#", "w#", "w#", ""}},
		{name: "metadata", btl: 1, blocks: map[int][]op{1: {setPrivateMetadata("k", "a=1")}}, want: []string{"v#", "v#", "v#", "", ""}},
		{name: "not known", btl: 1, first: unknown, want: []string{"!#", "!#", "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := openMemory(t)
			define(t, l, ledger.CollectionConfig{Name: coll, BlockToLive: test.btl})
			for block, want := range test.want {
				ops := test.blocks[block]
				if block == 0 {
					ops = []op{putPrivate("k", "v"), setPrivateMetadata("k", "m=1")}
				}
				r := results(t, l, ops...)
				if block == 0 && test.first != nil {
					r = test.first(r)
				}
				if got := commitResults(t, l, r); got[0] != valid {
					t.Fatalf("block %d: %v", block, got[0])
				}
				if got := expiring(t, l); got != want {
					t.Errorf("after block %d it is %q, want %q", block, got, want)
				}
			}
		})
	}
}

// expiring returns the value of k, or "!" if there is an error, and "#" if there is a hash.
func expiring(t *testing.T, l *kvledger.Ledger) string {
	t.Helper()
	value, hashed, err := private(t, l, "k")
	if err != nil {
		value = "!"
	}
	if hashed != "" {
		return value + "#"
	}
	sim := newSimulator(t, l, "read")
	defer sim.Done()
	if m, err := sim.GetPrivateDataMetadata(t.Context(), ns, coll, "k"); len(m) > 0 || err != nil {
		t.Errorf("metadata of what is not there: %v, %v", m, err)
	}
	if got := collection(t, l, ledger.Range{}); got != "" {
		t.Errorf("the collection still has %q", got)
	}
	return value
}

// TestExpiredRead commits what has read private data that has expired meanwhile.
func TestExpiredRead(t *testing.T) {
	l := openMemory(t)
	define(t, l, ledger.CollectionConfig{Name: coll, BlockToLive: 1})
	commitResults(t, l, results(t, l, putPrivate("k", "v")))
	commit(t, l)
	stale := results(t, l, getPrivate("k"), put("x", "y"))
	commit(t, l)
	if got := commitResults(t, l, stale); got[0] != mvcc {
		t.Errorf("code is %v, want %v", got[0], mvcc)
	}
}
