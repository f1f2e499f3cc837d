package handler

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// The texts of a Fabric peer that keeps its state in LevelDB (core/ledger/kvledger/txmgmt/statedb/stateleveldb).
var (
	errNoRichQuery = errors.New("ExecuteQuery not supported for leveldb")
	errNoRichPage  = errors.New("ExecuteQueryWithPagination not supported for leveldb")

	errNoIterator = errors.New("ledger returned no iterator")
)

func (w *worker) getStateByRange(ctx context.Context, req *pb.GetStateByRange) ([]byte, error) {
	p, err := parsePagination(req.Metadata, w.cfg.TotalQueryLimit)
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
	query, err := w.queries.begin(p, "", r.Start, r.End)
	if err != nil {
		return nil, err
	}
	it, err := w.tx.sim().GetStateRange(ctx, w.tx.Namespace, r)
	return w.queries.openStates(ctx, query, it, err)
}

func (w *worker) getQueryResult(ctx context.Context, req *pb.GetQueryResult) ([]byte, error) {
	p, err := parsePagination(req.Metadata, w.cfg.TotalQueryLimit)
	if err != nil {
		return nil, err
	}
	if req.Collection != "" { // never paginated
		return w.queryPrivateData(ctx, req)
	}
	q, ok := w.tx.sim().(ledger.RichQuerier)
	switch {
	case !ok && p.asked():
		return nil, errNoRichPage
	case !ok:
		return nil, errNoRichQuery
	}
	query, err := w.queries.begin(p, req.Query)
	if err != nil {
		return nil, err
	}
	it, err := q.ExecuteQuery(ctx, w.tx.Namespace, req.Query, ledger.Page{Size: p.size, Bookmark: p.bookmark})
	if err != nil || it == nil {
		return w.queries.openStates(ctx, query, nil, err)
	}
	return w.queries.open(ctx, query, richResults{rangeResults{it}, it})
}

func (w *worker) getHistoryForKey(ctx context.Context, req *pb.GetHistoryForKey) ([]byte, error) {
	l, ok := w.tx.sim().(ledger.HistoryReader)
	if !ok {
		return nil, errors.New("history database is not enabled")
	}
	query, err := w.queries.begin(pagination{}, "", req.Key)
	if err != nil {
		return nil, err
	}
	it, err := l.GetHistoryForKey(ctx, w.tx.Namespace, req.Key)
	if err != nil || it == nil {
		return w.queries.openStates(ctx, query, nil, err)
	}
	return w.queries.open(ctx, query, historyResults{it})
}

func (w *worker) queryStateNext(ctx context.Context, req *pb.QueryStateNext) ([]byte, error) {
	return w.queries.answerNext(ctx, req.Id)
}

func (w *worker) queryStateClose(_ context.Context, req *pb.QueryStateClose) ([]byte, error) {
	if q := w.queries.opened[req.Id]; q != nil {
		w.queries.forget(q)
	}
	return marshal(&pb.QueryResponse{Id: req.Id})
}

// results are what a ledger's iterator yields, in the form that chaincode gets.
type results interface {
	// next returns the next result, or nil after the last one.
	next(ctx context.Context) (*record, error)
	// kept returns how many bytes the ledger says that the iterator keeps.
	kept() int
	close()
}

// keptBy is how many bytes a ledger's iterator says that it keeps.
func keptBy(iterator any) int {
	if k, ok := iterator.(ledger.Keeper); ok {
		return max(k.Kept(), 0)
	}
	return 0
}

// record is one result, marshalled.
type record struct {
	bytes []byte
	key   string // of a range query: the bookmark is made from it
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

func (r rangeResults) kept() int { return keptBy(r.Iterator) }
func (r rangeResults) close()    { r.Close() }

// richResults are the results of a rich query. The ledger makes its bookmarks.
type richResults struct {
	rangeResults
	it ledger.QueryIterator
}

func (r richResults) bookmark(ctx context.Context) (string, error) { return r.it.Bookmark(ctx) }

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

func (r historyResults) kept() int { return keptBy(r.HistoryIterator) }
func (r historyResults) close()    { r.Close() }

func marshal(m proto.Message) ([]byte, error) {
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, errors.Wrap(err, "marshal response")
	}
	return b, nil
}
