package handler

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// tieGrace is how long Execute waits, when its time is up, for a reply that has been received already.
const tieGrace = 50 * time.Millisecond

// Execute runs one Init (typ INIT) or Invoke (typ TRANSACTION) of the chaincode and returns its COMPLETED or ERROR.
// A failure that the chaincode reports is such a message, not an error.
//
// It returns within the context's deadline, the handler's ExecuteTimeout (ErrTimeout), the context's cancellation, or
// when the stream ends (ErrStreamTerminated), whichever is first. An operation of the ledger that is still running
// then ends in the background. After a nil error nothing of the transaction is running any more, and every iterator
// it opened is closed. The errors work with errors.Is, as do ErrExists and ErrPoisoned. in is only read.
func (h *Handler) Execute(ctx context.Context, p TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	msg, err := h.transactionMessage(p, typ, in)
	if err != nil {
		return nil, err
	}
	if p.Namespace == "" {
		p.Namespace = namespaceOf(h.ChaincodeID)
	}
	ctx, cancel := context.WithTimeout(ctx, h.cfg.ExecuteTimeout)
	tx := h.newTransactionContext(ctx, p)
	if err := h.startTransaction(tx); err != nil {
		cancel()
		return nil, err
	}
	reply, err := h.await(tx, msg)
	h.finishTransaction(tx)
	cancel() // after the transaction is marked as ended: the worker goes by both
	if err == nil {
		err = tx.err()
	}
	if err != nil {
		return nil, err
	}
	if e := reply.ChaincodeEvent; e != nil {
		// Chaincode sets an event's name and payload; whose it is, is the peer's to say.
		e.ChaincodeId, e.TxId = p.Namespace, p.TxID
	}
	return reply, nil
}

func (h *Handler) transactionMessage(p TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	if typ != pb.ChaincodeMessage_INIT && typ != pb.ChaincodeMessage_TRANSACTION {
		return nil, errors.Errorf("[%s] cannot execute a message of type %s, want INIT or TRANSACTION", short(p.TxID), typ)
	}
	switch h.FSM.Current() {
	case Created, Established:
		// Sent now, it would end the stream.
		return nil, errors.Errorf("[%s] cannot execute: the chaincode is not ready", short(p.TxID))
	}
	if !utf8.ValidString(p.TxID) || !utf8.ValidString(p.ChannelID) {
		// Protobuf refuses to send it, which would end the stream.
		return nil, errors.Errorf("transaction %q on channel %q is not named in UTF-8", p.TxID, p.ChannelID)
	}
	if p.depth > h.cfg.MaxCallDepth {
		return nil, errors.Errorf("chaincode calls chaincode more than %d deep", h.cfg.MaxCallDepth)
	}
	payload, err := proto.Marshal(in)
	if err != nil {
		return nil, errors.Wrapf(err, "[%s] error sending %s", short(p.TxID), typ)
	}
	return &pb.ChaincodeMessage{
		Type: typ, Payload: payload, Txid: p.TxID, ChannelId: p.ChannelID, Proposal: p.SignedProposal,
	}, nil
}

// startTransaction makes the transaction known to the stream. finishTransaction must follow a nil error.
func (h *Handler) startTransaction(tx *transactionContext) error {
	if tx.Simulation != nil {
		if err := tx.Simulation.hold(); err != nil {
			return errors.Wrapf(err, "start transaction %s", quoted(tx.TxID))
		}
	}
	if err := h.txCtxs.add(tx); err != nil {
		h.releaseSimulation(tx)
		return err
	}
	return nil
}

// await sends the transaction's message and waits for what ends it.
func (h *Handler) await(tx *transactionContext, msg *pb.ChaincodeMessage) (*pb.ChaincodeMessage, error) {
	if err := h.trigger(tx.ctx, nextStateInfo{msg: msg, sendToCC: true, ctx: tx.ctx}); err != nil {
		return nil, h.whyEnded(tx)
	}
	select {
	case reply := <-tx.result:
		return reply, nil
	case <-tx.ctx.Done():
	case <-h.done:
	}
	// A result that is there wins.
	if tx.replied() {
		grace := time.NewTimer(tieGrace)
		defer grace.Stop()
		select {
		case reply := <-tx.result:
			return reply, nil
		case <-grace.C:
		}
	}
	return nil, h.whyEnded(tx)
}

func (h *Handler) whyEnded(tx *transactionContext) error {
	select {
	case <-h.done:
		return ErrStreamTerminated
	default:
	}
	if err := tx.ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		return errors.Wrapf(err, "execute transaction %s", quoted(tx.TxID))
	}
	return ErrTimeout
}

// finishTransaction ends what startTransaction began. Whatever the worker still does ends in the background.
func (h *Handler) finishTransaction(tx *transactionContext) {
	working, abandoned := tx.end()
	h.txCtxs.remove(tx.key)
	if abandoned {
		h.fault(FaultAbandonedOperation, tx.TxID)
		tx.poison(errors.New("an operation was abandoned"))
	}
	if !working {
		h.releaseSimulation(tx)
	}
}
