package handler

import (
	"context"
	"sync/atomic"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	pb "github.com/ccpeer/ccpeer/proto"
)

// answers is all that a worker can do with the stream: let go of an answer. It is the sender.
type answers interface {
	serialSendAsync(ctx context.Context, o outgoing) error
	triggerNextState(ctx context.Context, o outgoing) error
}

// workshop is what the workers of a stream share.
type workshop struct {
	*session
	answers  answers
	unserved *budget // what the requests give back

	queryIDs    atomic.Int64
	leftBehind  atomic.Int64 // operations that still run for transactions that have ended
	undelivered atomic.Int64 // answers for such transactions that wait for room
}

// worker serves the requests of one transaction, one after the other. It has a goroutine of its own, so that a slow ledger holds up
// no other transaction; that goroutine alone touches the worker's fields, opens iterators and closes them. The methods that serve a
// request are named in message.go.
type worker struct {
	*workshop
	tx      *transactionContext
	may     permit
	queries queries
}

// start starts the worker of a transaction.
func (ws *workshop) start(tx *transactionContext) {
	tx.worker = worker{workshop: ws, tx: tx, may: permit{session: ws.session, tx: tx}, queries: queries{workshop: ws, tx: tx}}
	ws.enroll()
	go tx.worker.run()
}

// run serves the requests of the transaction until it is over, and closes what they opened.
//
// The bytes of a request are given back before its answer waits for anything: reading must not depend on writing. Those of a call
// are given back before it is made, since the chaincode that it calls may have to be read on this same stream.
func (w *worker) run() {
	defer w.leave()
	defer w.end()
	for range w.tx.wake {
		in, wanted, over := w.tx.next()
		if in.msg != nil {
			var payload []byte
			var err error
			if wanted && in.row.request.kind == call {
				w.unserved.give(in.size)
				payload, err = w.serve(in)
			} else {
				if wanted {
					payload, err = w.serve(in)
				}
				w.unserved.give(in.size)
			}
			w.answer(in, w.tx.served(), payload, err)
		}
		if over {
			return
		}
	}
}

// serve serves a request, and makes a panic an error.
func (w *worker) serve(in received) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.logPanic(w.tx.key, p)
			w.tx.trust.lose(errPanic)
			answer, err = nil, errPanic
		}
	}()
	if len(w.cfg.Requests) == 0 {
		answer, err = in.row.request.serve(w, &w.tx.ctx, in.msg.Payload)
	} else {
		answer, err = w.intercept(in)
	}
	if err != nil {
		err = errors.New(err.Error()) // asked for here, where a panic is confined: the error may be the ledger's
	}
	return answer, err
}

// intercept is serve with interceptors around it.
func (w *worker) intercept(in received) ([]byte, error) {
	r := Request{Transaction: w.transaction(&w.tx.TxParams), Type: in.msg.Type, Payload: in.msg.Payload, Size: in.size}
	return intercepted(w.cfg.Requests, r, func(ctx context.Context) ([]byte, error) {
		return in.row.request.serve(w, ctx, in.msg.Payload)
	})(&w.tx.ctx)
}

// transaction is what interceptors are told of a transaction.
func (s *session) transaction(p *TxParams) Transaction {
	return Transaction{
		Chaincode: p.Namespace, ChaincodeID: s.chaincodeID(), ChannelID: p.ChannelID, TxID: p.TxID, Depth: p.depth,
	}
}

// answer answers a request that was served in a state of its transaction. Where the chaincode has replied without waiting, an answer
// would be unsolicited. Where the transaction was given up, the chaincode gets an ERROR, the one that its next request would get too:
// it waits for an answer.
func (w *worker) answer(in received, state txState, payload []byte, err error) {
	switch {
	case state == overtaken:
		w.fault(FaultDroppedAnswer, w.tx.key, err, zap.Stringer("type", in.msg.Type))
		return
	case state == abandoned && err == nil:
		err = errors.New(in.row.request.noContext)
	case err != nil:
		w.fault(FaultFailedRequest, w.tx.key, err, zap.Stringer("type", in.msg.Type))
	}
	o := newAnswer(w.tx, in.msg, payload, err)
	if tooLarge := w.checkSize(&o); tooLarge != nil {
		o = newAnswer(w.tx, in.msg, nil, tooLarge)
	}
	if in.row.request.kind == read {
		err = w.answers.serialSendAsync(&w.tx.ctx, o)
	} else {
		err = w.answers.triggerNextState(&w.tx.ctx, o)
	}
	if err != nil {
		w.sendLate(o)
	}
}

// sendLate is for an answer whose transaction has ended while there was no room for it. The worker has to let go of the ledger, but
// the chaincode still waits.
func (w *worker) sendLate(o outgoing) {
	w.undelivered.Add(1)
	w.spawn(func() {
		defer w.undelivered.Add(-1)
		_ = w.answers.triggerNextState(context.Background(), o)
	})
}

// newAnswer returns the RESPONSE to a request, or the ERROR.
func newAnswer(tx *transactionContext, request *pb.ChaincodeMessage, payload []byte, err error) outgoing {
	if err != nil {
		return newOutgoing(newMessage(pb.ChaincodeMessage_ERROR, tx.key, errorText(request, err)), tx)
	}
	return newOutgoing(newMessage(pb.ChaincodeMessage_RESPONSE, tx.key, payload), tx)
}

// errorText is what chaincode is told of a request that failed.
func errorText(msg *pb.ChaincodeMessage, cause error) []byte {
	return []byte(msg.Type.String() + " failed: transaction ID: " + msg.Txid + ": " + cause.Error())
}

// newMessage returns a message of a transaction. It is not used again after Send: what traces gRPC's streams may still look
// at it.
func newMessage(typ pb.ChaincodeMessage_Type, key txKey, payload []byte) *pb.ChaincodeMessage {
	return &pb.ChaincodeMessage{Type: typ, Payload: payload, ChannelId: key.channelID, Txid: key.txID}
}

// end is the worker's last duty: it closes what the transaction opened, and lets Execute have the reply if there
// is one. A reply that is of no use any more doesn't wait for the closing, which may take as long as an abandoned
// operation of a callee. A worker that broke, and so left a request unanswered, ends the stream.
func (w *worker) end() {
	if w.tx.happened(onBroken) {
		w.tx.trust.lose(errPanic)
		w.endWith(errInternal)
	}
	if w.tx.trust.err() != nil {
		signal(w.tx.done)
	}
	w.queries.closeAll()
	w.releaseSimulation(w.tx) // before Execute returns, whose caller may call Done at once
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
