package handler

import (
	"context"
	"io"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	errClosed   = endStream(codes.Unavailable, "chaincode was stopped, ending chaincode support stream")
	errInternal = endStream(codes.Internal, "internal error, ending chaincode support stream")
)

// received is what one Recv returned.
type received struct {
	msg *pb.ChaincodeMessage
	err error
}

// nextStateInfo is a message of the peer on its way into the select loop.
type nextStateInfo struct {
	msg      *pb.ChaincodeMessage
	sendToCC bool
	sendSync bool
	// result, if sendSync, receives the outcome of sending; it has room for it.
	result chan error
	// tx, if not nil, is the transaction that the message starts or answers.
	tx *transactionContext
	// size is what the message takes of the budget, until it has been sent.
	size int
}

// processStream is the goroutine that owns the stream's state: it handles what is received, what enters through
// nextState, and time, one after the other. It never waits for anything but the next of these.
func (h *Handler) processStream(ctx context.Context) (err error) {
	defer func() { h.terminate(err) }()
	defer h.confineTo(&err)

	msgAvail := make(chan received)
	h.spawn(func() { h.receive(msgAvail) })
	h.spawn(h.write)
	registration := time.NewTimer(h.cfg.RegisterTimeout)
	defer registration.Stop()
	keepalive, stop := newTicker(h.cfg.Keepalive)
	defer stop()
	defer h.sending.timer.Stop()

	for err == nil {
		// While the writer is behind, nothing new is let in that would have to be sent, and messages wait.
		next, send, oldest := h.nextState, h.outgoing, outgoing{}
		if len(h.outbox) > 0 {
			next, oldest = nil, h.outbox[0]
		} else {
			send = nil
		}
		select {
		case in := <-msgAvail:
			err = h.handleReceived(in)
		case ns := <-next:
			err = h.handleNextState(ns)
		case send <- oldest:
			h.outbox[0] = outgoing{} // not to be kept by the array
			h.outbox = h.outbox[1:]
		case err = <-h.errc:
			err = h.lastWords(msgAvail, err)
		case <-keepalive:
			err = h.sendKeepalive()
		case <-h.sending.timer.C:
			if err = h.checkSend(); err != nil {
				err = h.lastWords(msgAvail, err)
			}
		case <-registration.C:
			err = h.checkRegistered()
		case <-ctx.Done():
			err = h.lastWords(msgAvail, endStream(codes.Canceled, "chaincode support stream ended: %s", context.Cause(ctx)))
		}
	}
	return err
}

// newTicker is time.NewTicker, but for an interval of 0 never ticks.
func newTicker(d time.Duration) (<-chan time.Time, func()) {
	if d == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// confineTo, deferred, is leave for the stream's own goroutine: a panic becomes the error that ends the stream.
func (h *Handler) confineTo(err *error) {
	if p := recover(); p != nil {
		h.logPanic("", p)
		*err = errInternal
	}
}

// terminate makes everybody let go of the stream. The registry is told first: who tries again after
// ErrStreamTerminated must not find this handler.
func (h *Handler) terminate(cause error) {
	defer close(h.done)
	h.cause.Store(&cause)
	defer func() { h.confined(recover()) }()
	// A cancelled context given to Event would wedge the machine.
	if err := h.FSM.Event(context.Background(), endEvent); err != nil {
		h.log.Error("end the state machine", zap.Error(err))
	}
	if h.registered.Load() {
		h.cfg.Registry.Deregister(h)
	}
}

// receive is the goroutine that reads the stream, until the first error. It stops reading while what it has read exceeds
// what may wait to be served.
func (h *Handler) receive(msgAvail chan<- received) {
	for {
		msg, err := h.ChatStream.Recv()
		if err == nil && msg != nil && h.cfg.Observer != nil {
			h.cfg.Observer.Message(h.name(), FromChaincode, msg)
		}
		full := msg != nil && err == nil && h.unserved.take(receivedSize(msg)) > h.cfg.MaxQueuedBytes
		select {
		case msgAvail <- received{msg, err}:
		case <-h.done:
			return
		}
		if err != nil || full && !h.mayReceive() {
			return
		}
	}
}

// mayReceive waits for the moment to read on, and returns false if the stream ends before.
func (h *Handler) mayReceive() bool {
	claim := h.unserved.ask(0)
	if claim == nil {
		return true
	}
	select {
	case <-claim.granted:
		return true
	case <-h.done:
		return false
	}
}

func (h *Handler) handleReceived(in received) error {
	switch {
	case in.err == io.EOF:
		return io.EOF
	case in.err != nil:
		return &StreamError{
			Code:  status.Code(in.err),
			Cause: errors.WithMessage(in.err, "receive from chaincode support stream failed"),
		}
	case in.msg == nil:
		return endStream(codes.InvalidArgument, "received nil message, ending chaincode support stream")
	}
	return h.HandleMessage(in.msg)
}

// lastWords handles a message that had been read when something else ended the stream: it may be a reply that
// somebody waits for.
func (h *Handler) lastWords(msgAvail <-chan received, cause error) error {
	select {
	case in := <-msgAvail:
		if err := h.handleReceived(in); err != nil {
			h.log.Debug("last message of an ending stream", zap.Error(err))
		}
	default:
	}
	return cause
}

// HandleMessage admits a message of the chaincode and acts on it. An error ends the stream. It is called by the
// goroutine that runs HandleChaincodeStream, and must not be called by another.
func (h *Handler) HandleMessage(msg *pb.ChaincodeMessage) error {
	size := receivedSize(msg) // now: somebody else may have the message later
	kept, err := h.handle(msg)
	if !kept {
		h.unserved.give(size)
	}
	return err
}

// handle is HandleMessage. It reports whether the message is kept for a worker.
func (h *Handler) handle(msg *pb.ChaincodeMessage) (kept bool, err error) {
	row, err := h.admit(msg, FromChaincode)
	if err != nil {
		return false, err
	}
	if ce := h.log.Check(zap.DebugLevel, "received"); ce != nil {
		ce.Write(zap.String("txid", short(msg.Txid)), zap.String("type", row.event))
	}
	if row.request != nil {
		return h.dispatch(row, msg)
	}
	if err := row.handle(h, msg); err != nil {
		return false, err
	}
	return false, h.enter(row)
}

// admit finds a message's row, if the state machine and the table allow it.
func (h *Handler) admit(msg *pb.ChaincodeMessage, from Party) (*row, error) {
	row := h.table.row(msg.Type)
	if row != nil && row.from&from != 0 && h.FSM.Can(row.event) {
		return row, nil
	}
	h.fault(FaultUnexpectedMessage, msg.Txid, zap.Stringer("type", msg.Type), zap.String("state", h.FSM.Current()))
	code := codes.InvalidArgument
	if h.FSM.Is(Created) {
		code = codes.FailedPrecondition
	}
	return nil, endStream(code, "error handling message, ending stream: [%s] Fabric side handler cannot handle message (%s) while in %s state",
		short(msg.Txid), msg.Type, h.FSM.Current())
}

// enter makes the state machine follow a message that has been handled. An event that changes nothing isn't fired.
func (h *Handler) enter(row *row) error {
	if row.to == "" {
		return nil
	}
	// A cancelled context given to Event would wedge the machine.
	if err := h.FSM.Event(context.Background(), row.event); err != nil {
		return errors.Wrapf(err, "enter state %s", row.to)
	}
	return nil
}

// handleNextState is HandleMessage for messages of the peer.
func (h *Handler) handleNextState(ns nextStateInfo) error {
	row, err := h.admit(ns.msg, FromPeer)
	if err != nil {
		return err
	}
	if err := h.enter(row); err != nil || !ns.sendToCC {
		return err
	}
	if ns.sendSync {
		h.post(outgoing{msg: ns.msg, errc: ns.result, report: true, size: ns.size})
	} else {
		h.post(outgoing{msg: ns.msg, errc: h.errc, tx: ns.tx, size: ns.size})
	}
	return nil
}

// triggerNextState hands a message of the peer to the select loop, which makes the state machine follow and, if
// sendToCC, sends it. It returns when the message is in the loop's queue, or when ctx or the stream has ended.
func (h *Handler) triggerNextState(ctx context.Context, msg *pb.ChaincodeMessage, sendToCC bool) error {
	return h.trigger(ctx, nextStateInfo{msg: msg, sendToCC: sendToCC})
}

// triggerNextStateSync is triggerNextState for READY: it returns when the message has been sent.
func (h *Handler) triggerNextStateSync(ctx context.Context, msg *pb.ChaincodeMessage) error {
	sent := make(chan error, 1)
	if err := h.trigger(ctx, nextStateInfo{msg: msg, sendToCC: true, sendSync: true, result: sent}); err != nil {
		return err
	}
	select {
	case err := <-sent:
		return err
	case <-h.done:
		return ErrStreamTerminated
	}
}

func (h *Handler) trigger(ctx context.Context, ns nextStateInfo) error {
	if ns.sendToCC {
		ns.size = messageSize(ns.msg)
	}
	return enqueue(ctx, h, h.nextState, ns, ns.size)
}

// offer puts v into c. It waits while c is full, at most until ctx or the stream ends.
func offer[T any](ctx context.Context, done <-chan struct{}, c chan<- T, v T) error {
	select { // by itself: to ask a context for its channel may cost an allocation
	case c <- v:
		return nil
	default:
	}
	select {
	case c <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-done:
		return ErrStreamTerminated
	}
}
