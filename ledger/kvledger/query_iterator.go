package kvledger

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// queryIterator yields the results of a rich query, in the plan's order.
//
// It reads candidates one by one, and keeps those that match. The store already has them in order, except in one case. An
// index's columns are cut at mango.MaxColumns bytes. Documents whose columns are the same after the cut stand in the order
// of their keys, not of their values. Such documents are read together, as a run, and sorted. Any other run is one document.
// So memory is bounded by how many documents share a thousand bytes of columns.
type queryIterator struct {
	query *mango.Query
	plan  *mango.Plan
	from  candidates    // everything that may be a result
	set   *namespaceSet // where the results are noted as read; nil if they are not noted

	namespace string
	skip      int
	limit     int           // how many results may still come; negative: any number
	run       []queryResult // results that were read together, and not yielded yet
	ahead     *candidate    // was read after the run, and belongs to the next one
	last      *mango.Position
}

var _ ledger.QueryIterator = (*queryIterator)(nil)

type queryResult struct {
	version  readVersion
	position mango.Position
	value    []byte
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

// next returns the next result, without regard to how many are to be skipped.
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

// readRun reads the next candidate, and those after it that may have to be sorted with it. It returns false if there are no
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

// A candidate has only been found where results may be. Three questions decide whether it is one. Is it a document? Does the
// selector match it? And does it come after the bookmark, which the bounds can't tell where columns are cut?
//
// addResult adds a candidate to the run, if it is a result.
func (it *queryIterator) addResult(ctx context.Context, c candidate) error {
	d, err := mango.NewDocument(c.key, c.value)
	if err != nil {
		return nil //nolint:nilerr // only documents are results
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
