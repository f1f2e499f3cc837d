package handler

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
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

// keyOf is the transaction that a message names.
func keyOf(msg *pb.ChaincodeMessage) txKey { return txKey{msg.ChannelId, msg.Txid} }

// txState is where a transaction is.
type txState uint8

// The states of a transaction. Its worker is the goroutine that serves its requests, and is started by the first of them.
const (
	queued     txState = iota // its message waits to be sent
	sent                      // the chaincode was told to start, and has asked for nothing yet
	unsent                    // its message could not be sent
	idle                      // the worker waits for a request
	serving                   // a request waits for the worker, or is being served
	overtaken                 // the chaincode has replied without waiting for the answer to its request
	ending                    // the chaincode has replied; the worker is to close what is open, and to leave
	closing                   // the same, and it does
	replied                   // the chaincode's reply is there, and nothing else to wait for
	abandoned                 // Execute has given up while a request waited or was served
	givenUp                   // Execute has given up; the worker is to close what is open, and to leave
	abandoning                // the same, and it does
	closed                    // nothing of the transaction is left, but perhaps the worker's last steps
	txStates
)

var txStateNames = [txStates]string{"queued", "sent", "unsent", "idle", "serving", "overtaken", "ending", "closing", "replied",
	"abandoned", "givenUp", "abandoning", "closed"}

func (s txState) String() string { return txStateNames[s] }

// txEvent is what may happen to a transaction.
type txEvent uint8

// The events of a transaction, by who makes them.
const (
	onSend       txEvent = iota // sender: its message is about to be sent
	onSendFailed                // sender: it was not sent
	onRequest                   // loop: a request has come
	onReply                     // loop: COMPLETED or ERROR has come
	onServed                    // worker: a request was served
	onBroken                    // worker: it can't go on, as after a panic
	onClose                     // worker: it begins to close what is open
	onLeave                     // worker: it has closed everything
	onFinish                    // Execute: it stops waiting, with the reply or without
	txEvents
)

var txEventNames = [txEvents]string{"message goes out", "message was not sent", "request", "COMPLETED or ERROR", "request was served",
	"worker breaks", "worker closes iterators", "worker leaves", "Execute returns"}

func (e txEvent) String() string { return txEventNames[e] }

// txTransition is a row of the table of a transaction's life.
type txTransition struct {
	from  txState
	event txEvent
	to    txState
}

// txTable is a transaction's life. What isn't in it doesn't happen, or is refused: a request while one is served, a second
// reply, what comes before the chaincode was told to start, or when nobody waits any more.
var txTable = []txTransition{
	{queued, onSend, sent},
	{queued, onFinish, closed},
	{sent, onSendFailed, unsent},
	{sent, onRequest, serving},
	{sent, onReply, replied},
	{sent, onFinish, closed},
	{unsent, onFinish, closed},

	{idle, onRequest, serving},
	{idle, onReply, ending},
	{idle, onBroken, ending},
	{idle, onFinish, givenUp},
	{serving, onServed, idle},
	{serving, onReply, overtaken},
	{serving, onBroken, ending},
	{serving, onFinish, abandoned},
	{overtaken, onServed, ending},
	{overtaken, onBroken, ending},
	{overtaken, onFinish, abandoned},

	{ending, onClose, closing},
	{ending, onLeave, replied},
	{ending, onFinish, givenUp},
	{closing, onLeave, replied},
	{closing, onFinish, abandoning},
	{replied, onFinish, closed},

	{abandoned, onServed, givenUp},
	{abandoned, onBroken, givenUp},
	{givenUp, onClose, abandoning},
	{givenUp, onLeave, closed},
	{abandoning, onLeave, closed},
}

// txLife is txTable by state and event.
var txLife = func() (life [txStates][txEvents]struct {
	to    txState
	legal bool
}) {
	for _, t := range txTable {
		life[t.from][t.event].to, life[t.from][t.event].legal = t.to, true
	}
	return life
}()

// leftBehind says that something runs for a transaction which nobody waits for.
func (s txState) leftBehind() bool { return s == abandoned || s == abandoning }

// transactionContext is one transaction in flight. Its state is shared by Execute, which waits for its end, by the loop, which brings
// requests and the reply, by the sender, and by the worker. All of them change it by an event of txTable, under mu.
type transactionContext struct {
	TxParams
	key    txKey
	typ    pb.ChaincodeMessage_Type // INIT or TRANSACTION
	ctx    deadline                 // ends with Execute
	trust  *trust                   // the simulation's, or own
	own    trust
	left   *atomic.Int64 // of the handler: what was left behind
	worker worker        // once there was a request

	wake chan struct{} // to the worker: look at the state. Holds one. Nil: the worker was not started
	done chan struct{} // to Execute: reply is there, and the worker has left. Holds one

	mu      sync.Mutex // protects what follows
	state   txState
	request received             // in serving and abandoned: the one that waits, until the worker takes it
	reply   *pb.ChaincodeMessage // COMPLETED or ERROR, once the chaincode has sent it
	failure error                // in unsent: why
}

// fire makes an event happen, and returns the state before it and whether it is legal there. mu is held.
func (tx *transactionContext) fire(e txEvent) (before txState, legal bool) {
	before = tx.state
	next := txLife[before][e]
	if !next.legal {
		return before, false
	}
	tx.state = next.to
	switch was, is := before.leftBehind(), next.to.leftBehind(); {
	case is && !was:
		tx.left.Add(1)
	case was && !is:
		tx.left.Add(-1)
	}
	return before, true
}

// sim is the transaction's simulator. It must not be called for a transaction that has none.
func (tx *transactionContext) sim() ledger.Simulator { return tx.Simulation.sim }

// signal puts something into a channel that holds one, unless there is something in it.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// admission is what becomes of a request.
type admission uint8

const (
	unknown      admission = iota // the transaction isn't there, has ended, or has no simulator
	pending                       // an earlier request is still being served
	admitted                      // the worker has it
	firstRequest                  // the worker has it, and has to be started
)

// admit gives a request to the worker. It is called by the loop. A nil transaction is one that isn't there.
func (tx *transactionContext) admit(in received) admission {
	if tx == nil || tx.Simulation == nil && !needsNoSimulator(in.msg) {
		return unknown
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	before, legal := tx.fire(onRequest)
	switch {
	case before == serving:
		return pending
	case !legal:
		return unknown
	}
	tx.request = in
	if before == idle {
		signal(tx.wake)
		return admitted
	}
	tx.wake = make(chan struct{}, 1)
	signal(tx.wake)
	return firstRequest
}

// needsNoSimulator says whether a request may be all right in a transaction that has no channel, and so no simulator:
// chaincode that is a part of the peer may be called then.
func needsNoSimulator(msg *pb.ChaincodeMessage) bool {
	return msg.Type == pb.ChaincodeMessage_INVOKE_CHAINCODE && msg.ChannelId == ""
}

// accept takes the chaincode's COMPLETED or ERROR, and reports whether it is the transaction's reply. The reply reaches Execute
// when the last operation has returned and the worker has left. A nil transaction is one that isn't there.
func (tx *transactionContext) accept(msg *pb.ChaincodeMessage) bool {
	if tx == nil {
		return false
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if _, legal := tx.fire(onReply); !legal {
		return false
	}
	tx.reply = msg
	if tx.wake != nil {
		signal(tx.wake)
	} else {
		signal(tx.done)
	}
	return true
}

// send says that the chaincode is about to be told to start. What it sends before is of an earlier run. It reports
// whether anybody still waits for the transaction.
func (tx *transactionContext) send() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	_, legal := tx.fire(onSend)
	return legal
}

// sendFailed says that the chaincode was not told.
func (tx *transactionContext) sendFailed(cause error) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if _, legal := tx.fire(onSendFailed); legal {
		tx.failure = cause
	}
}

// terminated is what Execute returns when the stream has ended.
func (tx *transactionContext) terminated() error {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.failure != nil {
		return tx.failure
	}
	return ErrStreamTerminated
}

// next is what the worker finds when it is woken: a request, if there is one, and whether somebody waits for its answer; and
// whether the transaction is over.
func (tx *transactionContext) next() (request received, wanted, over bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	request, tx.request = tx.request, received{}
	return request, tx.state != abandoned, tx.state != idle && tx.state != serving
}

// served ends what admit began, and returns the state in which it was. It is called by the worker, before the answer is sent: the
// chaincode's next request may arrive at once.
func (tx *transactionContext) served() txState {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	before, _ := tx.fire(onServed)
	return before
}

// happened fires an event of the worker, and reports whether it was legal.
func (tx *transactionContext) happened(e txEvent) bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	_, legal := tx.fire(e)
	return legal
}

// hasReply reports whether the chaincode has replied, and nothing but the worker's end is left to wait for.
func (tx *transactionContext) hasReply() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.state == ending || tx.state == closing || tx.state == replied
}

// finish is called by Execute when it stops waiting. It reports whether the worker was started, and whether something is left
// behind, which from now on nobody waits for.
func (tx *transactionContext) finish(cause error) (working, leftBehind bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.fire(onFinish)
	tx.ctx.end(cause)
	if tx.wake != nil {
		signal(tx.wake)
	}
	return tx.wake != nil, tx.state.leftBehind()
}

// trust is whether what was read and written by a simulator can be believed. It is lost once, for everyone who uses the simulator.
type trust struct{ lost atomic.Pointer[poisonedError] }

// lose makes every transaction fail that shares the trust, whatever its chaincode answers.
func (t *trust) lose(cause error) { t.lost.CompareAndSwap(nil, &poisonedError{cause: cause}) }

// err returns why a transaction can't succeed, or nil.
func (t *trust) err() error {
	if lost := t.lost.Load(); lost != nil {
		return lost
	}
	return nil
}

// transactions are those in flight on a stream. They have a lock of their own, and are not the loop's: Execute must be able to start
// and to end one whatever the loop is doing.
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

// contextError is what the context of a transaction says that ended for a reason.
func contextError(cause error) error {
	if errors.Is(cause, ErrTimeout) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}
