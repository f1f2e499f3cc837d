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
	// ChannelID and TxID identify the transaction. The handler doesn't interpret them. Together they must be unique among
	// the transactions in flight on one handler.
	ChannelID string
	TxID      string
	// Namespace is the chaincode's name on the channel, which is the namespace of its state. "" means the part of the
	// chaincode ID before the first ':'.
	Namespace string
	// SignedProposal is where the stub's creator, transient map, timestamp and binding are read from. It may be nil; the
	// chaincode then has none of them.
	SignedProposal *pb.SignedProposal
	// Simulation is what the transaction reads from and writes to. It may be nil; every request for state is then refused
	// with "no ledger context".
	Simulation *Simulation

	depth int // how many chaincodes called one another to get here
}

// txKey identifies a transaction on a stream.
type txKey struct{ channelID, txID string }

// keyOf is the transaction that a message names.
func keyOf(msg *pb.ChaincodeMessage) txKey { return txKey{msg.ChannelId, msg.Txid} }

// txState is where a transaction is in its life.
type txState uint8

// The states of a transaction. Its worker is the goroutine that serves its requests. The first request starts the worker.
const (
	queued     txState = iota // its message waits to be sent
	sent                      // the chaincode was told to start, and has asked for nothing yet
	unsent                    // its message could not be sent
	idle                      // the worker waits for a request
	serving                   // a request waits for the worker, or is being served
	overtaken                 // the chaincode has replied without waiting for the answer to its request
	ending                    // the chaincode has replied; the worker is to close what is open, and leave
	closing                   // the chaincode has replied; the worker is closing what is open
	replied                   // the chaincode's reply is there, and there is nothing else to wait for
	abandoned                 // Execute has given up while a request waited or was served
	deserted                  // the same, and the chaincode had replied: the request must not be answered
	givenUp                   // Execute has given up; the worker is to close what is open, and leave
	abandoning                // Execute has given up; the worker is closing what is open
	closed                    // nothing is left of the transaction, except perhaps the worker's last steps
	txStates
)

var txStateNames = [txStates]string{"queued", "sent", "unsent", "idle", "serving", "overtaken", "ending", "closing", "replied",
	"abandoned", "deserted", "givenUp", "abandoning", "closed"}

func (s txState) String() string { return txStateNames[s] }

// txEvent is what may happen to a transaction.
type txEvent uint8

// The events of a transaction. Each comment begins with the part that fires it.
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

// txTable is a transaction's life.
//
// A transaction can end from two sides at any moment. The chaincode replies, or Execute gives up: at its deadline, with its
// caller, with the stream. Meanwhile a request may be waiting, be served, or hang in the ledger. So there are two ways
// through the table. On the upper one somebody still waits for the reply, and the states lead to replied. On the lower one
// nobody does, and the states lead to closed. Both pass a state in which the worker closes the iterators, because only the
// goroutine that used them may do that.
//
// What isn't in the table doesn't happen, or is refused: a request while one is served, a second reply, a message before the
// chaincode was told to start, or one after nobody waits any more.
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
	{overtaken, onFinish, deserted},

	{ending, onClose, closing},
	{ending, onLeave, replied},
	{ending, onFinish, givenUp},
	{closing, onLeave, replied},
	{closing, onFinish, abandoning},
	{replied, onFinish, closed},

	{abandoned, onServed, givenUp},
	{abandoned, onBroken, givenUp},
	{deserted, onServed, givenUp},
	{deserted, onBroken, givenUp},
	{givenUp, onClose, abandoning},
	{givenUp, onLeave, closed},
	{abandoning, onLeave, closed},
}

// txLife is txTable in a form for looking things up: by state and event.
var txLife = func() (life [txStates][txEvents]struct {
	to    txState
	legal bool
}) {
	for _, t := range txTable {
		life[t.from][t.event].to, life[t.from][t.event].legal = t.to, true
	}
	return life
}()

// leftBehind reports whether something still runs for a transaction that nobody waits for.
func (s txState) leftBehind() bool { return s == abandoned || s == deserted || s == abandoning }

// transactionContext is one transaction in flight. Four parties share its state: Execute, which waits for its end; the loop,
// which brings requests and the reply; the sender; and the worker. Each changes the state only by an event of txTable, under
// mu.
type transactionContext struct {
	TxParams
	key        txKey
	typ        pb.ChaincodeMessage_Type // INIT or TRANSACTION
	ctx        deadline                 // ends with Execute
	trust      *trust                   // the simulation's, or own if there is none
	own        trust
	leftBehind *atomic.Int64 // of the handler: how many transactions have left something behind
	unserved   *budget       // of the handler: where the reply counts until Execute has it
	turn       turn          // for answers that need more room than there is
	worker     worker        // used once there was a request

	wake chan struct{} // tells the worker to look at the state. Holds one. Nil: the worker was not started
	done chan struct{} // tells Execute that the reply is there and the worker has left. Holds one

	mu      sync.Mutex // protects the fields below
	state   txState
	request received             // in serving and what follows it: the request that waits, until the worker takes it
	reply   *pb.ChaincodeMessage // COMPLETED or ERROR, from when the chaincode has sent it until Execute has it
	counted int                  // how many bytes of unserved the reply has taken
	failure error                // in unsent: why the message was not sent
}

// fire makes an event happen. It returns the state before the event, and whether the event is legal in that state. mu is
// held.
func (tx *transactionContext) fire(e txEvent) (before txState, legal bool) {
	before = tx.state
	next := txLife[before][e]
	if !next.legal {
		return before, false
	}
	tx.state = next.to
	switch was, is := before.leftBehind(), next.to.leftBehind(); {
	case is && !was:
		tx.leftBehind.Add(1)
	case was && !is:
		tx.leftBehind.Add(-1)
	}
	return before, true
}

// sim is the transaction's simulator. It must not be called for a transaction that has none.
func (tx *transactionContext) sim() ledger.Simulator { return tx.Simulation.sim }

// signal puts something into a channel that holds one, unless there is something in it already.
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

// admit gives a request to the worker. The loop calls it. A nil transaction is one that isn't there.
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

// needsNoSimulator reports whether a request may be in order although its transaction has no channel, and so no simulator.
// Such a transaction may call chaincode that is a part of the peer.
func needsNoSimulator(msg *pb.ChaincodeMessage) bool {
	return msg.Type == pb.ChaincodeMessage_INVOKE_CHAINCODE && msg.ChannelId == ""
}

// accept takes the chaincode's COMPLETED or ERROR, and reports whether it is the transaction's reply. The reply reaches
// Execute when the last operation has returned and the worker has left. Until then it counts as received. A nil transaction
// is one that isn't there.
func (tx *transactionContext) accept(in received) bool {
	if tx == nil {
		return false
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if _, legal := tx.fire(onReply); !legal {
		return false
	}
	tx.reply = in.msg
	if in.size > freeBytes {
		tx.counted = in.size
		tx.unserved.take(in.size)
	}
	if tx.wake != nil {
		signal(tx.wake)
	} else {
		signal(tx.done)
	}
	return true
}

// send notes that the chaincode is about to be told to start. What the chaincode sends before that belongs to an earlier
// run. send reports whether anybody still waits for the transaction.
func (tx *transactionContext) send() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	_, legal := tx.fire(onSend)
	return legal
}

// sendFailed notes that the chaincode could not be told to start.
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

// next returns what the worker finds when it is woken: a request, if there is one; whether somebody waits for its answer;
// and whether the transaction is over.
func (tx *transactionContext) next() (request received, wanted, over bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	request, tx.request = tx.request, received{}
	wanted = tx.state != abandoned && tx.state != deserted
	return request, wanted, tx.state != idle && tx.state != serving
}

// served notes that the request has been served, and returns the state before that. The worker calls it before it sends the
// answer, because the chaincode's next request may arrive at once.
func (tx *transactionContext) served() txState {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	before, _ := tx.fire(onServed)
	return before
}

// happened fires an event, and reports whether it was legal. The worker calls it.
func (tx *transactionContext) happened(e txEvent) bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	_, legal := tx.fire(e)
	return legal
}

// hasReply reports whether the chaincode has replied, and at most the worker's end is left to wait for.
func (tx *transactionContext) hasReply() bool {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	return tx.state == ending || tx.state == closing || tx.state == replied
}

// finish is called by Execute when it stops waiting. It reports whether the worker was started, and whether something is
// left behind that nobody waits for from now on. A reply is Execute's by now, or nobody's.
func (tx *transactionContext) finish(cause error) (working, leftBehind bool) {
	tx.mu.Lock()
	defer tx.mu.Unlock()
	tx.fire(onFinish)
	tx.ctx.end(cause)
	if tx.counted > 0 {
		tx.unserved.give(tx.counted)
	}
	tx.reply, tx.counted = nil, 0
	if tx.wake != nil {
		signal(tx.wake)
	}
	leftBehind = tx.state.leftBehind()
	if leftBehind {
		tx.turn.forsake()
	}
	return tx.wake != nil, leftBehind
}

// trust says whether what was read and written through a simulator can be believed. It is lost once and for good, for
// everyone who uses the simulator.
type trust struct{ lost atomic.Pointer[poisonedError] }

// lose makes every transaction that shares the trust fail, whatever its chaincode answers.
func (t *trust) lose(cause error) { t.lost.CompareAndSwap(nil, &poisonedError{cause: cause}) }

// err returns why a transaction can't succeed, or nil.
func (t *trust) err() error {
	if lost := t.lost.Load(); lost != nil {
		return lost
	}
	return nil
}

// transactions are the transactions in flight on a stream. They don't belong to the loop but have a lock of their own,
// because Execute must be able to start and end one whatever the loop is doing.
type transactions struct {
	mu       sync.Mutex
	inFlight map[txKey]*transactionContext
}

// add makes a transaction known. It returns an error if the transaction is known already, or if there are as many as limit
// allows.
func (t *transactions) add(tx *transactionContext, limit int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.inFlight[tx.key] != nil:
		return &existsError{key: tx.key}
	case len(t.inFlight) >= limit:
		return ErrOverloaded
	}
	t.inFlight[tx.key] = tx
	return nil
}

func (t *transactions) get(key txKey) *transactionContext {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.inFlight[key]
}

// runsElsewhere reports whether a transaction of this ID is in flight on some channel, but not without one.
func (t *transactions) runsElsewhere(txID string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight[txKey{txID: txID}] != nil {
		return false
	}
	for key := range t.inFlight {
		if key.txID == txID {
			return true
		}
	}
	return false
}

func (t *transactions) remove(key txKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.inFlight, key)
}

func (t *transactions) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.inFlight)
}

// namespaceOf returns the name in a chaincode ID of the form name:version or label:hash.
func namespaceOf(chaincodeID string) string {
	name, _, _ := strings.Cut(chaincodeID, ":")
	return name
}

// contextError returns the error that a transaction's context has after it has ended for cause.
func contextError(cause error) error {
	if errors.Is(cause, ErrTimeout) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}
