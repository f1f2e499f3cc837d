package handler

import (
	"context"
	"io"
	"time"

	"github.com/looplab/fsm"
	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/ccpeer/ccpeer/proto"
)

// loop is the goroutine that owns a stream, and everything that belongs to it alone.
//
// A stream's state is easy to keep right if only one goroutine changes it. So everyone else brings what has happened to the
// loop, as an event: a message that was received, a message that the peer originates, a timer, a reason to end. The loop
// takes one event at a time. It admits each message by the table, makes the state machine follow, and hands the message on:
// a request to the worker of its transaction, a message of the peer to the sender.
//
// The loop never waits for a ledger, a hook or the stream. It waits for nothing but its next event. That is why a slow
// transaction can't hold up the others.
type loop struct {
	*session
	inbox        *inbox
	sender       *sender
	workers      *workshop
	transactions *transactions
	registrar    *registrar
	fsm          *fsm.FSM

	registering bool // the registry is being asked, and the inbox is left alone
	unanswered  int  // KEEPALIVE messages since the last echo
}

// processStream takes one event after the other until something ends the stream, and returns why it ended. An event is
// something received, something that enters through nextState, or a timer.
func (l *loop) processStream(ctx context.Context) (err error) {
	defer func() { l.terminate(err) }()
	defer l.confineTo(&err)

	registration := time.NewTimer(l.cfg.RegisterTimeout)
	defer registration.Stop()
	keepalive, stop := newTicker(l.cfg.Keepalive)
	defer stop()
	defer l.sender.watch.timer.Stop()

	for err == nil {
		select {
		case in := <-l.incoming():
			err = l.handle(in)
		case o := <-l.sender.nextState:
			err = l.handleNextState(o)
		case err = <-l.errc:
			l.lastWords()
		case <-keepalive:
			err = l.sendKeepalive()
		case <-l.sender.watch.timer.C:
			if err = l.sender.stalled(); err != nil {
				l.lastWords()
			}
		case <-registration.C:
			err = l.checkRegistered()
		case <-ctx.Done():
			err = endStream(codes.Canceled, "chaincode support stream ended: %s", context.Cause(ctx))
			l.lastWords()
		}
	}
	return err
}

// newTicker returns a ticker's channel and the function that stops it. With an interval of 0 it never ticks.
func newTicker(d time.Duration) (<-chan time.Time, func()) {
	if d == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// incoming is the channel from which the loop takes the chaincode's messages. It is nil while the registry is asked whether
// it accepts the chaincode, so that nothing is taken. Each message then finds the state that the registry's answer leads to.
func (l *loop) incoming() <-chan received {
	if l.registering {
		return nil
	}
	return l.inbox.messages
}

// confineTo turns a panic of the loop into the error that ends the stream. It is to be deferred.
func (l *loop) confineTo(err *error) {
	if p := recover(); p != nil {
		l.logPanic(txKey{}, p)
		*err = errInternal
	}
}

// terminate makes everybody let go of the stream. The registry is told first. A caller that gets ErrStreamTerminated and
// tries again must not find this handler.
func (l *loop) terminate(cause error) {
	defer close(l.done)
	l.cause.Store(&cause)
	defer func() { l.confined(recover()) }()
	// Event would leave the machine stuck if its context were cancelled.
	if err := l.fsm.Event(context.Background(), endEvent); err != nil {
		l.log.Error("end the state machine", zap.Error(err))
	}
	l.registrar.end()
}

// lastWords handles a message that had already been read when something else ended the stream. It may be a reply that
// somebody waits for.
func (l *loop) lastWords() {
	select {
	case in := <-l.incoming():
		if err := l.handle(in); err != nil {
			l.log.Debug("last message of an ending stream", zap.Error(err))
		}
	default:
	}
}

// handle admits what was received, and acts on it. An error ends the stream. If a worker has taken the message, the worker
// gives its bytes back.
func (l *loop) handle(in received) (err error) {
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
	kept := false
	if in.row, err = l.admit(in.msg, Received); err == nil {
		if ce := l.log.Check(zap.DebugLevel, "received"); ce != nil {
			ce.Write(zap.String("txid", short(in.msg.Txid)), zap.String("type", in.row.event))
		}
		if in.row.request != nil {
			kept, err = l.dispatch(in)
		} else {
			err = in.row.handle(l, in)
		}
	}
	if !kept {
		l.inbox.unserved.give(in.size)
	}
	return err
}

// admit finds a message's row in the table. It returns an error, which ends the stream, if the table or the state doesn't
// allow the message.
func (l *loop) admit(msg *pb.ChaincodeMessage, d Direction) (*row, error) {
	row := protocol.row(msg.Type)
	if row != nil && row.way&d != 0 && l.fsm.Can(row.event) {
		return row, nil
	}
	code := codes.InvalidArgument
	if l.fsm.Is(string(Created)) {
		code = codes.FailedPrecondition
	}
	err := endStream(code, "error handling message, ending stream: [%s] Fabric side handler cannot handle message (%s) while in %s state",
		short(msg.Txid), msg.Type, l.fsm.Current())
	l.fault(FaultUnexpectedMessage, keyOf(msg), err, zap.Stringer("type", msg.Type), zap.String("state", l.fsm.Current()))
	return nil, err
}

// enter makes the state machine follow a message that has been handled. It fires no event for a message that doesn't change
// the state.
func (l *loop) enter(row *row) error {
	if row.to == "" {
		return nil
	}
	// Event would leave the machine stuck if its context were cancelled.
	if err := l.fsm.Event(context.Background(), row.event); err != nil {
		return errors.Wrapf(err, "enter state %s", row.to)
	}
	return nil
}

// handleNextState admits a message of the peer, makes the state machine follow, and queues the message for sending.
func (l *loop) handleNextState(o outgoing) error {
	if l.registering && o.msg.Type == pb.ChaincodeMessage_REGISTERED {
		l.registering = false
		if err := l.enter(protocol.row(pb.ChaincodeMessage_REGISTER)); err != nil {
			l.sender.unsent.give(o.size)
			return err
		}
	}
	row, err := l.admit(o.msg, Sent)
	if err == nil {
		err = l.enter(row)
	}
	if err != nil {
		l.sender.unsent.give(o.size)
		return err
	}
	return l.sender.serialSendAsync(context.Background(), o)
}

// dispatch gives a request to the worker of its transaction, and reports whether the worker has it.
func (l *loop) dispatch(in received) (kept bool, err error) {
	msg := in.msg
	tx := l.transactions.get(keyOf(msg))
	switch tx.admit(in) {
	case firstRequest:
		l.workers.start(tx)
		return true, nil
	case admitted:
		return true, nil
	case pending:
		// If this request were answered, the chaincode would take the answer for that to its pending request.
		l.fault(FaultConcurrentRequest, keyOf(msg), nil, zap.String("type", in.row.event))
		if l.cfg.Strict {
			err = endStream(codes.InvalidArgument, "[%s] %s while an earlier request of the transaction is pending, ending chaincode support stream",
				short(msg.Txid), in.row.event)
		}
		return false, err
	default:
		if err := l.checkChannel(msg); err != nil {
			return false, err
		}
		return false, l.answerUnknown(in)
	}
}

// checkChannel returns an error, which ends the stream, if a message lacks the ID of the channel on which its transaction runs.
// Shims of Fabric 1.0 send none. Their transactions would only time out, without a word about why.
func (l *loop) checkChannel(msg *pb.ChaincodeMessage) error {
	if msg.ChannelId != "" || !l.transactions.runsElsewhere(msg.Txid) {
		return nil
	}
	return endStream(codes.FailedPrecondition, "[%s] %s has no channel ID, as from a shim of Fabric 1.0: build the chaincode with a shim of 1.1 or later, ending chaincode support stream",
		short(msg.Txid), msg.Type)
}

// answerUnknown refuses a request of a transaction that isn't running, or that has no simulator. Chaincode whose transaction
// has timed out sends such requests. A chaincode that sends them faster than it reads the answers is cut off.
func (l *loop) answerUnknown(in received) error {
	cause := errors.New(in.row.request.noContext)
	if callsBuiltin(l.cfg.Builtins, in.msg) {
		cause = errNoContext
	}
	l.fault(FaultUnknownTransaction, keyOf(in.msg), cause, zap.String("type", in.row.event), zap.String("channel", quoted(in.msg.ChannelId)))
	if !l.say(newMessage(pb.ChaincodeMessage_ERROR, keyOf(in.msg), errorText(in.msg, cause))) {
		return endStream(codes.ResourceExhausted, "chaincode sends requests of unknown transactions and does not read the answers, ending chaincode support stream")
	}
	return nil
}

// say sends a message that the loop has made itself. The loop must not wait for room. say reports whether the message was
// queued.
func (l *loop) say(msg *pb.ChaincodeMessage) bool {
	o := newOutgoing(msg, nil)
	o.hasRoom = l.sender.unsent.takeUnasked(o.size)
	return o.hasRoom && l.sender.serialSendAsync(context.Background(), o) == nil
}

// complete takes a COMPLETED or ERROR of the chaincode, which ends a transaction.
func (l *loop) complete(in received) error {
	if tx := l.transactions.get(keyOf(in.msg)); !tx.accept(in) {
		if err := l.checkChannel(in.msg); err != nil {
			return err
		}
		l.fault(FaultLateCompletion, keyOf(in.msg), nil, zap.Stringer("type", in.msg.Type))
	}
	return nil
}

// maxUnanswered is how many KEEPALIVE messages in a row may go unanswered.
const maxUnanswered = 3

func (l *loop) sendKeepalive() error {
	if !l.fsm.Is(string(Ready)) || l.inbox.unserved.exceeded() { // then an echo would not be read
		return nil
	}
	if l.unanswered >= maxUnanswered {
		return endStream(codes.DeadlineExceeded, "chaincode left %d KEEPALIVE messages unanswered, ending chaincode support stream", l.unanswered)
	}
	if l.say(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE}) {
		l.unanswered++
	}
	return nil
}

// keepaliveEcho takes a KEEPALIVE of the chaincode. It is the answer to one of ours, and is not answered again.
func (l *loop) keepaliveEcho(received) error {
	l.unanswered = 0
	return nil
}
