package kvledger

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/mango"
)

var (
	_ ledger.RichQuerier        = (*Simulator)(nil)
	_ ledger.PrivateRichQuerier = (*Simulator)(nil)
)

// ExecuteQuery implements ledger.RichQuerier for CouchDB's Mango queries; package mango says what they mean. It notes
// the keys that the iterator yields as read, as far as it is read, and nothing of what else there might be. A paginated
// query is refused after a write, and makes every later write be refused. All values of the namespace are looked at;
// those of a sorted query's results are kept in memory. CouchDB refuses to sort without an index; here it may be done.
func (s *Simulator) ExecuteQuery(_ context.Context, namespace, query string, p ledger.Page) (ledger.QueryIterator, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if p.Asked() {
		if err := s.beforePage(p.Size); err != nil {
			return nil, err
		}
	}
	it, err := newQueryIterator(query, p)
	if err != nil {
		return nil, err
	}
	it.set = set
	lo, hi, keyAt := s.ledger.stateRange(namespace, it.start(), "")
	it.scan = s.openScan(namespace, lo, hi, keyAt)
	return it, nil
}

// ExecuteQueryOnPrivateData implements ledger.PrivateRichQuerier for the same queries. It notes nothing, is refused after
// a write, and makes every later write be refused.
func (s *Simulator) ExecuteQueryOnPrivateData(_ context.Context, namespace, collection, query string) (ledger.Iterator, error) {
	if _, err := s.collection(namespace, collection, ""); err != nil {
		return nil, err
	}
	if err := s.beforePrivateQuery(); err != nil {
		return nil, err
	}
	it, err := newQueryIterator(query, ledger.Page{})
	if err != nil {
		return nil, err
	}
	lo, hi, keyAt := s.ledger.privateRange(namespace, collection, it.start(), "")
	it.scan = s.openScan(namespace, lo, hi, keyAt)
	return it, nil
}

// queryIterator yields the results of a rich query.
type queryIterator struct {
	query *mango.Query
	scan  *scan           // of all documents that may be results
	set   *namespaceSet   // where the results are noted as read; nil if they are not
	after *mango.Position // of the result before the first one, or nil

	skip   int
	limit  int           // of results that may still come; negative is none
	sorted []queryResult // that are still to come, of a query with a sort, once it has begun
	begun  bool
	last   *mango.Position // of what was yielded
}

var _ ledger.QueryIterator = (*queryIterator)(nil)

type queryResult struct {
	version  readVersion
	position mango.Position
	value    []byte
}

func newQueryIterator(query string, p ledger.Page) (*queryIterator, error) {
	q, err := mango.Parse([]byte(query))
	if err != nil {
		return nil, err
	}
	bookmark := p.Bookmark
	if bookmark == "" {
		bookmark = q.Bookmark
	}
	after, err := q.Resume(bookmark)
	if err != nil {
		return nil, err
	}
	it := &queryIterator{query: q, after: after, skip: q.Skip, limit: -1}
	if p.Size > 0 {
		it.limit = int(p.Size)
	}
	return it, nil
}

// start returns the first key that may be of a result.
func (it *queryIterator) start() string {
	if it.after == nil || len(it.query.Sort) > 0 {
		return ""
	}
	return it.after.Key + "\x00"
}

// Next implements ledger.Iterator.
func (it *queryIterator) Next(ctx context.Context) (*ledger.KV, error) {
	if err := it.scan.usable(); err != nil || it.limit == 0 {
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
	return &ledger.KV{Namespace: it.scan.namespace, Key: r.position.Key, Value: r.value}, nil
}

// next returns the next result, before any is skipped.
func (it *queryIterator) next(ctx context.Context) (queryResult, bool, error) {
	if len(it.query.Sort) == 0 {
		return it.nextMatch(ctx)
	}
	if !it.begun {
		if err := it.sort(ctx); err != nil {
			return queryResult{}, false, err
		}
		it.begun = true
	}
	if len(it.sorted) == 0 {
		return queryResult{}, false, nil
	}
	r := it.sorted[0]
	it.sorted = it.sorted[1:]
	return r, true, nil
}

// nextMatch returns the next document that matches, by its key.
func (it *queryIterator) nextMatch(ctx context.Context) (queryResult, bool, error) {
	for {
		key, v, value, ok, err := it.scan.next(ctx)
		if !ok || err != nil {
			return queryResult{}, false, err
		}
		d, err := mango.NewDocument(key, value)
		if err != nil {
			continue // what is no document is no result
		}
		matched, err := it.query.MatchContext(ctx, d)
		if err != nil {
			return queryResult{}, false, it.scan.fail(errors.Wrapf(err, "match key %q", key))
		}
		if !matched {
			continue
		}
		projected, err := it.query.Project(d)
		if err != nil {
			return queryResult{}, false, errors.Wrapf(err, "project key %q", key)
		}
		return queryResult{v, it.query.Position(d), projected}, true, nil
	}
}

// sort reads all results, and sorts those that come after the bookmark.
func (it *queryIterator) sort(ctx context.Context) error {
	for {
		r, ok, err := it.nextMatch(ctx)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if it.after == nil || it.query.ComparePositions(r.position, *it.after) > 0 {
			it.sorted = append(it.sorted, r)
		}
	}
	slices.SortFunc(it.sorted, func(a, b queryResult) int { return it.query.ComparePositions(a.position, b.position) })
	return nil
}

// Bookmark implements ledger.QueryIterator. After a page without results it is CouchDB's "nil".
func (it *queryIterator) Bookmark() string {
	if it.last == nil {
		return "nil"
	}
	bookmark, err := it.query.BookmarkAfter(*it.last)
	if err != nil {
		return "nil"
	}
	return bookmark
}

// Close implements ledger.Iterator. What was yielded stays noted.
func (it *queryIterator) Close() { it.scan.Close() }
