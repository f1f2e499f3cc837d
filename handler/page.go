package handler

import (
	"context"
	"math"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// maxPageRecords is how many records a page holds at most, if the chaincode doesn't paginate the query itself.
const maxPageRecords = 100

// pagination is what a request says about pages. With size 0 and no bookmark the chaincode doesn't paginate: the results
// come in pages of the peer's choice until there are no more. A paginated query returns one page of the size that was asked
// for.
type pagination struct {
	size     int32
	bookmark string
}

func (p pagination) asked() bool { return p.size != 0 || p.bookmark != "" }

// parsePagination reads what a request says about pages. A page has no more records than a query may have. A request that
// names no size gets that many.
func parsePagination(metadata []byte, limit int) (pagination, error) {
	if len(metadata) == 0 {
		return pagination{}, nil
	}
	m := &pb.QueryMetadata{}
	if err := proto.Unmarshal(metadata, m); err != nil {
		return pagination{}, errors.Wrap(err, "unmarshal failed")
	}
	if m.PageSize < 0 {
		return pagination{}, errors.Errorf("page size %d is negative, want 0 or more", m.PageSize)
	}
	p := pagination{size: m.PageSize, bookmark: m.Bookmark}
	if p.asked() && (p.size == 0 || int(p.size) > limit) {
		p.size = int32(min(limit, math.MaxInt32)) //nolint:gosec // made to fit
	}
	return p, nil
}

// query is an iterator that a transaction has open.
type query struct {
	id string
	pagination
	results   results
	ahead     *record // read early, to know whether there is more
	maxBytes  int     // from which on a page ends early
	maxSize   int     // of a page that must not end early; 0: any
	left      int     // records until the limit of a query
	truncated bool    // there were more than the limit allows
	parsed    int     // how many bytes the ledger is taken to need for the query's text
	kept      int     // bytes that are counted of what the query keeps
	worker    *worker // counts what the ledger notes of each record
}

// page reads the next page. It reads one record further than it returns, so that HasMore is exact.
func (q *query) page(ctx context.Context) (*pb.QueryResponse, error) {
	resp := &pb.QueryResponse{Id: q.id}
	size := 0
	for {
		r, err := q.take(ctx)
		if err != nil {
			return nil, err
		}
		if r == nil {
			break
		}
		if q.full(len(resp.Results), size+len(r.bytes)) {
			q.ahead = r
			break
		}
		size += len(r.bytes)
		if q.asked() && q.maxSize > 0 && size > q.maxSize {
			return nil, errors.Errorf("a page of %d records has more than %d bytes, which is the limit: ask for fewer", q.size, q.maxSize)
		}
		resp.Results = append(resp.Results, &pb.QueryResultBytes{ResultBytes: r.bytes})
	}
	q.left -= len(resp.Results)
	if q.asked() {
		return resp, q.describe(ctx, resp)
	}
	q.truncated = q.ahead != nil && q.left == 0
	resp.HasMore = q.ahead != nil && q.left > 0
	return resp, nil
}

// take returns the next record: the one read ahead, if there is one. What the ledger notes of it is counted at once, because
// it stays noted even if the page fails. The record has room in the answer. One that is read
// ahead takes that room before it is known to be for a later page.
func (q *query) take(ctx context.Context) (*record, error) {
	if r := q.ahead; r != nil {
		if err := q.worker.room.Reserve(ctx, len(r.bytes)); err != nil {
			return nil, err
		}
		q.ahead = nil
		return r, nil
	}
	if err := q.worker.charge(noteBytes); err != nil {
		return nil, err
	}
	before := q.worker.room.read
	r, err := q.results.next(ctx)
	if err != nil || r == nil {
		return nil, err
	}
	if err := q.chargeNoted(r.key); err != nil {
		return nil, err
	}
	return r, q.worker.room.atLeast(ctx, before, len(r.bytes))
}

// full reports whether a page of n records is full already, if one more record would bring it to size bytes.
func (q *query) full(n, size int) bool {
	if q.asked() {
		return n == int(q.size)
	}
	return n == q.left || n == maxPageRecords || n > 0 && size > q.maxBytes
}

// describe adds to a paginated query's page where it ended. For a rich query that is what the ledger says. For a range it is
// the key of the next record, or "" if there is none.
func (q *query) describe(ctx context.Context, resp *pb.QueryResponse) (err error) {
	m := &pb.QueryResponseMetadata{FetchedRecordsCount: int32(len(resp.Results))} //nolint:gosec // at most size, an int32
	if rich, ok := q.results.(richResults); ok {
		if m.Bookmark, err = rich.bookmark(ctx); err != nil {
			return err
		}
	} else if q.ahead != nil {
		m.Bookmark = q.ahead.key
	}
	resp.Metadata, err = marshal(m)
	return err
}
