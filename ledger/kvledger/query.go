package kvledger

import (
	"context"
	"slices"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

var (
	_ ledger.RichQuerier        = (*Simulator)(nil)
	_ ledger.PrivateRichQuerier = (*Simulator)(nil)
)

// ExecuteQuery implements ledger.RichQuerier for CouchDB's Mango queries, which the package's comment describes. It notes as
// read the keys that the iterator yields, as far as it is read. It notes nothing about documents that might match as well. A
// paginated query is refused after a write, and after it every write is refused. Results are read as they are asked for, and
// come in the order of the index or, without one, of the keys. As in CouchDB, it is an error to sort by what no index has.
func (s *Simulator) ExecuteQuery(ctx context.Context, namespace, query string, p ledger.Page) (ledger.QueryIterator, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if p.Asked() {
		if err := s.past.beforePage(p.Size); err != nil {
			return nil, err
		}
	}
	d, err := s.definition(ctx, set)
	if err != nil {
		return nil, err
	}
	it, err := s.view.openQuery(ctx, documents{namespace: namespace, definition: d}, query, p)
	if err != nil {
		return nil, err
	}
	it.set = set
	return it, nil
}

// ExecuteQueryOnPrivateData implements ledger.PrivateRichQuerier for the same queries. It notes nothing. It is refused after
// a write, and after it every write is refused.
func (s *Simulator) ExecuteQueryOnPrivateData(ctx context.Context, namespace, collection, query string) (ledger.Iterator, error) {
	if s.view.closed {
		return nil, errDone
	}
	if err := s.past.beforePrivateQuery(); err != nil {
		return nil, err
	}
	if _, err := s.collection(ctx, namespace, collection, ""); err != nil {
		return nil, err
	}
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	d, err := s.definition(ctx, set)
	if err != nil {
		return nil, err
	}
	return s.view.openQuery(ctx, documents{namespace, collection, d}, query, ledger.Page{})
}

// documents says which documents a query is about: those of the public state, or of a collection.
type documents struct {
	namespace, collection string
	definition            *definition // of the namespace, or nil
}

// openQuery begins to run a query.
func (v *view) openQuery(ctx context.Context, of documents, query string, p ledger.Page) (*queryIterator, error) {
	q, err := parseQuery(ctx, query)
	if err != nil {
		return nil, err
	}
	plan, err := q.PlanContext(ctx, of.definition.builtIndexes(of.collection))
	if err != nil {
		return nil, queryError(err)
	}
	bookmark := p.Bookmark
	if bookmark == "" {
		bookmark = q.Bookmark
	}
	if err := plan.ResumeContext(ctx, bookmark); err != nil {
		return nil, queryError(err)
	}
	it := &queryIterator{query: q, plan: plan, view: v, of: of, skip: q.Skip, limit: -1, run: run{plan: plan}}
	o := store.ScanOptions{Reverse: plan.Reverse, Fetch: usualPage}
	if p.Size > 0 {
		it.limit = int(p.Size)
		o.Fetch = min(usualPage, it.limit+min(it.skip, usualPage))
	}
	it.from, it.again = v.openCandidates(of, plan, o)
	return it, nil
}

// openCandidates opens the part of an index, or of all documents, that a plan reads.
//
// The plan's bounds are relative. Without an index they are keys of documents, and otherwise what follows an index's prefix.
// An index without an upper bound ends where the entries of the next index would begin.
//
// The function that it returns as well opens an index where entries with some columns begin, or is nil without an index.
// What it opens isn't closed by the view.
func (v *view) openCandidates(of documents, plan *mango.Plan, o store.ScanOptions) (candidates, func(columns string) *lookup) {
	if plan.Index == nil {
		lo, hi, keyAt := v.ledger.keys.documentRange(of.namespace, of.collection, string(plan.Lo))
		if plan.Hi != nil {
			hi = lo[:keyAt] + string(plan.Hi)
		}
		return v.openScan(scan{namespace: of.namespace, keyAt: keyAt}, lo, hi, o), nil
	}
	at := slices.IndexFunc(of.definition.Indexes, func(x *index) bool { return x.Of == plan.Index })
	id := of.definition.Indexes[at].ID
	prefix, indexEnd := v.ledger.keys.indexPrefix(of.namespace, id), v.ledger.keys.indexPrefix(of.namespace, id+1)
	first, _, keyAt := v.ledger.keys.documentRange(of.namespace, of.collection, "")
	open := func(lo, hi string, o store.ScanOptions) *lookup {
		it := v.openLookup(of.namespace, lo, hi, o)
		it.prefix, it.documents = prefix, first[:keyAt]
		return it
	}
	end := indexEnd
	if plan.Hi != nil {
		end = prefix + string(plan.Hi)
	}
	it := open(prefix+string(plan.Lo), end, o)
	v.add(it)
	return it, func(columns string) *lookup {
		return open(prefix+columns, indexEnd, store.ScanOptions{Fetch: o.Fetch})
	}
}
