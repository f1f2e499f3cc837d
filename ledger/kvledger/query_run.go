package kvledger

import (
	"context"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// maxRunBytes is how many bytes of documents a run keeps, or one document. It may have twice as many for a moment.
const maxRunBytes = 4 << 20

type queryResult struct {
	version  readVersion
	position mango.Position
	value    []byte
	size     int // of the document and of the value
}

// run is the results with some columns, in the plan's order. There may be any number of documents that have the same first
// thousand bytes of columns, and each may be large. So a run keeps only the first of them: as many as fit, and as are wanted. If
// that wasn't all, the documents are read again for those that come after the last one of the run.
type run struct {
	plan    *mango.Plan
	columns string
	after   *mango.Position // only what comes after it is a result; or nil
	most    int             // how many results are wanted

	results []queryResult
	taken   int            // how many of them were yielded
	bytes   int            // of those that were not
	more    bool           // there are more results than these; all of them come after last
	last    mango.Position // of what the run keeps
}

// wants reports whether a result at a position may be one of those that the run keeps.
func (r *run) wants(ctx context.Context, at mango.Position) (bool, error) {
	if r.after != nil {
		if order, err := r.plan.CompareContext(ctx, at, *r.after); order <= 0 || err != nil {
			return false, err
		}
	}
	if !r.more {
		return true, nil
	}
	order, err := r.plan.CompareContext(ctx, at, r.last)
	return order < 0, err
}

// add adds a result that the run wants, whose document and value have a size.
func (r *run) add(ctx context.Context, result queryResult, size int) error {
	result.size = size
	r.results = append(r.results, result)
	r.bytes += size
	if len(r.results) == 1 || r.bytes <= 2*maxRunBytes && len(r.results)/2 < r.most {
		return nil
	}
	if err := r.sort(ctx); err != nil {
		return err
	}
	keep, kept := 1, r.results[0].size
	for keep < len(r.results) && keep < r.most && kept+r.results[keep].size <= maxRunBytes {
		kept += r.results[keep].size
		keep++
	}
	if keep < len(r.results) {
		clear(r.results[keep:])
		r.results, r.bytes, r.more = r.results[:keep], kept, true
		r.last = r.results[keep-1].position
	}
	return nil
}

func (r *run) sort(ctx context.Context) error {
	return mango.SortResults(ctx, r.plan, r.results, func(result queryResult) mango.Position { return result.position })
}

// take takes the first result, and returns false if there is none.
func (r *run) take() (queryResult, bool) {
	if r.taken == len(r.results) {
		return queryResult{}, false
	}
	first := r.results[r.taken]
	r.results[r.taken] = queryResult{}
	r.taken++
	r.bytes -= first.size
	return first, true
}

// begin makes it a new run, for no more than so many results. Room is used again, since most runs have one result.
func (r *run) begin(columns string, after *mango.Position, most int) {
	*r = run{plan: r.plan, columns: columns, after: after, most: most, results: r.results[:0]}
}
