package handler

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/pkg/errors"
	"go.uber.org/zap"
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
// then ends in the background. Where there is no room for another transaction it returns at once (*OverloadError), as it
// does with what is larger than Config.MaxSendMsgSize. After a nil error nothing of the transaction is running any more,
// and every iterator it opened is closed. The errors work with errors.Is, as do ErrExists and ErrPoisoned. in is only read.
func (h *Handler) Execute(ctx context.Context, p TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	msg, err := h.transactionMessage(p, typ, in)
	if err != nil {
		return nil, err
	}
	if p.Namespace == "" {
		p.Namespace = namespaceOf(h.ChaincodeID)
	}
	if err := ctx.Err(); err != nil {
		return nil, executeError(err, p.TxID)
	}
	tx := h.newTransactionContext(ctx, p)
	tx.isInit = typ == pb.ChaincodeMessage_INIT
	if err := h.startTransaction(tx); err != nil {
		return nil, err
	}
	reply, err := h.await(tx, msg)
	h.finishTransaction(tx, err)
	if err == nil {
		err = tx.err()
	}
	if err == nil {
		err = h.takeEvent(tx, reply)
	}
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// takeEvent completes the event of a reply, or returns why the transaction fails for it. Chaincode sets an event's name
// and payload; whose it is, is the peer's to say.
func (h *Handler) takeEvent(tx *transactionContext, reply *pb.ChaincodeMessage) error {
	e := reply.ChaincodeEvent
	if e == nil {
		return nil
	}
	e.ChaincodeId, e.TxId = tx.Namespace, tx.TxID
	size := len(e.EventName) + len(e.Payload)
	switch {
	case reply.Type != pb.ChaincodeMessage_COMPLETED: // it failed anyway
		return nil
	case e.EventName == "":
		h.fault(FaultRefusedEvent, tx.TxID)
		return errors.Errorf("[%s] the chaincode's event has no name", short(tx.TxID))
	case size > h.cfg.MaxEventBytes:
		h.fault(FaultRefusedEvent, tx.TxID, zap.Int("bytes", size))
		return errors.Errorf("[%s] the chaincode's event %s has %d bytes, the limit is %d", short(tx.TxID), quoted(e.EventName), size, h.cfg.MaxEventBytes)
	}
	return nil
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
	msg := newMessage(typ, txKey{p.ChannelID, p.TxID}, payload)
	msg.Proposal = p.SignedProposal
	if size, over := h.oversize(msg); over {
		return nil, errors.Wrapf(h.errOversize(msg, size), "[%s] error sending %s", short(p.TxID), typ)
	}
	return msg, nil
}

// startTransaction makes the transaction known to the stream. finishTransaction must follow a nil error.
func (h *Handler) startTransaction(tx *transactionContext) error {
	if tx.Simulation != nil {
		if err := tx.Simulation.hold(); err != nil {
			return errors.Wrapf(err, "start transaction %s", quoted(tx.TxID))
		}
	}
	// What is left of transactions that were given up counts: a ledger that hangs must not be asked for ever more.
	left := int(h.abandoned.Load() + h.undelivered.Load())
	err := h.txCtxs.add(tx, h.cfg.MaxInFlight-left)
	if err == nil {
		return nil
	}
	h.releaseSimulation(tx)
	if err == ErrOverloaded {
		h.fault(FaultOverload, tx.TxID)
		return &OverloadError{ChaincodeID: h.ChaincodeID, Limit: h.cfg.MaxInFlight}
	}
	return err
}

// await has the transaction's message sent and waits for what ends the transaction.
func (h *Handler) await(tx *transactionContext, msg *pb.ChaincodeMessage) (*pb.ChaincodeMessage, error) {
	timer := h.timer(time.Until(tx.ctx.at))
	defer h.putTimer(timer)
	start := nextStateInfo{msg: msg, sendToCC: true, tx: tx, size: messageSize(msg)}
	next, room := h.nextState, (<-chan struct{})(nil)
	claim := h.unsent.ask(start.size)
	if claim != nil {
		next, room = nil, claim.granted
	}
	var err error
	for err == nil {
		select {
		case <-room:
			next, room = h.nextState, nil
		case next <- start:
			next = nil
		case <-tx.done:
			return tx.reply, nil
		case <-timer.C:
			err = ErrTimeout
		case <-tx.ctx.parent.Done():
			err = executeError(tx.ctx.parent.Err(), tx.TxID)
		case <-h.done:
			err = tx.terminated()
		}
	}
	switch { // what was not sent takes no room
	case room != nil:
		h.unsent.withdraw(claim)
	case next != nil:
		h.unsent.give(start.size)
	}
	// A result that is there wins.
	if tx.replied() {
		timer.Reset(tieGrace)
		select {
		case <-tx.done:
			return tx.reply, nil
		case <-timer.C:
		}
	}
	return nil, err
}

// executeError is what Execute returns when its caller's context has ended.
func executeError(err error, txID string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return errors.Wrapf(err, "execute transaction %s", quoted(txID))
}

// timer returns a timer that expires after d, if possible one that was used before. They are kept for each handler,
// not for all, since a timer must not leave the bubble of a test with synctest.
func (h *Handler) timer(d time.Duration) *time.Timer {
	if t, ok := h.timers.Get().(*time.Timer); ok {
		t.Reset(d)
		return t
	}
	return time.NewTimer(d)
}

func (h *Handler) putTimer(t *time.Timer) {
	t.Stop()
	h.timers.Put(t)
}

// finishTransaction ends what startTransaction began. Whatever the worker still does ends in the background. cause is
// why Execute didn't wait for the reply, or nil.
func (h *Handler) finishTransaction(tx *transactionContext, cause error) {
	working, abandoned := tx.end(contextError(cause))
	h.txCtxs.remove(tx.key)
	if abandoned {
		h.fault(FaultAbandonedOperation, tx.TxID)
		tx.poison(errors.New("an operation was abandoned"))
	}
	if !working {
		h.releaseSimulation(tx)
	}
}

// contextError is what the context of a transaction says that ended for a reason.
func contextError(cause error) error {
	if errors.Is(cause, ErrTimeout) {
		return context.DeadlineExceeded
	}
	return context.Canceled
}
