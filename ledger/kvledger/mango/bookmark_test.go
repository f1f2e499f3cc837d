package mango_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/mango"
)

// page returns the first documents of a query after a bookmark, and the next page's bookmark.
func page(t *testing.T, q *mango.Query, docs []*mango.Document, bookmark string, size int) ([]*mango.Document, string) {
	t.Helper()
	from, err := q.Resume(bookmark)
	if err != nil {
		t.Fatal(err)
	}
	var hits []*mango.Document
	for _, d := range docs {
		if q.Match(d) && (from == nil || q.ComparePositions(q.Position(d), *from) > 0) {
			hits = append(hits, d)
		}
	}
	slices.SortFunc(hits, q.Compare)
	hits = hits[:min(size, len(hits))]
	if len(hits) == 0 {
		return nil, "nil"
	}
	next, err := q.BookmarkAfter(q.Position(hits[len(hits)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return hits, next
}

const (
	unsorted   = `{"selector": {}}`
	ascending  = `{"selector": {}, "sort": ["n", "s"]}`
	descending = `{"selector": {}, "sort": [{"n": "desc"}, {"s": "desc"}]}`
)

// TestPages reads page by page while documents come and go, the one that a page ended with among them. What was there
// all the time must be read once, and in order.
func TestPages(t *testing.T) {
	for _, query := range []string{unsorted, ascending, descending} {
		t.Run(query, func(t *testing.T) {
			for seed := range uint64(50) {
				testPages(t, parse(t, query), rand.New(rand.NewPCG(seed, 0)))
			}
		})
	}
}

func testPages(t *testing.T, q *mango.Query, random *rand.Rand) {
	t.Helper()
	values := []string{`null`, `true`, `1`, `1.0`, `2`, `9007199254740993`, `1e30`, `"é"`, `"a\u0000b"`,
		`[1]`, `{"x": [1.50]}`}
	fresh := func() *mango.Document {
		key := fmt.Sprintf("\x00k\x00%d\x00", random.IntN(1000))
		n, s := values[random.IntN(len(values))], values[random.IntN(len(values))]
		return document(t, key, fmt.Sprintf(`{"n": %s, "s": %s}`, n, s))
	}
	docs := map[string]*mango.Document{}
	for range 40 {
		d := fresh()
		docs[d.Key()] = d
	}
	stays := map[string]bool{}
	for key := range docs {
		stays[key] = true
	}
	var read []*mango.Document
	seen := map[string]bool{}
	for bookmark := ""; bookmark != "nil"; {
		var hits []*mango.Document
		hits, bookmark = page(t, q, slices.Collect(valuesOf(docs)), bookmark, 1+random.IntN(5))
		for _, d := range hits {
			if seen[d.Key()] {
				t.Fatalf("%q was returned twice", d.Key())
			}
			seen[d.Key()] = true
			read = append(read, d)
		}
		if len(hits) > 0 {
			last := hits[len(hits)-1].Key()
			delete(docs, last)
		}
		for _, d := range []*mango.Document{fresh(), fresh()} {
			// One that has been there, and so may have been returned, keeps its place.
			if !seen[d.Key()] && docs[d.Key()] == nil {
				docs[d.Key()] = d
			}
		}
	}
	if !slices.IsSortedFunc(read, q.Compare) {
		t.Error("not in order")
	}
	for key := range stays {
		if !seen[key] {
			t.Errorf("%q was left out", key)
		}
	}
}

func valuesOf(docs map[string]*mango.Document) func(func(*mango.Document) bool) {
	return func(yield func(*mango.Document) bool) {
		for _, d := range docs {
			if !yield(d) {
				return
			}
		}
	}
}

func TestResume(t *testing.T) {
	q := parse(t, ascending)
	for _, beginning := range []string{"", "nil"} {
		if p, err := q.Resume(beginning); p != nil || err != nil {
			t.Errorf("%q: %v, %v", beginning, p, err)
		}
	}
	d := document(t, "k\x00\xff", `{"n": 100000000000000000001, "s": {"b": [null, "<"]}}`)
	bookmark, err := q.BookmarkAfter(q.Position(d))
	if err != nil {
		t.Fatal(err)
	}
	p, err := q.Resume(bookmark)
	if err != nil || q.ComparePositions(*p, q.Position(d)) != 0 || p.Key != d.Key() {
		t.Fatalf("%+v, %v", p, err)
	}
	// The selector is no part of the order.
	if _, err := parse(t, `{"selector": {"n": 1}, "sort": ["n", "s"]}`).Resume(bookmark); err != nil {
		t.Error(err)
	}
}

func TestBadBookmarks(t *testing.T) {
	q := parse(t, ascending)
	// Keys of several lengths, so that the text ends with bits that mean nothing and with none.
	for _, key := range []string{"k", "key", "keys56789"} {
		good, err := q.BookmarkAfter(q.Position(document(t, key, `{"n": 1, "s": 2}`)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(good) {
			changed := []byte(good)
			changed[i]++
			wantInvalid(t, q, string(changed))
			wantInvalid(t, q, good[:i]+good[i+1:])
			if i > 0 {
				wantInvalid(t, q, good[:i])
			}
		}
		for _, text := range []string{good + "A", good + "=", good + "\n", strings.ToUpper(good)} {
			wantInvalid(t, q, text)
		}
		for _, other := range []string{
			unsorted, descending, `{"selector": {}, "sort": ["s", "n"]}`, `{"selector": {}, "sort": ["n.s"]}`,
		} {
			wantInvalid(t, parse(t, other), good)
		}
	}
	for _, text := range []string{"x", "null", "Nil", " ", base64.RawURLEncoding.EncodeToString([]byte(`{"v":[1,2],"k":"aw=="}`))} {
		wantInvalid(t, q, text)
	}
	incomplete, err := q.BookmarkAfter(mango.Position{Values: []any{"one"}, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, q, incomplete)
	if text, err := q.BookmarkAfter(mango.Position{Values: []any{make(chan int), 1}}); err == nil {
		t.Errorf("what is no JSON became %q", text)
	}
}

func wantInvalid(t *testing.T, q *mango.Query, bookmark string) {
	t.Helper()
	p, err := q.Resume(bookmark)
	var e *mango.Error
	if p != nil || !errors.As(err, &e) || e.Name != "invalid_bookmark" ||
		!strings.HasPrefix(e.Reason, `Invalid bookmark value: "`) {
		t.Errorf("%q: %v, %v", bookmark, p, err)
	}
}
