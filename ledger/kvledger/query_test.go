package kvledger_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// documents are a namespace's values, some of which no query ever matches.
var documents = map[string]string{
	"a": `{"colour":"red","size":3}`, "b": `{"colour":"blue","size":1}`, "c": ` {"size": 2, "colour": "red"} `, "d": `{"colour":"red"}`,
	"e": `{"colour":"red","size":3,"owner":{"name":"Eve"}}`, "\x00k\x001\x00": `{"colour":"black"}`,
	"n1": "red", "n2": `"red"`, "n3": `["red"]`, "n4": "1", "n5": "null", "n6": "{", "n7": `{"colour":"red"} x`, "n8": "\xff\xfe",
}

func openDocuments(t *testing.T) *kvledger.Ledger {
	t.Helper()
	l := openMemory(t)
	defineIndexes(t, l, `["size"]`, `["colour","size"]`, `["owner.name"]`)
	var ops []op
	for key, value := range documents {
		ops = append(ops, put(key, value), putPrivate(key, value))
	}
	if got := commitResults(t, l, results(t, l, ops...)); got[0] != valid {
		t.Fatal(got)
	}
	return l
}

// defineIndexes gives the public state and the collection indexes on lists of fields.
func defineIndexes(t testing.TB, l *kvledger.Ledger, fields ...string) {
	t.Helper()
	d := kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: coll}}}
	for i, f := range fields {
		x, err := kvledger.ParseIndex([]byte(fmt.Sprintf(`{"index":{"fields":%s},"ddoc":"i%d"}`, f, i)))
		if err != nil {
			t.Fatal(err)
		}
		d.Indexes = append(d.Indexes, x, x.In(coll))
	}
	if err := l.Define(t.Context(), ns, d); err != nil {
		t.Fatal(err)
	}
}

// TestQueries asks every query of the public state and of a collection that has the same values.
func TestQueries(t *testing.T) {
	l := openDocuments(t)
	for _, test := range []struct{ query, want string }{
		{`{"selector":{}}`, "\x00k\x001\x00 a b c d e"},
		{`{"selector":{"colour":"red"}}`, "a c d e"},
		{`{"selector":{"colour":"green"}}`, ""},
		{`{"selector":{"size":{"$gte":2}}}`, "c a e"}, // by size
		{`{"selector":{"_id":{"$gt":"b"},"colour":"red"}}`, "c d e"},
		{`{"selector":{"colour":"red"},"skip":2}`, "d e"},
		{`{"selector":{"colour":"red"},"skip":9}`, ""},
		{`{"selector":{"colour":"red"},"limit":1}`, "a c d e"}, // as the peer overrides it
		{`{"selector":{},"sort":["size"]}`, "b c a e"},
		{`{"selector":{},"sort":[{"size":"desc"}]}`, "e a c b"},
		{`{"selector":{"colour":"red"},"sort":["colour","size"],"skip":1}`, "a e"},
		{`{"selector":{},"sort":["owner.name"]}`, "e"},
		{`{"selector":{"_id":{"$gt":null}},"sort":[{"_id":"desc"}]}`, "e d c b a \x00k\x001\x00"},
	} {
		sim := newSimulator(t, l, "tx")
		public, err := sim.ExecuteQuery(t.Context(), ns, test.query, ledger.Page{})
		if err != nil {
			t.Fatal(err)
		}
		private, err := sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, test.query)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for _, key := range strings.Fields(test.want) {
			want = strings.TrimPrefix(want+" ", " ") + key + "=" + documents[key]
		}
		if got := pairs(t, public); got != want {
			t.Errorf("%s: got %q, want %q", test.query, got, want)
		}
		if got := pairs(t, private); got != want {
			t.Errorf("%s on the collection: got %q, want %q", test.query, got, want)
		}
		sim.Done()
	}
}

func TestQueryFields(t *testing.T) {
	l := openDocuments(t)
	it, err := newSimulator(t, l, "tx").ExecuteQuery(t.Context(), ns, `{"selector":{"size":{"$gt":1}},"fields":["size","owner.name"]}`, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pairs(t, it), `c={"size":2} a={"size":3} e={"owner":{"name":"Eve"},"size":3}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// F74: chaincode reads what CouchDB would say of its query.
func TestQueryErrors(t *testing.T) {
	l := openDocuments(t)
	for query, want := range map[string]string{
		`{"selector":{},"sort":["weight"]}`:    "error handling CouchDB request. Error:no_usable_index,  Status Code:400,  Reason:No index exists for this sort, try indexing by the sort fields.",
		`{"selector":{"a":{"$no":1}}}`:         "error handling CouchDB request. Error:invalid_operator,  Status Code:400,  Reason:Invalid operator: $no",
		`{"selector":{},"fields":"a"}`:         "fields definition must be an array",
		`{"selector":{},"bookmark":"garbage"}`: `error handling CouchDB request. Error:invalid_bookmark,  Status Code:400,  Reason:Invalid bookmark value: "garbage"`,
		`{"selector":{},"sort":["a",{"b":"desc"}]}`: "error handling CouchDB request. Error:unsupported_mixed_sort,  Status Code:400,  " +
			"Reason:Sorts currently only support a single direction for all fields.",
	} {
		sim := newSimulator(t, l, "tx")
		_, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
		wantError(t, query, err, want)
		_, err = sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, query)
		wantError(t, query+" on the collection", err, want)
	}
	_, err := newSimulator(t, l, "tx").ExecuteQuery(t.Context(), ns, everything, ledger.Page{Bookmark: "garbage"})
	var refused *kvledger.QueryError
	if !errors.As(err, &refused) || refused.Name != "invalid_bookmark" {
		t.Errorf("a page at garbage: %v", err)
	}
}

// TestQueryPages reads queries page by page, each page in a transaction of its own.
func TestQueryPages(t *testing.T) {
	l := openDocuments(t)
	for _, test := range []struct {
		query string
		size  int32
		want  string
	}{
		{`{"selector":{"colour":"red"}}`, 3, "a c d|e|"},
		{`{"selector":{"colour":"red"}}`, 2, "a c|d e|"},
		{`{"selector":{"colour":"red"}}`, 9, "a c d e|"},
		{`{"selector":{"colour":"green"}}`, 1, ""},
		{`{"selector":{},"sort":["size"]}`, 3, "b c a|e|"},
		{`{"selector":{},"sort":[{"size":"desc"}]}`, 1, "e|a|c|b|"},
	} {
		var pages []string
		for bookmark := ""; bookmark != "nil" && len(pages) < 10; {
			sim := newSimulator(t, l, "tx")
			it, err := sim.ExecuteQuery(t.Context(), ns, test.query, ledger.Page{Size: test.size, Bookmark: bookmark})
			if err != nil {
				t.Fatal(err)
			}
			var keys []string
			for _, p := range strings.Fields(strings.ReplaceAll(pairs(t, it), ", ", ",")) {
				if key, _, ok := strings.Cut(p, "={"); ok {
					keys = append(keys, key)
				} else if key, ok := strings.CutSuffix(p, "="); ok { // the document begins with a space
					keys = append(keys, key)
				}
			}
			pages = append(pages, strings.Join(keys, " "))
			if bookmark, err = it.Bookmark(t.Context()); err != nil {
				t.Fatal(err)
			}
			sim.Done()
		}
		if got := strings.Join(pages, "|"); got != test.want {
			t.Errorf("%s by %d: got %q, want %q", test.query, test.size, got, test.want)
		}
	}
	sim := newSimulator(t, l, "tx")
	it, err := sim.ExecuteQuery(t.Context(), ns, everything, ledger.Page{Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	pairs(t, it)
	bookmark, err := it.Bookmark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rest, err := sim.ExecuteQuery(t.Context(), ns, fmt.Sprintf(`{"selector":{},"bookmark":%q}`, bookmark), ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if got := pairs(t, rest); !strings.HasPrefix(got, "b=") || !strings.Contains(got, "e=") {
		t.Errorf("from the query's own bookmark on: %q", got)
	}
}

// What a query yielded is read, as far as it was read; what else there might be is not. Private queries are no reads.
func TestQueryReads(t *testing.T) {
	l := openDocuments(t)
	ask := func(n int, query string) op {
		return func(t testing.TB, sim *kvledger.Simulator) {
			it, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
			if err != nil {
				t.Fatal(err)
			}
			defer it.Close()
			for range n {
				if kv, err := it.Next(t.Context()); kv == nil || err != nil {
					t.Fatal(kv, err)
				}
			}
		}
	}
	const red, sorted = `{"selector":{"colour":"red"},"skip":1}`, `{"selector":{},"sort":["size"]}`
	for _, test := range []struct {
		query string
		n     int
		same  []string
	}{{red, 1, []string{"c"}}, {red, 3, []string{"c", "d", "e"}}, {sorted, 2, []string{"b", "c"}}} {
		if got, want := simulate(t, l, ask(test.n, test.query)), simulate(t, l, get(test.same...)); string(got) != string(want) {
			t.Errorf("%d of %s: noted %x, want %x", test.n, test.query, got, want)
		}
	}
	reader := simulate(t, l, ask(3, red), put("x", "1"))
	for _, test := range []struct {
		change op
		want   kvledger.ValidationCode
	}{
		{put("a", `{"colour":"green"}`), valid}, // it was skipped
		{put("d2", `{"colour":"red"}`), valid},  // a phantom
		{put("d", `{"colour":"red"}`), mvcc},
	} {
		if got := commit(t, l, simulate(t, l, test.change), reader); got[1] != test.want {
			t.Errorf("code is %v, want %v", got[1], test.want)
		}
	}
	sim := newSimulator(t, l, "tx")
	it, err := sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, everything)
	if err != nil {
		t.Fatal(err)
	}
	pairs(t, it)
	if _, err := sim.GetPrivateDataRange(t.Context(), ns, coll, all); err != nil {
		t.Fatal(err)
	}
	if r, err := sim.Results(t.Context()); err != nil || len(r.RWSet) != 0 || r.PrivateRWSet != nil {
		t.Errorf("private queries leave %+v, %v", r, err)
	}
}

// A query's iterator goes on failing when it has failed, and what it has yielded so far is not the end.
func TestQueryFails(t *testing.T) {
	s := &failingStore{Store: openStore(t)}
	l := open(t, kvledger.NewProvider(s), "c")
	defineIndexes(t, l, `["n"]`)
	commit(t, l, simulate(t, l, put("a", `{"n":1}`), put("b", `{"n":2}`)))
	for _, query := range []string{everything, `{"selector":{},"sort":["n"]}`} {
		sim := newSimulator(t, l, "tx")
		it, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := sim.GetStateRange(t.Context(), ns, all)
		if err != nil {
			t.Fatal(err)
		}
		for _, next := range []func(context.Context) (*ledger.KV, error){it.Next, r.Next} {
			s.method = "Next"
			_, err = next(t.Context())
			s.method = ""
			_, again := next(t.Context())
			if !errors.Is(err, errDisk) || !errors.Is(again, errDisk) {
				t.Errorf("%s: %v, and then %v", query, err, again)
			}
		}
		it.Close()
		r.Close()
		_, err = it.Next(t.Context())
		wantError(t, "Next after Close", err, "the iterator is closed")
	}
}

// endsAfter is a context that is cancelled when it has been asked a number of times.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left == 0 {
		return context.Canceled
	}
	c.left--
	return nil
}

// A query that finds nothing ends with its context, in the store or while a document is matched, not with the namespace.
func TestQueryIsCancelled(t *testing.T) {
	l := openDocuments(t)
	for _, query := range []string{`{"selector":{"colour":"green"}}`, `{"selector":{"weight":1},"sort":["size"]}`} {
		for left := range 8 {
			sim := newSimulator(t, l, "tx")
			public, err1 := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
			private, err2 := sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, query)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			for _, it := range []ledger.Iterator{public, private} {
				for _, ctx := range []context.Context{&endsAfter{t.Context(), left}, t.Context()} {
					if kv, err := it.Next(ctx); kv != nil || !errors.Is(err, context.Canceled) {
						t.Errorf("%s after %d: %v, %v", query, left, kv, err)
					}
				}
			}
			sim.Done()
		}
	}
}
