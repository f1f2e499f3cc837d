package kvledger

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

var (
	_ ledger.RichQuerier        = (*Simulator)(nil)
	_ ledger.PrivateRichQuerier = (*Simulator)(nil)
)

// ExecuteQuery implements ledger.RichQuerier for CouchDB's Mango queries, of which the package's comment says more. It notes
// the keys that the iterator yields as read, as far as it is read, and nothing of what else there might be. A paginated query is refused after a write, and makes every later write be refused. Results are read as
// they are asked for, and come in the order of the index, or of the keys. As in CouchDB, it is an error to sort by what no
// index has.
func (s *Simulator) ExecuteQuery(ctx context.Context, namespace, query string, p ledger.Page) (ledger.QueryIterator, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if p.Asked() {
		if err := s.beforePage(p.Size); err != nil {
			return nil, err
		}
	}
	it, err := s.openQuery(ctx, set, "", query, p)
	if err != nil {
		return nil, err
	}
	it.set = set
	return it, nil
}

// ExecuteQueryOnPrivateData implements ledger.PrivateRichQuerier for the same queries. It notes nothing, is refused after
// a write, and makes every later write be refused.
func (s *Simulator) ExecuteQueryOnPrivateData(ctx context.Context, namespace, collection, query string) (ledger.Iterator, error) {
	if err := s.beforePrivateQuery(); err != nil {
		return nil, err
	}
	if _, err := s.collection(ctx, namespace, collection, ""); err != nil {
		return nil, err
	}
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	return s.openQuery(ctx, set, collection, query, ledger.Page{})
}

// queryIterator yields the results of a rich query.
type queryIterator struct {
	query *mango.Query
	plan  *mango.Plan
	from  candidates    // all that may be results
	set   *namespaceSet // where the results are noted as read; nil if they are not

	namespace string
	skip      int
	limit     int           // of results that may still come; negative is none
	run       []queryResult // that were read together, and are still to come
	ahead     *candidate    // was read with them, and is behind them
	last      *mango.Position
}

var _ ledger.QueryIterator = (*queryIterator)(nil)

type queryResult struct {
	version  readVersion
	position mango.Position
	value    []byte
}

// openQuery begins to run a query over the public state, or over a collection.
func (s *Simulator) openQuery(ctx context.Context, set *namespaceSet, collection, query string, p ledger.Page) (*queryIterator, error) {
	q, err := parseQuery(query)
	if err != nil {
		return nil, err
	}
	d, err := s.definition(ctx, set)
	if err != nil {
		return nil, err
	}
	plan, err := q.Plan(d.builtIndexes(collection))
	if err != nil {
		return nil, queryError(err)
	}
	bookmark := p.Bookmark
	if bookmark == "" {
		bookmark = q.Bookmark
	}
	if err := plan.Resume(bookmark); err != nil {
		return nil, queryError(err)
	}
	it := &queryIterator{query: q, plan: plan, namespace: set.name, skip: q.Skip, limit: -1}
	o := store.ScanOptions{Reverse: plan.Reverse, Fetch: usualPage}
	if p.Size > 0 {
		it.limit = int(p.Size)
		o.Fetch = min(usualPage, it.limit+min(it.skip, usualPage))
	}
	it.from = s.openCandidates(set.name, collection, d, plan, o)
	return it, nil
}

// openCandidates opens the part of an index, or of all documents, that a plan reads.
func (s *Simulator) openCandidates(namespace, collection string, d *definition, plan *mango.Plan, o store.ScanOptions) candidates {
	l := s.ledger
	if plan.Index == nil {
		lo, hi, keyAt := l.documentRange(namespace, collection, string(plan.Lo))
		if plan.Hi != nil {
			hi = lo[:keyAt] + string(plan.Hi)
		}
		return s.openScan(scan{namespace: namespace, keyAt: keyAt}, lo, hi, o)
	}
	at := slices.IndexFunc(d.Indexes, func(x *index) bool { return x.Of == plan.Index })
	prefix, end := l.indexPrefix(namespace, d.Indexes[at].ID), l.indexPrefix(namespace, d.Indexes[at].ID+1)
	if plan.Hi != nil {
		end = prefix + string(plan.Hi)
	}
	documents, _, keyAt := l.documentRange(namespace, collection, "")
	it := s.openLookup(namespace, prefix+string(plan.Lo), end, o)
	it.prefix, it.documents = prefix, documents[:keyAt]
	return it
}

// Next implements ledger.Iterator.
func (it *queryIterator) Next(ctx context.Context) (*ledger.KV, error) {
	if err := it.from.usable(); err != nil || it.limit == 0 {
		return nil, err
	}
	r, ok, err := it.next(ctx)
	for ok && it.skip > 0 {
		it.skip--
		r, ok, err = it.next(ctx)
	}
	if !ok || err != nil {
		return nil, err
	}
	if it.set != nil {
		it.set.reads.set(r.position.Key, r.version)
	}
	it.limit--
	it.last = &r.position
	return &ledger.KV{Namespace: it.namespace, Key: r.position.Key, Value: r.value}, nil
}

// next returns the next result, before any is skipped.
func (it *queryIterator) next(ctx context.Context) (queryResult, bool, error) {
	for len(it.run) == 0 {
		more, err := it.readRun(ctx)
		if !more || err != nil {
			return queryResult{}, false, err
		}
	}
	r := it.run[0]
	it.run = it.run[1:]
	return r, true, nil
}

// readRun reads the next candidate, and those behind it that it may not be in order with. It returns false if there are no
// more.
func (it *queryIterator) readRun(ctx context.Context) (bool, error) {
	first, ok, err := it.nextCandidate(ctx)
	if !ok || err != nil {
		return false, err
	}
	if err := it.addResult(ctx, first); err != nil {
		return false, err
	}
	if len(first.columns) < mango.MaxColumns {
		return true, nil
	}
	for {
		c, ok, err := it.nextCandidate(ctx)
		if err != nil {
			return false, err
		}
		if ok && c.columns != first.columns {
			it.ahead = &c
		}
		if !ok || it.ahead != nil {
			break
		}
		if err := it.addResult(ctx, c); err != nil {
			return false, err
		}
	}
	slices.SortFunc(it.run, func(a, b queryResult) int { return it.plan.Compare(a.position, b.position) })
	return true, nil
}

func (it *queryIterator) nextCandidate(ctx context.Context) (candidate, bool, error) {
	if c := it.ahead; c != nil {
		it.ahead = nil
		return *c, true, nil
	}
	return it.from.nextCandidate(ctx)
}

// addResult adds a candidate to the run, if it is a result.
func (it *queryIterator) addResult(ctx context.Context, c candidate) error {
	d, err := mango.NewDocument(c.key, c.value)
	if err != nil {
		return nil //nolint:nilerr // what is no document is no result
	}
	matched, err := it.query.MatchContext(ctx, d)
	if err != nil {
		return it.from.fail(errors.Wrapf(err, "match key %q", c.key))
	}
	if !matched {
		return nil
	}
	position := it.plan.Position(d)
	if !it.plan.Follows(position) {
		return nil
	}
	projected, err := it.query.Project(d)
	if err != nil {
		return it.from.fail(errors.Wrapf(err, "project key %q", c.key))
	}
	it.run = append(it.run, queryResult{c.version, position, projected})
	return nil
}

// Bookmark implements ledger.QueryIterator. After a page without results it is CouchDB's "nil".
func (it *queryIterator) Bookmark() string {
	if it.last == nil {
		return "nil"
	}
	bookmark, err := it.plan.BookmarkAfter(*it.last)
	if err != nil {
		return "nil"
	}
	return bookmark
}

// Close implements ledger.Iterator. What was yielded stays noted.
func (it *queryIterator) Close() { it.from.Close() }
