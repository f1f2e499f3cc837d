package handler

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// tieGrace is how long Execute still waits, when its time is up, for a reply that has already been received.
const tieGrace = 50 * time.Millisecond

// Execute runs one Init (typ INIT) or Invoke (typ TRANSACTION) of the chaincode, and returns its COMPLETED or ERROR. If the
// chaincode reports a failure, that is such a message and not an error. in is only read.
//
// Execute returns as soon as one of these happens: the chaincode has replied, the context's deadline or the handler's
// ExecuteTimeout has passed (ErrTimeout), the context was cancelled, or the stream has ended (ErrStreamTerminated). An
// operation of the ledger that is still running then ends in the background.
//
// It returns at once if there is no room for another transaction (*OverloadError), or if the message is larger than
// Limits.MaxSendMsgSize. After a nil error nothing of the transaction is running any more, and every iterator that it opened
// is closed. Use errors.Is to look for these errors, and for ErrExists and ErrPoisoned.
func (h *Handler) Execute(ctx context.Context, p TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	if p.Namespace == "" {
		p.Namespace = namespaceOf(h.chaincodeID())
	}
	if len(h.cfg.Transactions) == 0 {
		return h.execute(ctx, p, typ, in)
	}
	return h.intercept(ctx, p, typ, in)
}

// intercept runs execute inside the interceptors.
func (h *Handler) intercept(ctx context.Context, p TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	e := Execution{Transaction: h.transaction(&p), Type: typ, Input: in}
	run := func(ctx context.Context) (*pb.ChaincodeMessage, error) { return h.execute(ctx, p, typ, in) }
	return executed(h.cfg.Transactions, e, run)(ctx)
}

// execute runs a transaction without interceptors.
func (h *Handler) execute(ctx context.Context, p TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (*pb.ChaincodeMessage, error) {
	start, err := h.startMessage(&p, typ, in)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, executeError(err, p.TxID)
	}
	tx := h.newTransactionContext(ctx, p, typ)
	if err := h.begin(tx); err != nil {
		return nil, err
	}
	start.tx = tx
	reply, err := h.await(tx, start)
	h.finish(tx, err)
	if err == nil {
		err = tx.trust.err()
	}
	if err == nil {
		err = h.takeEvent(tx, reply)
	}
	if err != nil {
		return nil, err
	}
	return reply, nil
}

func (h *Handler) newTransactionContext(ctx context.Context, p TxParams, typ pb.ChaincodeMessage_Type) *transactionContext {
	tx := &transactionContext{
		TxParams:   p,
		key:        txKey{p.ChannelID, p.TxID},
		typ:        typ,
		done:       make(chan struct{}, 1),
		leftBehind: &h.workers.leftBehind,
		unserved:   h.inbox.unserved,
		turn:       turn{in: h.sender.unsent},
	}
	tx.trust = &tx.own
	if p.Simulation != nil {
		tx.trust = &p.Simulation.trust
	}
	tx.ctx.init(ctx, h.cfg.ExecuteTimeout)
	return tx
}

// takeEvent completes the event of a reply, or returns why the transaction fails because of it. Chaincode sets an event's
// name and payload. The peer adds whose event it is.
func (h *Handler) takeEvent(tx *transactionContext, reply *pb.ChaincodeMessage) error {
	e := reply.ChaincodeEvent
	if e == nil {
		return nil
	}
	e.ChaincodeId, e.TxId = tx.Namespace, tx.TxID
	if reply.Type != pb.ChaincodeMessage_COMPLETED { // the transaction failed anyway
		return nil
	}
	var err error
	switch size := len(e.EventName) + len(e.Payload); {
	case e.EventName == "":
		err = errors.Errorf("[%s] the chaincode's event has no name", short(tx.TxID))
	case size > h.cfg.MaxEventBytes:
		err = errors.Errorf("[%s] the chaincode's event %s has %d bytes, the limit is %d", short(tx.TxID), quoted(e.EventName), size, h.cfg.MaxEventBytes)
	}
	if err != nil {
		h.fault(FaultRefusedEvent, tx.key, err)
	}
	return err
}

// startMessage returns the message by which a transaction starts, or why it can't start. Its input is encoded when the
// message has room: what waits for room should not be in memory twice.
func (h *Handler) startMessage(p *TxParams, typ pb.ChaincodeMessage_Type, in *pb.ChaincodeInput) (start outgoing, err error) {
	if typ != pb.ChaincodeMessage_INIT && typ != pb.ChaincodeMessage_TRANSACTION {
		return start, errors.Errorf("[%s] cannot execute a message of type %s, want INIT or TRANSACTION", short(p.TxID), typ)
	}
	switch h.State() {
	case Created, Established:
		// If it were sent now, it would end the stream.
		return start, errors.Errorf("[%s] cannot execute: the chaincode is not ready", short(p.TxID))
	}
	if !utf8.ValidString(p.TxID) || !utf8.ValidString(p.ChannelID) {
		// Protobuf refuses to send such a name, which would end the stream.
		return start, errors.Errorf("transaction %q on channel %q is not named in UTF-8", p.TxID, p.ChannelID)
	}
	if p.depth > h.cfg.MaxCallDepth {
		return start, errors.Errorf("chaincode calls chaincode more than %d deep", h.cfg.MaxCallDepth)
	}
	msg := newMessage(typ, txKey{p.ChannelID, p.TxID}, nil)
	msg.Proposal = p.SignedProposal
	start = newOutgoing(msg, nil)
	start.input = in
	start.size += proto.Size(in)
	if err := h.checkSize(&start); err != nil {
		return start, errors.Wrapf(err, "[%s] error sending %s", short(p.TxID), typ)
	}
	return start, nil
}

// begin makes the transaction known to the stream. After a nil error the caller must call finish.
func (h *Handler) begin(tx *transactionContext) error {
	if tx.Simulation != nil {
		if err := tx.Simulation.hold(); err != nil {
			return errors.Wrapf(err, "start transaction %s", quoted(tx.TxID))
		}
	}
	// Operations that are left of abandoned transactions count, too. A ledger that hangs must not be asked for more and
	// more.
	left := int(h.workers.leftBehind.Load() + h.workers.undelivered.Load())
	err := h.transactions.add(tx, h.cfg.MaxInFlight-left)
	if err == nil {
		return nil
	}
	h.releaseSimulation(tx)
	if err == ErrOverloaded {
		err = &OverloadError{ChaincodeID: h.chaincodeID(), Limit: h.cfg.MaxInFlight}
		h.fault(FaultOverload, tx.key, err)
	}
	return err
}

// await has the transaction's message sent and waits for what ends the transaction.
func (h *Handler) await(tx *transactionContext, start outgoing) (*pb.ChaincodeMessage, error) {
	timer := h.timer(time.Until(tx.ctx.endsAt))
	defer h.putTimer(timer)
	wait := patience{tx: tx, timer: timer.C, done: h.done}
	err := h.submit(&wait, start)
	if err == nil {
		err = wait.until(tx.done)
	}
	// A result that is there wins.
	if err != nil && tx.hasReply() {
		timer.Reset(tieGrace)
		select {
		case <-tx.done:
			err = nil
		case <-timer.C:
		}
	}
	if err != nil {
		return nil, err
	}
	return tx.reply, nil
}

// submit hands the transaction's message to the loop, when there is room for it.
func (h *Handler) submit(wait *patience, start outgoing) error {
	if claim := h.sender.unsent.ask(start.size); claim != nil {
		if err := wait.until(claim.granted); err != nil {
			h.sender.unsent.withdraw(claim)
			return err
		}
	}
	start.hasRoom = true
	err := start.encode()
	if err == nil {
		err = wait.enter(h.sender.nextState, start)
	}
	if err != nil {
		h.sender.unsent.give(start.size)
	}
	return err
}

// patience is how Execute waits. A wait ends when the transaction's time is up, its caller has gone, or the stream has
// ended. Execute watches all three in its own select, so a transaction needs no goroutine and no timer of its own for them.
type patience struct {
	tx    *transactionContext
	timer <-chan time.Time
	done  <-chan struct{}
}

// until waits for c. It returns an error that says why, if the wait ends before c does.
func (p *patience) until(c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-p.timer:
		return ErrTimeout
	case <-p.tx.ctx.parent.Done():
		return p.left()
	case <-p.done:
		return p.tx.terminated()
	}
}

// enter waits until the loop takes a message. It returns an error that says why, if the wait ends earlier.
func (p *patience) enter(nextState chan<- outgoing, o outgoing) error {
	select {
	case nextState <- o:
		return nil
	case <-p.timer:
		return ErrTimeout
	case <-p.tx.ctx.parent.Done():
		return p.left()
	case <-p.done:
		return p.tx.terminated()
	}
}

// left returns why the wait ends when the caller has gone.
func (p *patience) left() error { return executeError(p.tx.ctx.parent.Err(), p.tx.TxID) }

// executeError returns what Execute returns when its caller's context has ended.
func executeError(err error, txID string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return errors.Wrapf(err, "execute transaction %s", quoted(txID))
}

// timer returns a timer that expires after d, if possible one that was used before. Each handler keeps its own timers,
// because a timer must not leave the bubble of a test with synctest.
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

// finish ends what begin began. Whatever the worker still does ends in the background. cause is why Execute didn't wait for
// the reply, or nil.
func (h *Handler) finish(tx *transactionContext, cause error) {
	working, leftBehind := tx.finish(contextError(cause))
	h.transactions.remove(tx.key)
	if leftBehind {
		h.fault(FaultAbandonedOperation, tx.key, cause)
		tx.trust.lose(errors.New("an operation was abandoned"))
	}
	if !working {
		h.releaseSimulation(tx)
	}
}
