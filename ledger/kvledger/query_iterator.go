package kvledger

import (
	"context"
	"math"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// queryIterator yields the results of a rich query, in the plan's order.
//
// It reads candidates one by one, and keeps those that match. The store already has them in order, except in one case. An
// index's columns are cut at mango.MaxColumns bytes. Documents whose columns are the same after the cut stand in the order
// of their keys, not of their values. Such documents are read together, as a run, and sorted. Any other run is one document.
// What a run keeps is bounded: see run.
type queryIterator struct {
	query *mango.Query
	plan  *mango.Plan
	view  *view
	of    documents
	from  candidates    // everything that may be a result
	set   *namespaceSet // where the results are noted as read; nil if they are not noted

	skip  int
	limit int        // how many results may still come; negative: any number
	run   run        // results that were read together
	ahead *candidate // was read after the run, and belongs to the next one
	again func(columns string) *lookup
	last  *mango.Position
}

var _ ledger.QueryIterator = (*queryIterator)(nil)

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
	if err := it.reserve(ctx, &r); err != nil {
		return nil, it.from.fail(err)
	}
	if it.set != nil {
		it.set.reads.set(r.position.Key, r.version)
	}
	it.limit--
	last := r.position // a copy, so that the value isn't kept with it
	it.last = &last
	return &ledger.KV{Namespace: it.of.namespace, Key: r.position.Key, Value: r.value}, nil
}

// largeResult is from how many bytes on a result is let go while it waits for room in the answer.
const largeResult = 64 << 10

// reserve waits for room for a result.
//
// Most of what a query reads may not match, and is no part of the answer. So a document is read before there is room for it,
// and stays in memory only until it is known to be a result. A large one is let go then, and read again when there is room.
// Otherwise all transactions that wait would hold theirs.
func (it *queryIterator) reserve(ctx context.Context, r *queryResult) error {
	size := len(r.value)
	if size <= largeResult {
		return ledger.Reserve(ctx, size)
	}
	r.value = nil
	if err := ledger.Reserve(ctx, size); err != nil {
		return err
	}
	first, _, keyAt := it.view.ledger.keys.documentRange(it.of.namespace, it.of.collection, "")
	key := r.position.Key
	b, err := it.view.snapshot.Get(ledger.WithReserver(ctx, nil), first[:keyAt]+key)
	if err != nil {
		return errors.Wrapf(err, "read key %q again", shown(key))
	}
	_, value, err := decodeValue(b)
	if err != nil {
		return errors.Wrapf(err, "read key %q again", shown(key))
	}
	if it.query.Projects() {
		d, err := mango.NewDocumentContext(ctx, key, value)
		if err != nil {
			return errors.Wrapf(err, "decode key %q again", shown(key))
		}
		value, err = it.query.ProjectContext(ctx, d)
		if err != nil {
			return errors.Wrapf(err, "project key %q again", shown(key))
		}
	}
	r.value = value
	return nil
}

// next returns the next result, without regard to how many are to be skipped.
func (it *queryIterator) next(ctx context.Context) (queryResult, bool, error) {
	for {
		if r, ok := it.run.take(); ok {
			return r, true, nil
		}
		if it.run.more {
			if err := it.rereadRun(ctx); err != nil {
				return queryResult{}, false, err
			}
		} else if more, err := it.readRun(ctx); !more || err != nil {
			return queryResult{}, false, err
		}
	}
}

// readRun reads the next candidate, and those after it that may have to be sorted with it. It returns false if there are no
// more.
func (it *queryIterator) readRun(ctx context.Context) (bool, error) {
	first, ok, err := it.nextCandidate(ctx)
	if !ok || err != nil {
		return false, err
	}
	it.run.begin(first.columns, nil, it.wanted())
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
			return true, it.sortRun(ctx)
		}
		if err := it.addResult(ctx, c); err != nil {
			return false, err
		}
	}
}

// rereadRun reads a run once more, for the results that there was no room for.
func (it *queryIterator) rereadRun(ctx context.Context) error {
	columns, last := it.run.columns, it.run.last
	it.run.begin(columns, &last, it.wanted())
	from := it.again(columns)
	defer from.Close()
	for {
		c, ok, err := from.nextCandidate(ctx)
		if err != nil {
			return it.from.fail(err)
		}
		if !ok || c.columns != columns {
			return it.sortRun(ctx)
		}
		if err := it.addResult(ctx, c); err != nil {
			return err
		}
	}
}

func (it *queryIterator) sortRun(ctx context.Context) error {
	if err := it.run.sort(ctx); err != nil {
		return it.from.fail(errors.Wrap(err, "sort results"))
	}
	return nil
}

// wanted returns how many results may still be asked for.
func (it *queryIterator) wanted() int {
	if it.limit < 0 || it.skip >= math.MaxInt-it.limit {
		return math.MaxInt
	}
	return it.limit + it.skip
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
	d, err := mango.NewDocumentContext(ctx, c.key, c.value)
	if ctx.Err() != nil {
		return it.from.fail(errors.Wrapf(ctx.Err(), "decode key %q", shown(c.key)))
	}
	if err != nil {
		return nil //nolint:nilerr // only documents are results
	}
	matched, err := it.query.MatchContext(ctx, d)
	if err != nil {
		return it.from.fail(errors.Wrapf(err, "match key %q", shown(c.key)))
	}
	if !matched {
		return nil
	}
	position := it.plan.Position(d)
	follows, err := it.plan.FollowsContext(ctx, position)
	if err == nil && follows {
		follows, err = it.run.wants(ctx, position)
	}
	if err != nil {
		return it.from.fail(errors.Wrapf(err, "order key %q", shown(c.key)))
	}
	if !follows {
		return nil
	}
	projected, err := it.query.ProjectContext(ctx, d)
	if err != nil {
		return it.from.fail(errors.Wrapf(err, "project key %q", shown(c.key)))
	}
	if err := it.run.add(ctx, queryResult{version: c.version, position: position, value: projected}, len(c.value)+len(projected)); err != nil {
		return it.from.fail(errors.Wrap(err, "sort results"))
	}
	return nil
}

// Bookmark implements ledger.QueryIterator. After a page without results it is CouchDB's "nil".
func (it *queryIterator) Bookmark(ctx context.Context) (string, error) {
	if it.last == nil {
		return "nil", nil
	}
	bookmark, err := it.plan.BookmarkAfterContext(ctx, *it.last)
	return bookmark, errors.Wrapf(err, "make bookmark after key %q", shown(it.last.Key))
}

// Kept is about how many bytes of memory the iterator keeps between two calls: the query, what was read and not yielded, and
// the position of the last result.
func (it *queryIterator) Kept() int {
	n := it.query.Kept() + it.from.kept() + it.run.bytes
	if it.ahead != nil {
		n += it.ahead.size()
	}
	if it.last != nil {
		n += it.last.Kept()
	}
	return n
}

// Close implements ledger.Iterator. What was yielded stays noted. There can still be a bookmark.
func (it *queryIterator) Close() {
	it.from.Close()
	it.run, it.ahead = run{}, nil
}
