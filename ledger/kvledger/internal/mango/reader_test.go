package mango_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

func index(t testing.TB, file string) *mango.Index {
	t.Helper()
	x, err := mango.ParseIndex([]byte(file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return x
}

// indexOn returns an index on fields, which are JSON.
func indexOn(t testing.TB, fields string) *mango.Index {
	t.Helper()
	return index(t, `{"index": {"fields": `+fields+`}}`)
}

func planOf(t testing.TB, q *mango.Query, indexes ...*mango.Index) *mango.Plan {
	t.Helper()
	p, err := q.Plan(indexes)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sortPlan is the plan of a query that sorts by fields, which are JSON, with an index on them.
func sortPlan(t testing.TB, fields string) *mango.Plan {
	t.Helper()
	return planOf(t, parse(t, `{"selector": {}, "sort": `+fields+`}`), indexOn(t, fields))
}

// entry is what a store has of a document in an index, or without one.
type entry struct {
	columns []byte
	doc     *mango.Document
}

func (e entry) key() []byte { return slices.Concat(e.columns, []byte(e.doc.Key())) }

// read returns what a plan reads, in the order of the store, or the other way round.
func read(p *mango.Plan, docs []*mango.Document) []entry {
	var entries []entry
	for _, d := range docs {
		e := entry{doc: d}
		if p.Index != nil {
			columns, ok := p.Index.Columns(d)
			if !ok {
				continue
			}
			e.columns = columns
		}
		if key := e.key(); bytes.Compare(key, p.Lo) >= 0 && (p.Hi == nil || bytes.Compare(key, p.Hi) < 0) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return bytes.Compare(a.key(), b.key()) })
	if p.Reverse {
		slices.Reverse(entries)
	}
	return entries
}

// results returns what a query finds by its plan, as a ledger would.
func results(q *mango.Query, p *mango.Plan, docs []*mango.Document) []*mango.Document {
	var hits []*mango.Document
	entries := read(p, docs)
	for len(entries) > 0 {
		columns, n := entries[0].columns, 1
		if len(columns) == mango.MaxColumns {
			for n < len(entries) && bytes.Equal(entries[n].columns, columns) {
				n++
			}
		}
		var run []*mango.Document
		for _, e := range entries[:n] {
			if q.Match(e.doc) && p.Follows(p.Position(e.doc)) {
				run = append(run, e.doc)
			}
		}
		slices.SortFunc(run, func(a, b *mango.Document) int { return p.Compare(p.Position(a), p.Position(b)) })
		hits, entries = append(hits, run...), entries[n:]
	}
	return hits[min(q.Skip, len(hits)):]
}

// documentsOf returns the values that are documents.
func documentsOf(t testing.TB, values map[string]json.RawMessage) []*mango.Document {
	t.Helper()
	var docs []*mango.Document
	for _, key := range slices.Sorted(maps.Keys(values)) {
		d, err := mango.NewDocument(key, values[key])
		if errors.Is(err, mango.ErrNotObject) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	return docs
}
