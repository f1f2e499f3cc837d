package mango_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// page returns the first documents of a query after a bookmark, and the next page's bookmark.
func page(t *testing.T, q *mango.Query, indexes []*mango.Index, docs []*mango.Document, bookmark string, size int) ([]*mango.Document, string) {
	t.Helper()
	p := planOf(t, q, indexes...)
	if err := p.Resume(bookmark); err != nil {
		t.Fatal(err)
	}
	hits := results(q, p, docs)
	hits = hits[:min(size, len(hits))]
	if len(hits) == 0 {
		return nil, "nil"
	}
	next, err := p.BookmarkAfter(p.Position(hits[len(hits)-1]))
	if err != nil {
		t.Fatal(err)
	}
	return hits, next
}

// TestPages reads page by page while documents come and go, the one that a page ended with among them. What was there
// all the time must be read once, and in order.
func TestPages(t *testing.T) {
	on := indexOn(t, `["n", "s"]`)
	for _, query := range []string{
		`{"selector": {}}`,
		`{"selector": {"_id": {"$gt": null}}, "sort": [{"_id": "desc"}]}`,
		`{"selector": {}, "sort": ["n", "s"]}`,
		`{"selector": {}, "sort": [{"n": "desc"}, {"s": "desc"}]}`,
		`{"selector": {"n": {"$gte": null}, "s": {"$exists": true}}}`,
	} {
		t.Run(query, func(t *testing.T) {
			for seed := range uint64(6) {
				testPages(t, parse(t, query), on, rand.New(rand.NewPCG(seed, 0)))
			}
		})
	}
}

func testPages(t *testing.T, q *mango.Query, on *mango.Index, random *rand.Rand) {
	t.Helper()
	long := strings.Repeat("long", mango.MaxColumns)
	values := []string{`null`, `true`, `1`, `1.0`, `2`, `9007199254740993`, `1e30`, `"é"`, `"a\u0000b"`,
		`[1]`, `{"x": [1.50]}`, `"` + long + `"`, `"` + long + `1"`, `"` + long + `2"`}
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
	stays := maps.Clone(docs)
	var found []*mango.Document
	seen := map[string]bool{}
	for bookmark := ""; bookmark != "nil"; {
		var hits []*mango.Document
		hits, bookmark = page(t, q, []*mango.Index{on}, slices.Collect(maps.Values(docs)), bookmark, 1+random.IntN(5))
		for _, d := range hits {
			if seen[d.Key()] {
				t.Fatalf("%q was returned twice", d.Key())
			}
			seen[d.Key()] = true
			found = append(found, d)
		}
		if len(hits) > 0 {
			delete(docs, hits[len(hits)-1].Key())
		}
		for _, d := range []*mango.Document{fresh(), fresh()} {
			// One that has been there, and so may have been returned, keeps its place.
			if !seen[d.Key()] && docs[d.Key()] == nil {
				docs[d.Key()] = d
			}
		}
	}
	p := planOf(t, q, on)
	if !slices.IsSortedFunc(found, func(a, b *mango.Document) int { return p.Compare(p.Position(a), p.Position(b)) }) {
		t.Error("not in order")
	}
	for key := range stays {
		if !seen[key] {
			t.Errorf("%q was left out", key)
		}
	}
}

func TestResume(t *testing.T) {
	const fields = `["n", "s"]`
	for _, beginning := range []string{"", "nil"} {
		p := sortPlan(t, fields)
		if err := p.Resume(beginning); err != nil || p.Lo != nil || p.Hi != nil || !p.Follows(mango.Position{Values: []any{nil, nil}}) {
			t.Errorf("%q: %v, %x, %x", beginning, err, p.Lo, p.Hi)
		}
	}
	d := document(t, "k\x00\xff", `{"n": 100000000000000000001, "s": {"b": [null, "<"]}}`)
	p := sortPlan(t, fields)
	bookmark, err := p.BookmarkAfter(p.Position(d))
	if err != nil {
		t.Fatal(err)
	}
	columns, _ := p.Index.Columns(d)
	again := sortPlan(t, fields)
	if err := again.Resume(bookmark); err != nil || again.Follows(p.Position(d)) || string(again.Lo) != string(columns)+d.Key()+"\x00" {
		t.Errorf("%v, %q", err, again.Lo)
	}
}

// TestResumeElsewhere has bookmarks of queries with other selectors: those are no part of the order. Such a bookmark may be
// outside of the bounds, and must not make them wider.
func TestResumeElsewhere(t *testing.T) {
	const fields = `["n", "s"]`
	for _, sort := range []string{"", `, "sort": [{"n": "desc"}]`} {
		plan := func(selector string) *mango.Plan {
			return planOf(t, parse(t, `{"selector": `+selector+sort+`}`), indexOn(t, fields))
		}
		for _, n := range []int{1, 9} {
			first := plan(`{"n": {"$gt": null}, "s": {"$gt": null}}`)
			bookmark, err := first.BookmarkAfter(first.Position(document(t, "k", fmt.Sprintf(`{"n": %d, "s": 1}`, n))))
			if err != nil {
				t.Fatal(err)
			}
			p := plan(`{"n": {"$gte": 3, "$lte": 5}, "s": {"$exists": true}}`)
			lo, hi := p.Lo, p.Hi
			if err := p.Resume(bookmark); err != nil {
				t.Error(err)
			}
			if bytes.Compare(p.Lo, lo) < 0 || bytes.Compare(p.Hi, hi) > 0 {
				t.Errorf("after %d: [%x, %x) became [%x, %x)", n, lo, hi, p.Lo, p.Hi)
			}
			same := bytes.Equal(p.Lo, lo) && bytes.Equal(p.Hi, hi)
			if isBefore := (n == 1) == (sort == ""); same != isBefore || (bytes.Compare(p.Lo, p.Hi) < 0) != isBefore {
				t.Errorf("after %d: [%x, %x) became [%x, %x)", n, lo, hi, p.Lo, p.Hi)
			}
		}
	}
}

// TestResumeAtLimits has bookmarks after documents that are just what package mango takes.
func TestResumeAtLimits(t *testing.T) {
	deep := strings.Repeat("[", mango.MaxDepth-1) + strings.Repeat("]", mango.MaxDepth-1)
	digits := strings.Repeat("7", mango.MaxDigits)
	for fields, d := range map[string]*mango.Document{
		`["n"]`:        document(t, "k", `{"n": `+deep+`}`),
		`["n", "s"]`:   document(t, "k", `{"n": `+digits+`, "s": -`+digits+`.`+digits+`}`),
		`["_id", "n"]`: document(t, "\xff not UTF-8", `{"n": 1}`),
	} {
		p := sortPlan(t, fields)
		bookmark, err := p.BookmarkAfter(p.Position(d))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Resume(bookmark); err != nil || len(read(p, []*mango.Document{d})) > 0 || p.Follows(p.Position(d)) {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func TestBadBookmarks(t *testing.T) {
	const fields = `["n", "s"]`
	bad := func(bookmark string) { wantInvalid(t, sortPlan(t, fields), bookmark) }
	// Keys of several lengths, so that the text ends with bits that mean nothing and with none.
	for _, key := range []string{"k", "key", "keys56789"} {
		p := sortPlan(t, fields)
		good, err := p.BookmarkAfter(p.Position(document(t, key, `{"n": 1, "s": 2}`)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(good) {
			changed := []byte(good)
			changed[i]++
			bad(string(changed))
			bad(good[:i] + good[i+1:])
			if i > 0 {
				bad(good[:i])
			}
		}
		for _, text := range []string{good + "A", good + "=", good + "\n", strings.ToUpper(good)} {
			bad(text)
		}
		for _, other := range []string{`[{"n": "desc"}, {"s": "desc"}]`, `["s", "n"]`, `["n"]`, `["n.s"]`, `["_id"]`} {
			wantInvalid(t, sortPlan(t, other), good)
		}
		wantInvalid(t, planOf(t, parse(t, `{"selector": {}}`)), good)
		wantInvalid(t, planOf(t, parse(t, `{"selector": {}, "sort": [{"n": "desc"}, {"s": "desc"}]}`), indexOn(t, fields)), good)
		named := index(t, `{"index": {"fields": `+fields+`}, "ddoc": "other"}`)
		wantInvalid(t, planOf(t, parse(t, `{"selector": {}, "sort": `+fields+`}`), named), good)
	}
	for _, text := range []string{"x", "null", "Nil", " ", base64.RawURLEncoding.EncodeToString([]byte(`{"v":[1,2],"k":"aw=="}`))} {
		bad(text)
	}
	p := sortPlan(t, fields)
	for _, values := range [][]any{{}, {"one"}, {1, 2, 3}, {1, nested(mango.MaxDepth)}} {
		text, err := p.BookmarkAfter(mango.Position{Values: values, Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		bad(text)
	}
	if text, err := p.BookmarkAfter(mango.Position{Values: []any{make(chan int), 1}}); err == nil {
		t.Errorf("what is no JSON became %q", text)
	}
}

// TestLongBookmark has bookmarks that are made and read in several pieces, whose ends are anywhere in base64. One that is changed
// anywhere is refused.
func TestLongBookmark(t *testing.T) {
	const piece = 48 << 10
	for size := 2*piece - 40; size < 2*piece+40; size++ {
		d := document(t, strings.Repeat("k", size), `{"n":"`+strings.Repeat("é", size/2)+`"}`)
		p := sortPlan(t, `["n"]`)
		bookmark, err := p.BookmarkAfter(p.Position(d))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Resume(bookmark); err != nil || p.Follows(p.Position(d)) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for _, at := range []int{piece - 1, piece, 3 * piece, len(bookmark) - 1} {
			for _, with := range []string{"\n", "=", "-", ""} {
				if bookmark[at:at+1] != with {
					wantInvalid(t, sortPlan(t, `["n"]`), bookmark[:at]+with+bookmark[at+1:])
				}
			}
		}
		wantInvalid(t, sortPlan(t, `["n"]`), bookmark+"A")
	}
}

func nested(levels int) any {
	var value any
	for range levels {
		value = []any{value}
	}
	return value
}

func wantInvalid(t *testing.T, p *mango.Plan, bookmark string) {
	t.Helper()
	lo, hi := string(p.Lo), string(p.Hi)
	err := p.Resume(bookmark)
	var e *mango.Error
	if !errors.As(err, &e) || e.Name != "invalid_bookmark" || !strings.HasPrefix(e.Reason, `Invalid bookmark value: "`) {
		t.Errorf("%.100q: %v", bookmark, err)
	}
	if string(p.Lo) != lo || string(p.Hi) != hi {
		t.Errorf("%.100q moves the bounds to %x, %x", bookmark, p.Lo, p.Hi)
	}
}
