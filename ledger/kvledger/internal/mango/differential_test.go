package mango_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// maker makes random documents, indexes and queries that have something to do with each other.
type maker struct{ *rand.Rand }

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m maker) field() string { return m.pick("a", "a", "a", "b", "b", "b", "c.d", "c.0", "_id") }

// value is one of few, so that documents have the same ones.
func (m maker) value() string {
	switch m.IntN(8) {
	case 0:
		return value(m.Rand, 1)
	case 1, 2:
		return `"` + strings.Repeat("l", mango.MaxColumns) + m.pick(``, `1`, `2`) + `"`
	}
	return m.pick(`null`, `1`, `1.0`, `2`, `"x"`, `"xy"`, `"k2"`)
}

func (m maker) document(t *testing.T, key string) *mango.Document {
	var members []string
	for _, name := range []string{"a", "b"} {
		if m.IntN(5) > 0 {
			members = append(members, fmt.Sprintf("%q: %s", name, m.value()))
		}
	}
	if m.IntN(2) > 0 {
		members = append(members, fmt.Sprintf(m.pick(`"c": {"d": %s}`, `"c": [%s]`, `"c": %s`), m.value()))
	}
	return document(t, key, "{"+strings.Join(members, ", ")+"}")
}

// fields returns a JSON list of some fields, all of one direction.
func (m maker) fields(most int) string {
	direction := m.pick(`%q`, `{%q: "asc"}`, `{%q: "desc"}`)
	var fields []string
	for range 1 + m.IntN(most) {
		if f := fmt.Sprintf(direction, m.field()); !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return "[" + strings.Join(fields, ", ") + "]"
}

func (m maker) condition(levels int) string {
	if levels > 0 && m.IntN(3) == 0 {
		var parts []string
		for range m.IntN(4) {
			parts = append(parts, m.condition(levels-1))
		}
		return fmt.Sprintf(`{%q: [%s]}`, m.pick("$and", "$and", "$or", "$nor"), strings.Join(parts, ", "))
	}
	switch m.IntN(12) {
	case 0:
		return fmt.Sprintf(`{%q: {"$exists": %v}}`, m.field(), m.IntN(2) > 0)
	case 1:
		return fmt.Sprintf(`{%q: {"$not": {%q: %s}}}`, m.field(), m.pick("$lt", "$eq"), m.value())
	case 2:
		return fmt.Sprintf(`{%q: {"$in": [%s, %s]}}`, m.field(), m.value(), m.value())
	case 3:
		return fmt.Sprintf(`{%q: {"$beginsWith": %q}}`, m.field(), m.pick("", "x", "xy", "k", strings.Repeat("l", 990), strings.Repeat("l", 1010)))
	case 4, 5:
		return fmt.Sprintf(`{%q: {"$gte": %s, "$lt": %s}}`, m.field(), m.value(), m.value())
	default:
		return fmt.Sprintf(`{%q: {%q: %s}}`, m.field(), m.pick("$eq", "$eq", "$gt", "$gte", "$lt", "$lte", "$ne"), m.value())
	}
}

func (m maker) query() string {
	members := []string{fmt.Sprintf(`"selector": {"$and": [%s, %s]}`, m.condition(2), m.condition(1))}
	switch m.IntN(3) {
	case 0:
		members[0] = `"selector": ` + m.condition(2)
	case 1:
		members[0] = fmt.Sprintf(`"selector": {"a": {"$eq": %s}, "b": {%q: %s}}`, m.value(), m.pick("$gt", "$lt", "$gte"), m.value())
	}
	if m.IntN(2) > 0 {
		members = append(members, `"sort": `+m.fields(2))
	}
	if m.IntN(3) == 0 {
		members = append(members, fmt.Sprintf(`"use_index": "i%d"`, m.IntN(4)))
	}
	return "{" + strings.Join(members, ", ") + "}"
}

func (m maker) indexes(t *testing.T) []*mango.Index {
	var indexes []*mango.Index
	for i := range m.IntN(4) {
		filter := ""
		if m.IntN(4) == 0 {
			filter = `, "partial_filter_selector": ` + m.condition(1)
		}
		indexes = append(indexes, index(t, fmt.Sprintf(`{"index": {"fields": %s%s}, "ddoc": "i%d"}`, m.fields(3), filter, i)))
	}
	return indexes
}

// TestPlansFindAll holds what plans of random queries find to what looking at every document finds: all at once, in order,
// and page by page.
func TestPlansFindAll(t *testing.T) {
	kinds := map[string]int{}
	for seed := range uint64(30) {
		m := maker{rand.New(rand.NewPCG(seed, 1))}
		var docs []*mango.Document
		for i := range 40 {
			docs = append(docs, m.document(t, fmt.Sprintf("k%d", i)))
		}
		for range 50 {
			text, indexes := m.query(), m.indexes(t)
			q := parse(t, text)
			p, err := q.Plan(indexes)
			if errors.Is(err, mango.ErrNoSortIndex) {
				kinds["refused"]++
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			found := wantAll(t, q, p, docs)
			wantOrder(t, q, p, found)
			wantPages(t, q, indexes, docs, found, 1+m.IntN(4))
			if t.Failed() {
				explained, _ := json.Marshal(p.Explain())
				t.Fatalf("%s with %s", text, explained)
			}
			count(kinds, q, p, docs, found)
		}
	}
	for _, kind := range []string{"refused", "index", "keys", "reverse", "sorted", "bounded", "partial", "cut", "a cut bound", "several"} {
		if kinds[kind] < 10 {
			t.Errorf("only %d queries were %s", kinds[kind], kind)
		}
	}
}

// wantAll returns what a plan finds, which must be the documents that match, if they are in the index.
func wantAll(t *testing.T, q *mango.Query, p *mango.Plan, docs []*mango.Document) []*mango.Document {
	t.Helper()
	want := map[string]bool{}
	for _, d := range docs {
		isIn := true
		if p.Index != nil && p.Explain().Index.Filter != nil {
			_, isIn = p.Index.Columns(d)
		}
		if isIn && q.Match(d) {
			want[d.Key()] = true
		}
	}
	found := results(q, p, docs)
	for _, d := range found {
		if !want[d.Key()] {
			t.Errorf("%s %s was found, or twice", d.Key(), d.Value())
		}
		delete(want, d.Key())
	}
	for key := range want {
		t.Errorf("%s was not found", key)
	}
	return found
}

// wantOrder checks that results are in the plan's order, and in that of the query's sort.
func wantOrder(t *testing.T, q *mango.Query, p *mango.Plan, found []*mango.Document) {
	t.Helper()
	orders := []func(a, b *mango.Document) int{func(a, b *mango.Document) int { return p.Compare(p.Position(a), p.Position(b)) }}
	if len(q.Sort) > 0 {
		var fields []string
		for _, f := range q.Sort {
			fields = append(fields, fmt.Sprintf("%q", f.Field))
		}
		sorted := sortPlan(t, "["+strings.Join(fields, ", ")+"]")
		orders = append(orders, func(a, b *mango.Document) int {
			c := sorted.Compare(mango.Position{Values: sorted.Position(a).Values}, mango.Position{Values: sorted.Position(b).Values})
			if q.Descending {
				return -c
			}
			return c
		})
	}
	for i, order := range orders {
		if !slices.IsSortedFunc(found, order) {
			t.Errorf("results are not in order %d", i)
		}
	}
}

func wantPages(t *testing.T, q *mango.Query, indexes []*mango.Index, docs, found []*mango.Document, size int) {
	t.Helper()
	var pages []*mango.Document
	for bookmark := ""; bookmark != "nil" && len(pages) <= len(found); {
		var hits []*mango.Document
		hits, bookmark = page(t, q, indexes, docs, bookmark, size)
		pages = append(pages, hits...)
	}
	if !slices.Equal(pages, found) {
		t.Errorf("pages of %d have %d results, want %d", size, len(pages), len(found))
	}
}

func count(kinds map[string]int, q *mango.Query, p *mango.Plan, docs, found []*mango.Document) {
	e := p.Explain()
	for kind, is := range map[string]bool{
		"index": p.Index != nil, "keys": p.Index == nil && len(e.Range) > 0, "reverse": p.Reverse && len(found) > 1, "sorted": len(q.Sort) > 0,
		"bounded": len(found) > 0 && p.Index != nil && len(read(p, docs)) < len(docs)/2, "partial": e.Index.Filter != nil,
		"several": len(e.Range) > 1 && len(found) > 0,
		"cut":     len(found) > 1 && len(read(p, found)[0].columns) == mango.MaxColumns, "a cut bound": len(found) > 0 && len(p.Lo) == mango.MaxColumns,
	} {
		if is {
			kinds[kind]++
		}
	}
}

// TestCutBounds asks for strings whose columns are about as long as columns may be, at once and one by one. Their keys are in
// another order than they are.
func TestCutBounds(t *testing.T) {
	x := indexOn(t, `["s"]`)
	var texts []string
	var docs []*mango.Document
	for n := mango.MaxColumns - 6; n < mango.MaxColumns+3; n++ {
		for _, end := range []string{``, `\u0000`, `\u0000y`, `z`} {
			texts = append(texts, `"`+strings.Repeat("x", n)+end+`"`)
		}
	}
	for i, text := range texts {
		docs = append(docs, document(t, fmt.Sprintf("k%02d", len(texts)-i), `{"s": `+text+`}`))
	}
	for _, op := range []string{"$eq", "$gt", "$gte", "$lt", "$lte", "$beginsWith"} {
		for _, sort := range []string{`["s"]`, `[{"s": "desc"}]`} {
			for _, text := range texts {
				q := parse(t, fmt.Sprintf(`{"selector": {"s": {%q: %s}}, "sort": %s}`, op, text, sort))
				p := planOf(t, q, x)
				found := wantAll(t, q, p, docs)
				wantOrder(t, q, p, found)
				if strings.HasSuffix(text, `xz"`) && strings.HasSuffix(op, "te") {
					wantPages(t, q, []*mango.Index{x}, docs, found, 1)
				}
				if t.Failed() {
					t.Fatalf("%s %d bytes, %s, by %s", op, len(text), text[len(text)-10:], sort)
				}
			}
		}
	}
}
