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
// alone touches queries and permissions. mu protects the state that the stream's goroutine, the worker and Execute share; whoever
// changes it wakes the worker.
type transactionContext struct {
	TxParams
	key txKey
	ctx deadline // ends with Execute

	isInit      bool
	queries     map[string]*query
	permissions map[string]CollectionPermission // by collection, as they were asked for
	abandoned   *atomic.Int64                   // of the handler: operations that nobody waits for

	wake chan struct{} // to the worker: look at the state. Holds one
	done chan struct{} // to Execute: reply is there, and the worker has left. Holds one

	mu      sync.Mutex
	sent    bool                 // the chaincode was told to start
	working bool                 // the worker was started
	busy    bool                 // a request waits for the worker, or is being served
	request *pb.ChaincodeMessage // the one that waits
	closing bool                 // the worker closes what is open
	ended   bool                 // Execute has returned, or is about to
	reply   *pb.ChaincodeMessage // COMPLETED or ERROR, once the chaincode has sent it
	broken  error                // why the transaction can't succeed
	unsent  error                // why it could not be started
}

func (h *Handler) newTransactionContext(ctx context.Context, p TxParams) *transactionContext {
	tx := &transactionContext{
		TxParams:  p,
		key:       txKey{p.ChannelID, p.TxID},
		done:      make(chan struct{}, 1),
		abandoned: &h.abandoned,
	}
	tx.ctx.init(ctx, h.cfg.ExecuteTimeout)
	return tx
}

// signal puts something into a channel that holds one, unless there is something in it.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// needsNoSimulator says whether a request may be all right in a transaction that has no channel, and so no simulator:
// chaincode that is a part of the peer may be called then.
func needsNoSimulator(msg *pb.ChaincodeMessage) bool {
	return msg.Type == pb.ChaincodeMessage_INVOKE_CHAINCODE && msg.ChannelId == ""
}

// admission is what becomes of a request.
type admission uint8

const (
	admitted    admission = iota
	pending               // an earlier request is still being served
	noContext             // the transaction has ended, or has no simulator
	firstWorker           // admitted, and the worker has to be started
)

// admit gives a request to the worker. It is called by the stream's goroutine.
func (tx *transactionContext) admit(msg *pb.ChaincodeMessage) admission {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch {
	case !tx.sent || tx.ended || tx.reply != nil || tx.Simulation == nil && !needsNoSimulator(msg):
		return noContext
	case tx.busy:
		return pending
	}
	tx.busy, tx.request = true, msg
	if tx.working {
		signal(tx.wake)
		return admitted
	}
	tx.working = true
	tx.wake = make(chan struct{}, 1)
	signal(tx.wake)
	return firstWorker
}

// start says that the chaincode is about to be told to start. What it sends before is of an earlier run. It reports
// whether anybody still waits for the transaction.
func (tx *transactionContext) start() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.sent = true
	return !tx.ended
}

// notSent says that a message of the transaction could not be sent, which is of interest where it was to start it.
func (tx *transactionContext) notSent(msg *pb.ChaincodeMessage, cause error) {
	if msg.Type != pb.ChaincodeMessage_INIT && msg.Type != pb.ChaincodeMessage_TRANSACTION {
		return
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.unsent = &unsentError{txID: tx.TxID, typ: msg.Type, cause: cause}
}

// terminated is what Execute returns when the stream has ended.
func (tx *transactionContext) terminated() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.unsent != nil {
		return tx.unsent
	}
	return ErrStreamTerminated
}

// next is what the worker finds when it is woken: a request, and whether the transaction is over.
func (tx *transactionContext) next() (request *pb.ChaincodeMessage, over, ended bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	request, tx.request = tx.request, nil
	return request, tx.ended || tx.reply != nil, tx.ended
}

// wanted is who an answer is still of use to.
type wanted uint8

const (
	byNobody    wanted = iota // the chaincode has sent its reply
	byChaincode               // the transaction was given up
	byAll
)

// served ends what admit began. It is called by the worker, before the answer is sent: the chaincode's next request
// may arrive at once.
func (tx *transactionContext) served() wanted {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.busy = false
	if tx.ended {
		tx.abandoned.Add(-1)
	}
	switch {
	case tx.reply != nil:
		return byNobody
	case tx.ended:
		return byChaincode
	}
	return byAll
}

// accept takes the chaincode's COMPLETED or ERROR, and reports whether it was the first. The reply reaches Execute
// when the last operation has returned and the worker has left.
func (tx *transactionContext) accept(msg *pb.ChaincodeMessage) bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if !tx.sent || tx.ended || tx.reply != nil {
		return false
	}
	tx.reply = msg
	if tx.working {
		signal(tx.wake)
	} else {
		signal(tx.done)
	}
	return true
}

// end is called by Execute when it stops waiting. It reports whether the worker was started, and whether a request
// has not been served to its end, which from now on nobody waits for.
func (tx *transactionContext) end(cause error) (working, abandoned bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.ended = true
	tx.ctx.end(cause)
	if tx.working {
		signal(tx.wake)
	}
	abandoned = tx.busy || tx.closing
	if abandoned {
		tx.abandoned.Add(1)
	}
	return tx.working, abandoned
}

// setClosing says that the worker begins or ends to close what is open.
func (tx *transactionContext) setClosing(closing bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.closing = closing
	switch {
	case tx.ended && closing:
		tx.abandoned.Add(1)
	case tx.ended:
		tx.abandoned.Add(-1)
	}
}

// replied reports whether the chaincode has answered and nothing but the worker's end is left to wait for.
func (tx *transactionContext) replied() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.reply != nil && !tx.busy
}

// left is called when the worker leaves, and reports whether that is before its time: it panicked, or a ledger ended its
// goroutine with runtime.Goexit. The request that it was serving is then no longer served.
func (tx *transactionContext) left() (early bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.busy && tx.ended {
		tx.abandoned.Add(-1)
	}
	early = tx.busy || !tx.ended && tx.reply == nil
	tx.busy = false
	return early
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
	defer h.leave()
	defer h.endTransaction(tx)
	for range tx.wake {
		request, over, ended := tx.next()
		switch {
		case request != nil && ended:
			h.unserved.give(receivedSize(request))
			h.answer(tx, request, tx.served(), nil, nil)
		case request != nil:
			h.serveRequest(tx, request)
		}
		if over {
			return
		}
	}
}

// endTransaction is the worker's end: it closes what the transaction opened, and lets Execute have the reply if there
// is one. A reply that is of no use any more doesn't wait for the closing, which may take as long as an abandoned
// operation of a callee. A worker that left a request unanswered ends the stream.
func (h *Handler) endTransaction(tx *transactionContext) {
	if tx.left() {
		tx.poison(errPanic)
		h.endWith(errInternal)
	}
	if tx.err() != nil {
		signal(tx.done)
	}
	h.closeQueries(tx)
	h.releaseSimulation(tx) // before Execute returns, whose caller may call Done at once
	signal(tx.done)
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

// add makes a transaction known, unless there are limit of them. It returns why not, or nil.
func (t *transactions) add(tx *transactionContext, limit int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.m[tx.key] != nil:
		return &existsError{key: tx.key}
	case len(t.m) >= limit:
		return ErrOverloaded
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
