package handler

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	pb "github.com/ccpeer/ccpeer/proto"
)

// dispatch gives a request to the worker of its transaction, and reports whether the worker has it.
func (h *Handler) dispatch(row *row, msg *pb.ChaincodeMessage) (kept bool, err error) {
	tx := h.txCtxs.get(txKey{msg.ChannelId, msg.Txid})
	a := noContext
	if tx != nil {
		a = tx.admit(msg)
	}
	switch a {
	case firstWorker:
		h.enroll()
		go h.runTransaction(tx)
		return true, nil
	case admitted:
		return true, nil
	case pending:
		// An answer would be taken for the one to the request that is pending.
		h.fault(FaultConcurrentRequest, msg.Txid, zap.String("type", row.event))
		if h.cfg.Strict {
			return false, endStream(codes.InvalidArgument, "[%s] %s while an earlier request of the transaction is pending, ending chaincode support stream",
				short(msg.Txid), row.event)
		}
	case noContext:
		return false, h.answerUnknown(row, msg)
	}
	return false, nil
}

// answerUnknown refuses a request of a transaction that isn't running, or has no simulator. Chaincode whose
// transaction has timed out sends such requests; one that sends them faster than it reads the answers is cut off.
func (h *Handler) answerUnknown(row *row, msg *pb.ChaincodeMessage) error {
	h.fault(FaultUnknownTransaction, msg.Txid, zap.String("type", row.event), zap.String("channel", quoted(msg.ChannelId)))
	cause := errors.New(row.request.noContext)
	if h.callsBuiltin(msg) {
		cause = errors.New("failed to get transaction context")
	}
	if len(h.outbox) >= h.cfg.SendQueue || !h.postOwn(&pb.ChaincodeMessage{
		Type: pb.ChaincodeMessage_ERROR, Payload: errorText(msg, cause), Txid: msg.Txid, ChannelId: msg.ChannelId,
	}) {
		return endStream(codes.ResourceExhausted, "chaincode sends requests of unknown transactions and does not read the answers, ending chaincode support stream")
	}
	return nil
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

// complete takes COMPLETED or ERROR of the chaincode, which end a transaction.
func (h *Handler) complete(msg *pb.ChaincodeMessage) error {
	tx := h.txCtxs.get(txKey{msg.ChannelId, msg.Txid})
	if tx == nil || !tx.accept(msg) {
		h.fault(FaultLateCompletion, msg.Txid, zap.Stringer("type", msg.Type))
	}
	return nil
}

// serveRequest runs one request and answers it, in the transaction's worker.
func (h *Handler) serveRequest(tx *transactionContext, msg *pb.ChaincodeMessage) {
	req, size := h.table.row(msg.Type).request, receivedSize(msg)
	if req.kind == call {
		// Whom it calls may have to be read on this same stream.
		h.unserved.give(size)
		size = 0
	}
	payload, err := h.callRequest(tx, req, msg.Payload)
	w := tx.served()
	h.unserved.give(size) // before there is an answer to wait for: reading doesn't depend on writing
	h.answer(tx, msg, w, payload, err)
}

// answer answers a request, unless its transaction has been completed meanwhile. Where the transaction was given up,
// the chaincode gets an ERROR, the one that its next request would get too: it waits for an answer.
func (h *Handler) answer(tx *transactionContext, msg *pb.ChaincodeMessage, w wanted, payload []byte, err error) {
	req := h.table.row(msg.Type).request
	switch {
	case w == byNobody:
		h.fault(FaultDroppedAnswer, msg.Txid, zap.Stringer("type", msg.Type))
		return
	case w == byChaincode && err == nil:
		err = errors.New(req.noContext)
	case err != nil:
		h.fault(FaultFailedRequest, msg.Txid, zap.Stringer("type", msg.Type), zap.String("cause", quoted(err.Error())))
	}
	reply := newMessage(pb.ChaincodeMessage_RESPONSE, tx.key, payload)
	if err != nil {
		reply.Type, reply.Payload = pb.ChaincodeMessage_ERROR, errorText(msg, err)
	}
	if size, over := h.oversize(reply); over {
		err = h.errOversize(reply, size)
		reply.Type, reply.Payload = pb.ChaincodeMessage_ERROR, errorText(msg, err)
	}
	if h.deliver(&tx.ctx, tx, req.kind, reply) != nil {
		// The transaction has ended while the queue was full. The worker has to let go of the ledger, but the chaincode
		// still waits for its answer.
		h.undelivered.Add(1)
		h.spawn(func() {
			defer h.undelivered.Add(-1)
			_ = h.deliver(context.Background(), tx, req.kind, reply)
		})
	}
}

// deliver hands an answer on to be sent. It waits while the queue is full, at most until ctx or the stream ends.
func (h *Handler) deliver(ctx context.Context, tx *transactionContext, k kind, reply *pb.ChaincodeMessage) error {
	if k == read {
		return h.serialSendAsync(ctx, outgoing{msg: reply, errc: h.errc, tx: tx})
	}
	return h.trigger(ctx, nextStateInfo{msg: reply, sendToCC: true, tx: tx})
}

// callRequest serves a request, one at a time for each simulator, and makes a panic an error.
func (h *Handler) callRequest(tx *transactionContext, req *request, payload []byte) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.logPanic(tx.TxID, p)
			tx.poison(errPanic)
			answer, err = nil, errPanic
		}
	}()
	if req.kind != call { // a callee uses the simulator meanwhile
		if err := tx.Simulation.begin(&tx.ctx); err != nil {
			return nil, err
		}
		defer tx.Simulation.end()
	} else if err := tx.err(); err != nil {
		return nil, err
	}
	if answer, err = req.serve(h, &tx.ctx, tx, payload); err != nil {
		err = errors.New(err.Error()) // asked for here, where a panic is confined: the error may be the ledger's
	}
	return answer, err
}
