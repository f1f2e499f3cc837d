package kvledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
)

// find returns the keys that a query finds in the public state, and checks that it finds the same in the collection.
func find(t testing.TB, l *kvledger.Ledger, query string) string {
	t.Helper()
	sim := newSimulator(t, l, "tx")
	defer sim.Done()
	public, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	private, err := sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, query)
	if err != nil {
		t.Fatal(err)
	}
	found, foundPrivate := keysOf(t, public), keysOf(t, private)
	if found != foundPrivate {
		t.Errorf("%s finds %q, but %q in the collection", query, found, foundPrivate)
	}
	return found
}

func keysOf(t testing.TB, it ledger.Iterator) string {
	t.Helper()
	defer it.Close()
	var all []string
	for {
		kv, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kv == nil {
			return strings.Join(all, " ")
		}
		all = append(all, kv.Key)
	}
}

// used returns which index a query uses, after checking that it's the same for the collection.
func used(t testing.TB, l *kvledger.Ledger, query string) string {
	t.Helper()
	public, err := l.Explain(t.Context(), ns, "", query)
	if err != nil {
		t.Fatal(err)
	}
	private, err := l.Explain(t.Context(), ns, coll, query)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(public.Index) != fmt.Sprint(private.Index) {
		t.Errorf("%s uses %+v, but %+v in the collection", query, public.Index, private.Index)
	}
	return strings.Join(public.Index.Fields, ",")
}

func putBoth(key, value string) op {
	return func(t testing.TB, sim *kvledger.Simulator) {
		put(key, value)(t, sim)
		putPrivate(key, value)(t, sim)
	}
}

// TestIndexFollowsWrites writes documents in all ways and in several transactions of a block, and looks for them by an index
// after each. What was found by looking at all documents is what must be found.
func TestIndexFollowsWrites(t *testing.T) {
	l, plain := openMemory(t), openMemory(t)
	defineIndexes(t, l, `["n"]`, `["s","n"]`)
	define(t, plain, ledger.CollectionConfig{Name: coll})
	random := rand.New(rand.NewPCG(1, 2))
	values := []string{
		`{"n":1}`, `{"n":2,"s":"a"}`, `{"n":2,"s":"b"}`, `{"s":"a"}`, `{"n":[2],"s":null}`, "no document", "", `{"n":2.0,"s":"a"}`,
		`{"n":3,"s":"` + strings.Repeat("long", 500) + `"}`, `{"n":2,"s":"` + strings.Repeat("long", 500) + `!"}`,
	}
	queries := []string{
		`{"selector":{"n":2}}`, `{"selector":{"n":{"$gt":1}}}`, `{"selector":{"s":"a","n":{"$lte":2}},"use_index":"i1"}`,
		`{"selector":{"s":{"$beginsWith":"longlong"},"n":{"$gt":0}},"use_index":"i1"}`, `{"selector":{"s":{"$gte":"` + strings.Repeat("long", 500) + `!"},"n":{"$gt":0}},"use_index":"i1"}`,
	}
	for block := range 60 {
		var all []*kvledger.Results
		for range 1 + random.IntN(4) {
			var ops []op
			for range 1 + random.IntN(3) {
				ops = append(ops, putBoth(fmt.Sprintf("k%d", random.IntN(8)), values[random.IntN(len(values))]))
			}
			all = append(all, results(t, l, ops...))
		}
		commitResults(t, l, all...)
		commitResults(t, plain, all...)
		for _, query := range queries {
			got, want := strings.Fields(find(t, l, query)), strings.Fields(find(t, plain, query))
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("after block %d: %.100s finds %q, want %q", block, query, got, want)
			}
		}
	}
	for i, want := range []string{"n", "n", "s,n", "s,n", "s,n"} {
		if got := used(t, l, queries[i]); got != want {
			t.Errorf("%.100s uses the index on %s, want %s", queries[i], got, want)
		}
		if got := used(t, plain, queries[i]); got != "_id" {
			t.Errorf("without indexes %.100s uses the index on %s", queries[i], got)
		}
	}
}

// TestIndexOfLongValues sorts by values whose beginnings are the same for longer than what an index has of them, forwards,
// backwards and by pages.
func TestIndexOfLongValues(t *testing.T) {
	l := openMemory(t)
	defineIndexes(t, l, `["s"]`)
	long := strings.Repeat("x", 2*mango.MaxColumns)
	var ops []op
	for i, key := range []string{"d", "b", "e", "a", "c"} {
		ops = append(ops, putBoth(key, fmt.Sprintf(`{"s":"%s%d"}`, long, i)))
	}
	ops = append(ops, putBoth("y", `{"s":"x"}`), putBoth("x", `{"s":"y"}`), putBoth("w", `{"s":"`+long+`"}`))
	commitResults(t, l, results(t, l, ops...))
	for query, want := range map[string]string{
		`{"selector":{},"sort":["s"]}`:                                   "y w d b e a c x",
		`{"selector":{},"sort":[{"s":"desc"}]}`:                          "x c a e b d w y",
		`{"selector":{"s":{"$gt":"` + long + `1"}},"sort":["s"]}`:        "e a c x",
		`{"selector":{"s":{"$lt":"` + long + `1"}},"sort":["s"]}`:        "y w d",
		`{"selector":{"s":"` + long + `2"}}`:                             "e",
		`{"selector":{"s":{"$beginsWith":"` + long + `"}},"sort":["s"]}`: "w d b e a c",
	} {
		if got := find(t, l, query); got != want {
			t.Errorf("%.60s finds %q, want %q", query, got, want)
		}
		for size := range int32(4) {
			if got := pagesOf(t, l, query, size+1); got != want {
				t.Errorf("%.60s by pages of %d finds %q, want %q", query, size+1, got, want)
			}
		}
	}
}

// pagesOf reads a query page by page, each page in a transaction of its own.
func pagesOf(t *testing.T, l *kvledger.Ledger, query string, size int32) string {
	t.Helper()
	var all []string
	for bookmark := ""; bookmark != "nil"; {
		sim := newSimulator(t, l, "tx")
		it, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{Size: size, Bookmark: bookmark})
		if err != nil {
			t.Fatal(err)
		}
		if page := keysOf(t, it); page != "" {
			all = append(all, page)
		}
		if bookmark, err = it.Bookmark(t.Context()); err != nil {
			t.Fatal(err)
		}
		sim.Done()
	}
	return strings.Join(all, " ")
}

// TestIndexIsBuilt defines an index when there are more documents than one step of building goes through, drops it and
// defines it again.
func TestIndexIsBuilt(t *testing.T) {
	l := openMemory(t)
	var ops []op
	want := ""
	for i := range 2500 {
		key := fmt.Sprintf("k%04d", i)
		ops = append(ops, putBoth(key, fmt.Sprintf(`{"n":%d}`, i%100)))
		if i%100 == 7 {
			want = strings.TrimPrefix(want+" ", " ") + key
		}
	}
	commitResults(t, l, results(t, l, ops...))
	const query = `{"selector":{"n":7}}`
	for _, fields := range [][]string{{`["n"]`}, {}, {`["n"]`, `["n","m"]`}, {`["n"]`}} {
		defineIndexes(t, l, fields...)
		wantIndex := "_id"
		if len(fields) > 0 {
			wantIndex = "n"
		}
		if got := used(t, l, query); got != wantIndex {
			t.Errorf("with %s it uses the index on %s, want %s", fields, got, wantIndex)
		}
		if got := find(t, l, query); got != want {
			t.Errorf("with %s it finds %q, want %q", fields, got, want)
		}
	}
	wantErrorHas(t, "define", l.Define(t.Context(), ns, kvledger.Definition{Indexes: make([]kvledger.Index, 1)}), "index 0 is missing")
}

// TestIndexIsBuiltWhileBlocksAreCommitted defines an index while documents change.
func TestIndexIsBuiltWhileBlocksAreCommitted(t *testing.T) {
	l := openMemory(t)
	var ops []op
	for i := range 5000 {
		ops = append(ops, putBoth(fmt.Sprintf("k%04d", i), `{"n":0}`))
	}
	commitResults(t, l, results(t, l, ops...))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			key := fmt.Sprintf("k%04d", i*7%5000)
			sim, err := kvledgertest.Simulate(t.Context(), l, "tx")
			if err != nil {
				t.Error(err)
				return
			}
			putBoth(key, fmt.Sprintf(`{"n":%d}`, i%3))(t, sim)
			r, err := sim.Results(t.Context())
			sim.Done()
			if err != nil {
				t.Error(err)
				return
			}
			tx := kvledger.Transaction{TxID: fmt.Sprint("w", i), RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet}
			if _, err := l.CommitTx(t.Context(), tx); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for _, fields := range [][]string{{`["n"]`}, {}, {`["n"]`}} {
		defineIndexes(t, l, fields...)
	}
	close(stop)
	<-stopped
	for n := range 3 {
		indexed := strings.Fields(find(t, l, fmt.Sprintf(`{"selector":{"n":%d}}`, n)))
		all := strings.Fields(find(t, l, fmt.Sprintf(`{"selector":{"$or":[{"n":%d},{"absent":1}]}}`, n))) // which needs no n
		slices.Sort(indexed)
		if !slices.Equal(indexed, all) || len(all) == 0 {
			t.Errorf("n = %d: the index has %d documents, there are %d", n, len(indexed), len(all))
		}
	}
}

// TestIndexOfPrivateDataThatExpires looks for what has expired, and what was purged.
func TestIndexOfPrivateDataThatExpires(t *testing.T) {
	l := openMemory(t)
	x, err := kvledger.ParseIndex([]byte(`{"index":{"fields":["n"]},"ddoc":"d","name":"n"}`))
	if err != nil {
		t.Fatal(err)
	}
	d := kvledger.Definition{
		Collections: []ledger.CollectionConfig{{Name: coll, BlockToLive: 2}}, Indexes: []kvledger.Index{x.In(coll)},
	}
	if err := l.Define(t.Context(), ns, d); err != nil {
		t.Fatal(err)
	}
	found := func() string {
		sim := newSimulator(t, l, "tx")
		defer sim.Done()
		it, err := sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, `{"selector":{"n":1}}`)
		if err != nil {
			t.Fatal(err)
		}
		return keysOf(t, it)
	}
	commitResults(t, l, results(t, l, putPrivate("a", `{"n":1}`), putPrivate("b", `{"n":1}`), putPrivate("c", `{"n":1}`)))
	commitResults(t, l, results(t, l, purge("a"), putPrivate("d", `{"n":1}`)))
	if got := found(); got != "b c d" {
		t.Errorf("found %q", got)
	}
	commitResults(t, l, unknown(results(t, l, purge("c"))))
	if got := found(); got != "b d" {
		t.Errorf("found %q", got)
	}
	commit(t, l)
	if got := found(); got != "d" {
		t.Errorf("found %q", got)
	}
	commit(t, l)
	if got := found(); got != "" {
		t.Errorf("found %q", got)
	}
}

func TestLoadIndexes(t *testing.T) {
	const n, m = `{"index":{"fields":["n"]},"ddoc":"dn","name":"n","type":"json"}`, `{"index":{"fields":["m"]},"ddoc":"dm","name":"m","type":"json"}`
	folder := "META-INF/statedb/couchdb/"
	files := func(named ...string) fstest.MapFS {
		fsys := fstest.MapFS{"main.go": {Data: []byte("package main")}}
		for i := 0; i < len(named); i += 2 {
			fsys[folder+named[i]] = &fstest.MapFile{Data: []byte(named[i+1])}
		}
		return fsys
	}
	for _, test := range []struct {
		fsys fstest.MapFS
		want string // collection:name of each
		err  string
	}{
		{fsys: fstest.MapFS{}},
		{fsys: files()},
		{fsys: files("indexes/n.json", n, "indexes/m.json", m), want: ":m :n"},
		{fsys: files("indexes/n.json", n, "collections/secrets/indexes/m.json", m, "collections/other/indexes/n.json", n), want: ":n other:n secrets:m"},
		{fsys: files("indexes/n.txt", n), err: folder + "indexes/n.txt is not an index: want files whose names end in .json"},
		{fsys: files("indexes/more/n.json", n), err: folder + "indexes/more is not an index"},
		{fsys: files("collections/secrets/indexes/n.json", "{"), err: "read index " + folder + "collections/secrets/indexes/n.json: decode index"},
	} {
		indexes, err := kvledger.LoadIndexes(test.fsys)
		if test.err != "" {
			wantErrorHas(t, "load", err, test.err)
			continue
		}
		var got []string
		for _, x := range indexes {
			got = append(got, x.Collection+":"+x.Name().Name)
		}
		if strings.Join(got, " ") != test.want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, test.want)
		}
		var d kvledger.Definition
		d.Indexes = append(indexes, indexes...)
		for _, c := range []string{"secrets", "other"} {
			d.Collections = append(d.Collections, ledger.CollectionConfig{Name: c})
		}
		l := openMemory(t)
		if len(indexes) > 0 {
			wantErrorHas(t, "define twice", l.Define(t.Context(), ns, d), "there are two indexes")
		}
		d.Indexes = indexes
		if err := l.Define(t.Context(), ns, d); err != nil {
			t.Error(err)
		}
		again, err := l.Definition(t.Context(), ns)
		if err != nil || len(again.Indexes) != len(indexes) {
			t.Errorf("the definition has %d indexes, %v, want %d", len(again.Indexes), err, len(indexes))
		}
		d.Collections = nil
		if len(indexes) > 2 {
			wantErrorHas(t, "define without collections", l.Define(t.Context(), ns, d), `is for collection "other", which is not defined`)
		}
	}
}
