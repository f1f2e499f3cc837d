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

func (h *Handler) getStateByRange(ctx context.Context, tx *transactionContext, req *pb.GetStateByRange) ([]byte, error) {
	p, err := h.parsePagination(req.Metadata)
	if err != nil {
		return nil, err
	}
	if req.Collection != "" { // never paginated
		return h.getPrivateDataRange(ctx, tx, req)
	}
	r := ledger.Range{Start: req.StartKey, End: req.EndKey, PageSize: p.size}
	if p.bookmark != "" {
		if p.bookmark < r.Start || (r.End != "" && p.bookmark >= r.End) {
			return nil, errors.Errorf("bookmark %s is outside of the range from %s to %s", quoted(p.bookmark), quoted(r.Start), quoted(r.End))
		}
		r.Start = p.bookmark
	}
	it, err := tx.Simulation.sim.GetStateRange(ctx, tx.Namespace, r)
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return h.open(ctx, tx, p, rangeResults{it})
}

func (h *Handler) getQueryResult(ctx context.Context, tx *transactionContext, req *pb.GetQueryResult) ([]byte, error) {
	p, err := h.parsePagination(req.Metadata)
	if err != nil {
		return nil, err
	}
	if req.Collection != "" { // never paginated
		return h.queryPrivateData(ctx, tx, req)
	}
	q, ok := tx.Simulation.sim.(ledger.RichQuerier)
	switch {
	case !ok && p.asked():
		return nil, errNoRichPage
	case !ok:
		return nil, errNoRichQuery
	}
	it, err := q.ExecuteQuery(ctx, tx.Namespace, req.Query, ledger.Page{Size: p.size, Bookmark: p.bookmark})
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return h.open(ctx, tx, p, richResults{rangeResults{it}, it})
}

// openStates is open for results that are never paginated, from what a ledger returned.
func (h *Handler) openStates(ctx context.Context, tx *transactionContext, it ledger.Iterator, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return h.open(ctx, tx, pagination{}, rangeResults{it})
}

func (h *Handler) getHistoryForKey(ctx context.Context, tx *transactionContext, req *pb.GetHistoryForKey) ([]byte, error) {
	l, ok := tx.Simulation.sim.(ledger.HistoryReader)
	if !ok {
		return nil, errors.New("history database is not enabled")
	}
	it, err := l.GetHistoryForKey(ctx, tx.Namespace, req.Key)
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return h.open(ctx, tx, pagination{}, historyResults{it})
}

func (h *Handler) queryStateNext(ctx context.Context, tx *transactionContext, req *pb.QueryStateNext) ([]byte, error) {
	q := tx.queries[req.Id]
	if q == nil {
		return nil, errors.New("query iterator not found")
	}
	return h.answerPage(ctx, tx, q)
}

func (h *Handler) queryStateClose(_ context.Context, tx *transactionContext, req *pb.QueryStateClose) ([]byte, error) {
	if q := tx.queries[req.Id]; q != nil {
		tx.forget(q)
	}
	return marshal(&pb.QueryResponse{Id: req.Id})
}

// open makes a query of the transaction from an iterator, and answers its first page.
func (h *Handler) open(ctx context.Context, tx *transactionContext, p pagination, r results) ([]byte, error) {
	if len(tx.queries) >= h.cfg.MaxQueries {
		r.close()
		return nil, errors.Errorf("transaction has %d iterators open, which is the limit: close those that are read", len(tx.queries))
	}
	q := &query{
		id: strconv.FormatInt(h.queryIDs.Add(1), 10), results: r, pagination: p,
		maxBytes: h.cfg.MaxPageBytes, maxSize: h.cfg.MaxSendMsgSize, left: h.cfg.TotalQueryLimit,
	}
	if tx.queries == nil {
		tx.queries = map[string]*query{}
	}
	tx.queries[q.id] = q
	return h.answerPage(ctx, tx, q)
}

// answerPage reads the next page. A query that has ended, or failed, is closed.
func (h *Handler) answerPage(ctx context.Context, tx *transactionContext, q *query) ([]byte, error) {
	page, err := q.page(ctx)
	if q.truncated {
		h.fault(FaultQueryLimit, tx.TxID, zap.Int("limit", h.cfg.TotalQueryLimit))
	}
	if err != nil || !page.HasMore {
		tx.forget(q)
	}
	if err != nil {
		return nil, err
	}
	return marshal(page)
}

// forget closes a query, once: what is not in the table can't be closed again.
func (tx *transactionContext) forget(q *query) {
	delete(tx.queries, q.id)
	q.results.close()
}

// closeQueries closes what is still open at the transaction's end, behind an operation that a callee may have left.
func (h *Handler) closeQueries(tx *transactionContext) {
	if len(tx.queries) == 0 {
		return
	}
	tx.setClosing(true)
	defer tx.setClosing(false)
	_ = tx.Simulation.acquire(context.Background()) // however long it takes: they must be closed
	defer tx.Simulation.end()
	for _, q := range tx.queries {
		h.closeQuery(tx, q)
	}
}

func (h *Handler) closeQuery(tx *transactionContext, q *query) {
	defer func() {
		if p := recover(); p != nil {
			h.logPanic(tx.TxID, p)
			tx.poison(errPanic)
		}
	}()
	tx.forget(q)
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
