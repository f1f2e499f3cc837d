package handler

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	pb "github.com/ccpeer/ccpeer/proto"
)

// TxParams are what a transaction runs with.
type TxParams struct {
	// ChannelID and TxID identify the transaction. Neither is interpreted; together they must be unique among the
	// transactions in flight on one handler.
	ChannelID string
	TxID      string
	// Namespace is the chaincode's name on the channel, which is the namespace of its state. Empty means the part
	// of the chaincode ID before the first ':'.
	Namespace string
	// SignedProposal is what the stub's creator, transient map, timestamp and binding are read from. Nil is
	// allowed; the chaincode then has none of them.
	SignedProposal *pb.SignedProposal
	// Simulation is what the transaction reads from and writes to. Nil is allowed; every request for state is then
	// refused with "no ledger context".
	Simulation *Simulation

	depth int // how many chaincodes called one another to get here
}

// txKey identifies a transaction on a stream.
type txKey struct{ channelID, txID string }

// transactionContext is one transaction in flight.
//
// Its requests are served by a worker goroutine of its own, which is started with the first request. The worker
// alone touches queries. mu protects the state that the stream's goroutine, the worker and Execute share.
type transactionContext struct {
	TxParams
	key txKey
	ctx context.Context // ends with Execute

	work    chan *pb.ChaincodeMessage // to the worker: requests, then nil. Never blocks: see dispatch
	result  chan *pb.ChaincodeMessage // to Execute: the reply, once
	queries map[string]*query

	abandoned *atomic.Int64 // of the handler: operations that nobody waits for

	mu        sync.Mutex
	working   bool                 // the worker was started
	leaving   bool                 // and serves no more requests
	left      bool                 // and has closed everything
	busy      bool                 // a request is being served
	ended     bool                 // Execute has returned, or is about to
	reply     *pb.ChaincodeMessage // COMPLETED or ERROR, once the chaincode has sent it
	delivered bool                 // reply was put into result
	broken    error                // why the transaction can't succeed
}

func (h *Handler) newTransactionContext(ctx context.Context, p TxParams) *transactionContext {
	return &transactionContext{
		TxParams:  p,
		key:       txKey{p.ChannelID, p.TxID},
		ctx:       ctx,
		result:    make(chan *pb.ChaincodeMessage, 1),
		abandoned: &h.abandoned,
	}
}

// admission is what becomes of a request.
type admission uint8

const (
	admitted    admission = iota
	pending               // an earlier request is still being served
	noContext             // the transaction has ended, or has no simulator
	firstWorker           // admitted, and the worker has to be started
)

// admit marks the transaction as having a request under way. It is called by the stream's goroutine.
func (tx *transactionContext) admit() admission {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch {
	case tx.ended || tx.leaving || tx.reply != nil || tx.Simulation == nil:
		return noContext
	case tx.busy:
		return pending
	}
	tx.busy = true
	if tx.working {
		return admitted
	}
	tx.working = true
	// One request may be under way; the nil that follows the reply must find room behind it.
	tx.work = make(chan *pb.ChaincodeMessage, 2)
	return firstWorker
}

// served ends what admit began, and says whether the answer is still wanted. It is called by the worker, before the
// answer is sent: the chaincode's next request may arrive at once.
func (tx *transactionContext) served() (answer bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.notBusy()
	return !tx.ended && tx.reply == nil
}

func (tx *transactionContext) notBusy() {
	if tx.busy && tx.ended {
		tx.abandoned.Add(-1)
	}
	tx.busy = false
}

// accept takes the chaincode's COMPLETED or ERROR, and reports whether it was the first. The reply reaches Execute
// when the last operation has returned and the worker has left.
func (tx *transactionContext) accept(msg *pb.ChaincodeMessage) bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.ended || tx.reply != nil {
		return false
	}
	tx.reply = msg
	switch {
	case !tx.working || tx.left:
		tx.deliver()
	case !tx.leaving:
		tx.work <- nil
	}
	return true
}

// deliver gives the reply to Execute, once. The caller holds mu.
func (tx *transactionContext) deliver() {
	if tx.reply != nil && !tx.delivered {
		tx.delivered = true
		tx.result <- tx.reply
	}
}

// end is called by Execute when it stops waiting. It reports whether the worker was started, and whether a request
// is still being served, which from now on nobody waits for.
func (tx *transactionContext) end() (working, abandoned bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.ended = true
	if tx.busy {
		tx.abandoned.Add(1)
	}
	return tx.working, tx.busy
}

// replied reports whether the chaincode has answered and nothing but the worker's end is left to wait for.
func (tx *transactionContext) replied() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.reply != nil && !tx.busy
}

// poison makes the transaction fail, whatever the chaincode answers, and all that shares its simulator.
func (tx *transactionContext) poison(cause error) {
	tx.mu.Lock()
	if tx.broken == nil {
		tx.broken = &poisonedError{cause: cause}
	}
	tx.mu.Unlock()
	if tx.Simulation != nil {
		tx.Simulation.poison(cause)
	}
}

// err returns why the transaction can't succeed, or nil.
func (tx *transactionContext) err() error {
	tx.mu.Lock()
	broken := tx.broken
	tx.mu.Unlock()
	if broken == nil && tx.Simulation != nil {
		return tx.Simulation.err()
	}
	return broken
}

// runTransaction is the worker of a transaction: it serves its requests one after the other, and closes what they
// opened.
func (h *Handler) runTransaction(tx *transactionContext) {
	defer h.endTransaction(tx)
	for {
		select {
		case msg := <-tx.work:
			if msg == nil {
				return
			}
			h.serveRequest(tx, msg)
		case <-tx.ctx.Done():
			return
		}
	}
}

// endTransaction is the worker's end: it closes what the transaction opened, and gives the reply to Execute if there
// is one. A reply that is of no use any more doesn't wait for the closing, which may take as long as an abandoned
// operation of a callee.
func (h *Handler) endTransaction(tx *transactionContext) {
	tx.mu.Lock()
	unserved := tx.busy
	tx.leaving = true
	tx.notBusy()
	tx.mu.Unlock()
	if unserved {
		tx.poison(errors.New("a request was not served"))
	}
	if tx.err() != nil {
		tx.mu.Lock()
		tx.deliver()
		tx.mu.Unlock()
	}
	h.closeQueries(tx)
	h.releaseSimulation(tx) // before Execute returns, whose caller may call Done at once
	tx.mu.Lock()
	tx.left = true
	tx.deliver()
	tx.mu.Unlock()
}

func (h *Handler) releaseSimulation(tx *transactionContext) {
	if tx.Simulation == nil {
		return
	}
	if err := tx.Simulation.release(); err != nil {
		h.fault(FaultPanic, tx.TxID, zap.String("in", "simulator's Done"), zap.Error(err))
	}
}

// transactions are those in flight on a stream. They have a lock of their own, and are not the stream's goroutine's:
// Execute must be able to start and to end one whatever that goroutine is doing.
type transactions struct {
	mu sync.Mutex
	m  map[txKey]*transactionContext
}

func (t *transactions) add(tx *transactionContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m[tx.key] != nil {
		return &existsError{key: tx.key}
	}
	t.m[tx.key] = tx
	return nil
}

func (t *transactions) get(key txKey) *transactionContext {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m[key]
}

func (t *transactions) remove(key txKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.m, key)
}

func (t *transactions) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.m)
}

// namespaceOf is the name in a chaincode ID of the form name:version or label:hash.
func namespaceOf(chaincodeID string) string {
	name, _, _ := strings.Cut(chaincodeID, ":")
	return name
}

// recoverTo turns a panic into an error that holds its value, which is for logs only.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		*err = errors.Errorf("panic: %v", p)
	}
}
