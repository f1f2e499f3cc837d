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
// iterator calls begin before, and then open. Whatever closes one takes it out first. So each is closed once, by the goroutine
// that used it.
type queries struct {
	*workshop
	tx     *transactionContext
	opened map[string]*query
	held   int   // how many bytes all of them keep
	kept   lease // of these bytes
}

// begin makes room for one more query, with the text that the ledger is about to parse, and the names in the request. A
// ledger may keep all of these until the transaction ends, as the read set keeps the bounds of a range. After a nil error the
// caller asks the ledger, and calls open or openStates with what it has returned.
func (all *queries) begin(p pagination, text string, names ...string) (*query, error) {
	limits := &all.cfg.Limits
	if len(all.opened) >= limits.MaxQueries {
		return nil, errors.Errorf("transaction has %d iterators open, which is the limit: close those that are read", len(all.opened))
	}
	left := iteratorBytes + len(text) + len(p.bookmark)
	for _, name := range names {
		left += len(name)
	}
	if err := all.tx.worker.charge(left); err != nil {
		return nil, err
	}
	q := &query{
		pagination: p, maxBytes: limits.MaxPageBytes, maxSize: limits.MaxSendMsgSize, left: limits.TotalQueryLimit,
		worker: &all.tx.worker, parsed: min(queryFactor*len(text), maxParsed) + len(p.bookmark),
	}
	if err := all.keep(q, 0); err != nil {
		all.release(q)
		return nil, err
	}
	return q, nil
}

// openStates is open for the iterator that a ledger returned, which may be none.
func (all *queries) openStates(ctx context.Context, q *query, it ledger.Iterator, err error) ([]byte, error) {
	if err == nil && it == nil {
		err = errNoIterator
	}
	if err != nil {
		all.release(q)
		return nil, err
	}
	return all.open(ctx, q, rangeResults{it})
}

// open makes an iterator a query of the transaction, and answers its first page.
func (all *queries) open(ctx context.Context, q *query, r results) ([]byte, error) {
	q.id, q.results = strconv.FormatInt(all.queryIDs.Add(1), 10), r
	if all.opened == nil {
		all.opened = map[string]*query{}
	}
	all.opened[q.id] = q
	return all.answerPage(ctx, q)
}

// answerNext answers the next page of an open query.
func (all *queries) answerNext(ctx context.Context, id string) ([]byte, error) {
	q := all.opened[id]
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
		err = all.keepPage(q, page)
	}
	if err != nil || !page.HasMore {
		all.forget(q)
	}
	if err != nil {
		return nil, err
	}
	return marshal(page)
}

// keepPage counts what a query keeps after a page: the record that was read ahead, and what the ledger's iterator keeps.
func (all *queries) keepPage(q *query, page *pb.QueryResponse) error {
	if !page.HasMore {
		return nil // it is closed now
	}
	return all.keep(q, len(q.ahead.bytes)+q.results.kept())
}

// keep notes how many bytes an open query keeps beside its text. If it returns an error, the caller closes the query.
func (all *queries) keep(q *query, n int) error {
	if err := all.resize(q, q.parsed+n); err != nil {
		return err
	}
	if sum, limit := all.tx.Simulation.chargedBytes()+all.held, all.cfg.MaxTransactionBytes; sum > limit {
		return errors.Errorf("the transaction's iterators keep %d bytes, which makes %d bytes with what it has read and written, the limit is %d: "+
			"close those that are read", all.held, sum, limit)
	}
	return nil
}

// release forgets what a query keeps.
func (all *queries) release(q *query) { _ = all.resize(q, 0) }

func (all *queries) resize(q *query, n int) error {
	all.held += n - q.kept
	q.kept = n
	return all.kept.resize("what iterators keep", all.held)
}

// forget closes a query.
func (all *queries) forget(q *query) {
	delete(all.opened, q.id)
	all.release(q)
	q.results.close()
}

// closeAll closes what is still open. It waits for an operation that a callee may have left running.
func (all *queries) closeAll() {
	defer all.kept.end()
	if len(all.opened) == 0 {
		return
	}
	all.tx.happened(onClose)
	_ = all.tx.Simulation.acquire(context.Background()) // however long it takes: they must be closed
	defer all.tx.Simulation.end()
	for _, q := range all.opened {
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
