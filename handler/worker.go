package handler

import (
	"context"
	"sync/atomic"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	pb "github.com/ccpeer/ccpeer/proto"
)

// answers is all that a worker can do with the stream: hand over an answer. The sender implements it.
type answers interface {
	serialSendAsync(ctx context.Context, o outgoing) error
	triggerNextState(ctx context.Context, o outgoing) error
}

// workshop is what the workers of a stream share.
type workshop struct {
	*session
	answers  answers
	unserved *budget  // where a request's bytes are given back
	unsent   *budget  // where an answer takes its room
	kept     *account // what the stream's transactions keep

	queryIDs    atomic.Int64
	leftBehind  atomic.Int64 // operations that still run although their transactions have ended
	undelivered atomic.Int64 // answers that wait for room although their transactions have ended
}

// worker serves the requests of one transaction, one after the other.
//
// A ledger may be slow, or hang. So each transaction has a goroutine of its own in which the ledger is called, and holds up
// no other transaction. That goroutine alone touches the worker's fields, opens iterators and closes them. So an iterator
// can't be closed while an operation uses it, even when Execute has given up: its closing comes after the operation, in the
// same goroutine.
//
// A worker can't reach the stream. All it can do is hand an answer to the sender. The methods that serve a request are named
// in message.go.
type worker struct {
	*workshop
	tx      *transactionContext
	may     permit
	queries queries
	room    room        // of the answer to the request that is served
	call    lease       // of the call that is made: first its input, then its answer
	encoded int         // bytes of the request that is served, if interceptors still see it as it was received
	asked   []zap.Field // at level Debug, what the request that is served asks for
}

// start starts the worker of a transaction.
func (ws *workshop) start(tx *transactionContext) {
	tx.worker = worker{
		workshop: ws, tx: tx, may: permit{session: ws.session, tx: tx}, queries: queries{workshop: ws, tx: tx, kept: lease{from: ws.kept}},
		room: room{unsent: ws.unsent, done: ws.done, limit: ws.cfg.maxAnswer(), turn: &tx.turn}, call: lease{from: ws.kept},
	}
	tx.ctx.worker = &tx.worker
	ws.enroll()
	go tx.worker.run()
}

// run serves the requests of the transaction until it is over, and closes what they opened.
func (w *worker) run() {
	defer w.leave()
	defer w.end()
	for range w.tx.wake {
		in, wanted, over := w.tx.next()
		if in.msg != nil {
			w.handle(in, wanted)
		}
		if over {
			return
		}
	}
}

// handle serves a request and answers it. A request that nobody waits for is only let go.
//
// A call doesn't count as unserved while it is made: the chaincode that is called may have to be read on this same stream.
// It counts as something that the transaction keeps.
func (w *worker) handle(in received, wanted bool) {
	var payload []byte
	var err error
	if w.encoded = 0; len(w.cfg.Requests) > 0 {
		w.encoded = in.size
	}
	if w.log.Core().Enabled(zap.DebugLevel) {
		w.asked = askedFor(in.msg)
	}
	switch {
	case wanted && in.row.request.kind == call:
		err = w.call.resize("the input of a call", in.size+w.encoded)
		w.unserved.give(in.size)
		if err == nil {
			payload, err = w.serve(in)
		}
		w.call.end()
	default:
		if wanted {
			payload, err = w.serve(in)
		}
		w.unserved.give(in.size)
	}
	w.answer(in, w.tx.served(), payload, err)
}

// serve serves a request, and turns a panic into an error.
func (w *worker) serve(in received) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.logPanic(w.tx.key, p)
			w.tx.trust.lose(errPanic)
			answer, err = nil, errPanic
		}
	}()
	if in.row.request.kind == read {
		w.room.begin()
	}
	if len(w.cfg.Requests) == 0 {
		payload := in.msg.Payload
		in.msg.Payload = nil // decoded, it is as large again
		answer, err = in.row.request.serve(w, &w.tx.ctx, payload)
	} else {
		answer, err = w.intercept(in)
	}
	if err == nil && w.room.held > 0 {
		err = w.room.atLeast(&w.tx.ctx, 0, len(answer))
	}
	if err != nil {
		err = errors.New(err.Error()) // Error is called here, where a panic is confined: the error may be the ledger's
	}
	return answer, err
}

// intercept serves a request inside the interceptors.
func (w *worker) intercept(in received) ([]byte, error) {
	r := Request{Transaction: w.transaction(&w.tx.TxParams), Type: in.msg.Type, Payload: in.msg.Payload, Size: in.size}
	return intercepted(w.cfg.Requests, r, func(ctx context.Context) ([]byte, error) {
		return in.row.request.serve(w, ctx, in.msg.Payload)
	})(&w.tx.ctx)
}

// transaction returns what interceptors are told of a transaction.
func (s *session) transaction(p *TxParams) Transaction {
	return Transaction{
		Chaincode: p.Namespace, ChaincodeID: s.chaincodeID(), ChannelID: p.ChannelID, TxID: p.TxID, Depth: p.depth,
	}
}

// answer answers a request. state is the state in which its transaction was when it had been served. If the chaincode has
// replied without waiting, no answer is sent: nobody expects it. If the transaction was given up, the chaincode still waits
// for an answer. It gets the ERROR that its next request would get too.
func (w *worker) answer(in received, state txState, payload []byte, err error) {
	switch {
	case state == overtaken, state == deserted:
		w.room.leave()
		w.fault(FaultDroppedAnswer, w.tx.key, err, zap.Stringer("type", in.msg.Type))
		return
	case state == abandoned && err == nil:
		err = errors.New(in.row.request.noContext)
	case err != nil:
		w.requestFailed(w.tx.key, in.msg.Type, w.asked, err)
	}
	o := newAnswer(w.tx, in.msg, payload, err)
	if tooLarge := w.checkSize(&o); tooLarge != nil {
		err = tooLarge
		o = newAnswer(w.tx, in.msg, nil, tooLarge)
	}
	if err != nil {
		w.room.leave()
	} else {
		w.room.hand(&o)
	}
	if in.row.request.kind == read {
		err = w.answers.serialSendAsync(&w.tx.ctx, o)
	} else {
		err = w.answers.triggerNextState(&w.tx.ctx, o)
	}
	if err != nil && !errors.Is(err, ErrStreamTerminated) { // then its room was given back, and nobody waits for it
		w.sendLate(o)
	}
}

// sendLate sends an answer whose transaction has ended while there was no room for it. The chaincode still waits for it. The
// worker doesn't, because it has to let go of the ledger.
func (w *worker) sendLate(o outgoing) {
	w.undelivered.Add(1)
	w.spawn(func() {
		defer w.undelivered.Add(-1)
		_ = w.answers.triggerNextState(context.Background(), o)
	})
}

// newAnswer returns the RESPONSE to a request or, if err is not nil, the ERROR.
func newAnswer(tx *transactionContext, request *pb.ChaincodeMessage, payload []byte, err error) outgoing {
	if err != nil {
		return newOutgoing(newMessage(pb.ChaincodeMessage_ERROR, tx.key, errorText(request, err)), tx)
	}
	return newOutgoing(newMessage(pb.ChaincodeMessage_RESPONSE, tx.key, payload), tx)
}

// errorText is what chaincode is told of a request that failed.
func errorText(msg *pb.ChaincodeMessage, cause error) []byte {
	return []byte(msg.Type.String() + " failed: transaction ID: " + cut(msg.Txid) + ": " + cut(cause.Error()))
}

// newMessage returns a message of a transaction. It must not be used again after Send, because tools that trace gRPC streams
// may still look at it.
func newMessage(typ pb.ChaincodeMessage_Type, key txKey, payload []byte) *pb.ChaincodeMessage {
	return &pb.ChaincodeMessage{Type: typ, Payload: payload, ChannelId: key.channelID, Txid: key.txID}
}

// end is the worker's last duty. It closes what the transaction opened, and then lets Execute have the reply if there is
// one. A reply that is of no use any more doesn't wait for the closing, which may take as long as an abandoned operation of
// a callee. A worker that broke has left a request unanswered, and ends the stream.
func (w *worker) end() {
	if w.tx.happened(onBroken) {
		w.tx.trust.lose(errPanic)
		w.endWith(errInternal)
	}
	if w.tx.trust.err() != nil {
		signal(w.tx.done)
	}
	w.queries.closeAll()
	w.releaseSimulation(w.tx) // before Execute returns: its caller may call Done at once
	w.tx.happened(onLeave)
	signal(w.tx.done)
}

// releaseSimulation lets go of a transaction's simulator.
func (s *session) releaseSimulation(tx *transactionContext) {
	if tx.Simulation == nil {
		return
	}
	if err := tx.Simulation.release(); err != nil {
		s.fault(FaultPanic, tx.key, nil, zap.String("in", "simulator's Done"), zap.Error(err))
	}
}
