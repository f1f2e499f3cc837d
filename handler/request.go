package handler

import (
	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	pb "github.com/ccpeer/ccpeer/proto"
)

// dispatch gives a request to the worker of its transaction.
func (h *Handler) dispatch(row *row, msg *pb.ChaincodeMessage) error {
	tx := h.txCtxs.get(txKey{msg.ChannelId, msg.Txid})
	a := noContext
	if tx != nil {
		a = tx.admit()
	}
	switch a {
	case firstWorker:
		h.spawn(func() { h.runTransaction(tx) })
		tx.work <- msg
	case admitted:
		tx.work <- msg
	case pending:
		// An answer would be taken for the one to the request that is pending.
		h.fault(FaultConcurrentRequest, msg.Txid, zap.String("type", row.event))
		if h.cfg.Strict {
			return endStream(codes.InvalidArgument, "[%s] %s while an earlier request of the transaction is pending, ending chaincode support stream",
				short(msg.Txid), row.event)
		}
	case noContext:
		return h.answerUnknown(row, msg)
	}
	return nil
}

// answerUnknown refuses a request of a transaction that isn't running, or has no simulator. Chaincode whose
// transaction has timed out sends such requests; one that sends them faster than it reads the answers is cut off.
func (h *Handler) answerUnknown(row *row, msg *pb.ChaincodeMessage) error {
	h.fault(FaultUnknownTransaction, msg.Txid, zap.String("type", row.event), zap.String("channel", quoted(msg.ChannelId)))
	if len(h.outbox) >= h.cfg.SendQueue {
		return endStream(codes.ResourceExhausted, "chaincode sends requests of unknown transactions and does not read the answers, ending chaincode support stream")
	}
	h.post(outgoing{msg: errorReply(msg, errors.New(row.request.noContext)), errc: h.errc})
	return nil
}

// errorReply is what chaincode gets for a request that failed.
func errorReply(msg *pb.ChaincodeMessage, cause error) *pb.ChaincodeMessage {
	text := msg.Type.String() + " failed: transaction ID: " + msg.Txid + ": " + cause.Error()
	return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_ERROR, Payload: []byte(text), Txid: msg.Txid, ChannelId: msg.ChannelId}
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
	req := h.table.row(msg.Type).request
	payload, err := h.callRequest(tx, req, msg.Payload)
	if !tx.served() {
		h.fault(FaultDroppedAnswer, msg.Txid, zap.Stringer("type", msg.Type))
		return
	}
	var reply *pb.ChaincodeMessage
	if err != nil {
		h.fault(FaultFailedRequest, msg.Txid, zap.Stringer("type", msg.Type), zap.String("cause", quoted(err.Error())))
		reply = errorReply(msg, err)
	} else {
		reply = &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_RESPONSE, Payload: payload, Txid: msg.Txid, ChannelId: msg.ChannelId}
	}
	if req.kind == read {
		h.serialSendAsync(tx.ctx, reply, h.errc)
		return
	}
	// It fails only when the transaction or the stream has ended, and then Execute says so.
	_ = h.trigger(tx.ctx, nextStateInfo{msg: reply, sendToCC: true, ctx: tx.ctx})
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
		if err := tx.Simulation.begin(tx.ctx); err != nil {
			return nil, err
		}
		defer tx.Simulation.end()
	} else if err := tx.err(); err != nil {
		return nil, err
	}
	return req.serve(h, tx.ctx, tx, payload)
}
