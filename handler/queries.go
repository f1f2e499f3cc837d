package handler

import (
	"context"
	"strconv"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// queries are the iterators that a transaction has open, by the IDs under which chaincode knows them. Whatever opens an
// iterator adds it here, and whatever closes one takes it out first. So each is closed once, by the goroutine that used it.
type queries struct {
	*workshop
	tx    *transactionContext
	open  map[string]*query
	ahead int   // how many bytes all of them have read ahead
	kept  lease // of these bytes
}

// openStates adds the iterator that a ledger returned, for results that are never paginated. It answers the first page.
func (all *queries) openStates(ctx context.Context, it ledger.Iterator, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if it == nil {
		return nil, errNoIterator
	}
	return all.add(ctx, pagination{}, rangeResults{it})
}

// add makes an iterator a query of the transaction, and answers its first page.
func (all *queries) add(ctx context.Context, p pagination, r results) ([]byte, error) {
	limits := &all.cfg.Limits
	if len(all.open) >= limits.MaxQueries {
		r.close()
		return nil, errors.Errorf("transaction has %d iterators open, which is the limit: close those that are read", len(all.open))
	}
	q := &query{
		id: strconv.FormatInt(all.queryIDs.Add(1), 10), results: r, pagination: p,
		maxBytes: limits.MaxPageBytes, maxSize: limits.MaxSendMsgSize, left: limits.TotalQueryLimit,
		room: &all.tx.worker.room,
	}
	if all.open == nil {
		all.open = map[string]*query{}
	}
	all.open[q.id] = q
	return all.answerPage(ctx, q)
}

// answerNext answers the next page of an open query.
func (all *queries) answerNext(ctx context.Context, id string) ([]byte, error) {
	q := all.open[id]
	if q == nil {
		return nil, errors.New("query iterator not found")
	}
	return all.answerPage(ctx, q)
}

// answerPage reads the next page. It closes a query that has ended or failed.
func (all *queries) answerPage(ctx context.Context, q *query) ([]byte, error) {
	page, err := q.page(ctx)
	if q.truncated {
		all.fault(FaultQueryLimit, all.tx.key, nil, zap.Int("limit", all.cfg.TotalQueryLimit))
	}
	if err == nil {
		err = all.keep(q, page)
	}
	if err != nil || !page.HasMore {
		all.forget(q)
	}
	if err != nil {
		return nil, err
	}
	return marshal(page)
}

// keep counts what a query keeps after a page: the record that was read ahead, and a note of each one that was read.
func (all *queries) keep(q *query, page *pb.QueryResponse) error {
	if err := all.tx.worker.charge(q.noted); err != nil {
		return err
	}
	q.noted = 0
	n := 0
	if q.ahead != nil && page.HasMore {
		n = len(q.ahead.bytes)
	}
	if err := all.resize(q, n); err != nil {
		return err
	}
	if sum, limit := all.tx.Simulation.chargedBytes()+all.ahead, all.cfg.MaxTransactionBytes; sum > limit {
		return errors.Errorf("the transaction's iterators have read %d bytes ahead, which makes %d bytes with what it has read and written, the limit is %d: "+
			"close those that are read", all.ahead, sum, limit)
	}
	return nil
}

// resize notes how many bytes a query has read ahead. If it returns an error, the caller closes the query.
func (all *queries) resize(q *query, n int) error {
	all.ahead += n - q.kept
	q.kept = n
	return all.kept.resize("what iterators have read ahead", all.ahead)
}

// forget closes a query.
func (all *queries) forget(q *query) {
	delete(all.open, q.id)
	_ = all.resize(q, 0)
	q.results.close()
}

// closeAll closes what is still open. It waits for an operation that a callee may have left running.
func (all *queries) closeAll() {
	defer all.kept.end()
	if len(all.open) == 0 {
		return
	}
	all.tx.happened(onClose)
	_ = all.tx.Simulation.acquire(context.Background()) // however long it takes: they must be closed
	defer all.tx.Simulation.end()
	for _, q := range all.open {
		all.closeOne(q)
	}
}

func (all *queries) closeOne(q *query) {
	defer func() {
		if p := recover(); p != nil {
			all.logPanic(all.tx.key, p)
			all.tx.trust.lose(errPanic)
		}
	}()
	all.forget(q)
}
