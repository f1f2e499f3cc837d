package handler

import (
	"context"
	"strconv"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Texts of a peer of Fabric that keeps its state in LevelDB (core/ledger/kvledger/txmgmt/statedb/stateleveldb).
var (
	errNoRichQuery = errors.New("ExecuteQuery not supported for leveldb")
	errNoRichPage  = errors.New("ExecuteQueryWithPagination not supported for leveldb")

	errNoIterator = errors.New("ledger returned no iterator")
)

func (w *worker) getStateByRange(ctx context.Context, req *pb.GetStateByRange) ([]byte, error) {
	p, err := w.parsePagination(req.Metadata)
	if err != nil {
		return nil, err
	}
	if req.Collection != "" { // never paginated
		return w.getPrivateDataRange(ctx, req)
	}
	r := ledger.Range{Start: req.StartKey, End: req.EndKey, PageSize: p.size}
	if p.bookmark != "" {
		if p.bookmark < r.Start || (r.End != "" && p.bookmark >= r.End) {
			return nil, errors.Errorf("bookmark %s is outside of the range from %s to %s", quoted(p.bookmark), quoted(r.Start), quoted(r.End))
		}
		r.Start = p.bookmark
	}
	it, err := w.sim().GetStateRange(ctx, w.tx.Namespace, r)
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return w.open(ctx, p, rangeResults{it})
}

func (w *worker) getQueryResult(ctx context.Context, req *pb.GetQueryResult) ([]byte, error) {
	p, err := w.parsePagination(req.Metadata)
	if err != nil {
		return nil, err
	}
	if req.Collection != "" { // never paginated
		return w.queryPrivateData(ctx, req)
	}
	q, ok := w.sim().(ledger.RichQuerier)
	switch {
	case !ok && p.asked():
		return nil, errNoRichPage
	case !ok:
		return nil, errNoRichQuery
	}
	it, err := q.ExecuteQuery(ctx, w.tx.Namespace, req.Query, ledger.Page{Size: p.size, Bookmark: p.bookmark})
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return w.open(ctx, p, richResults{rangeResults{it}, it})
}

// openStates is open for results that are never paginated, from what a ledger returned.
func (w *worker) openStates(ctx context.Context, it ledger.Iterator, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return w.open(ctx, pagination{}, rangeResults{it})
}

func (w *worker) getHistoryForKey(ctx context.Context, req *pb.GetHistoryForKey) ([]byte, error) {
	l, ok := w.sim().(ledger.HistoryReader)
	if !ok {
		return nil, errors.New("history database is not enabled")
	}
	it, err := l.GetHistoryForKey(ctx, w.tx.Namespace, req.Key)
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return w.open(ctx, pagination{}, historyResults{it})
}

func (w *worker) queryStateNext(ctx context.Context, req *pb.QueryStateNext) ([]byte, error) {
	q := w.queries[req.Id]
	if q == nil {
		return nil, errors.New("query iterator not found")
	}
	return w.answerPage(ctx, q)
}

func (w *worker) queryStateClose(_ context.Context, req *pb.QueryStateClose) ([]byte, error) {
	if q := w.queries[req.Id]; q != nil {
		w.queries.forget(q)
	}
	return marshal(&pb.QueryResponse{Id: req.Id})
}

// open makes a query of the transaction from an iterator, and answers its first page.
func (w *worker) open(ctx context.Context, p pagination, r results) ([]byte, error) {
	if len(w.queries) >= w.cfg.MaxQueries {
		r.close()
		return nil, errors.Errorf("transaction has %d iterators open, which is the limit: close those that are read", len(w.queries))
	}
	q := &query{
		id: strconv.FormatInt(w.queryIDs.Add(1), 10), results: r, pagination: p,
		maxBytes: w.cfg.MaxPageBytes, maxSize: w.cfg.MaxSendMsgSize, left: w.cfg.TotalQueryLimit,
	}
	if w.queries == nil {
		w.queries = queries{}
	}
	w.queries[q.id] = q
	return w.answerPage(ctx, q)
}

// answerPage reads the next page. A query that has ended, or failed, is closed.
func (w *worker) answerPage(ctx context.Context, q *query) ([]byte, error) {
	page, err := q.page(ctx)
	if q.truncated {
		w.fault(FaultQueryLimit, w.tx.key, nil, zap.Int("limit", w.cfg.TotalQueryLimit))
	}
	if err != nil || !page.HasMore {
		w.queries.forget(q)
	}
	if err != nil {
		return nil, err
	}
	return marshal(page)
}

// queries are the iterators that a transaction has open, by the IDs under which chaincode knows them.
type queries map[string]*query

// forget closes a query, once: what is not in the table can't be closed again.
func (all queries) forget(q *query) {
	delete(all, q.id)
	q.results.close()
}

// results are what a ledger's iterator yields, in the form in which chaincode gets them.
type results interface {
	// next returns the next result, or nil after the last one.
	next(ctx context.Context) (*record, error)
	close()
}

// record is one result, marshalled.
type record struct {
	bytes []byte
	key   string // of a range query: what a bookmark says
}

type rangeResults struct{ ledger.Iterator }

func (r rangeResults) next(ctx context.Context) (*record, error) {
	kv, err := r.Next(ctx)
	if err != nil || kv == nil {
		return nil, err
	}
	b, err := marshal(&pb.KV{Namespace: kv.Namespace, Key: kv.Key, Value: kv.Value})
	if err != nil {
		return nil, err
	}
	return &record{bytes: b, key: kv.Key}, nil
}

func (r rangeResults) close() { r.Close() }

// richResults are the results of a rich query, whose bookmarks the ledger makes.
type richResults struct {
	rangeResults
	it ledger.QueryIterator
}

func (r richResults) bookmark() string { return r.it.Bookmark() }

type historyResults struct{ ledger.HistoryIterator }

func (r historyResults) next(ctx context.Context) (*record, error) {
	m, err := r.Next(ctx)
	if err != nil || m == nil {
		return nil, err
	}
	b, err := marshal(&pb.KeyModification{
		TxId: m.TxID, Value: m.Value, Timestamp: timestamppb.New(m.Timestamp), IsDelete: m.IsDelete,
	})
	if err != nil {
		return nil, err
	}
	return &record{bytes: b}, nil
}

func (r historyResults) close() { r.Close() }

func marshal(m proto.Message) ([]byte, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, errors.Wrap(err, "marshal response")
	}
	return b, nil
}
