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

// loop is the goroutine that owns a stream, and what belongs to it alone. It reads what was received and what the peer
// originates, admits each message by the table, makes the state machine follow, and hands the message on: a request to the worker of
// its transaction, a message of the peer to the sender. It waits for nothing but the next of these.
type loop struct {
	*session
	inbox        *inbox
	sender       *sender
	workers      *workshop
	transactions *transactions
	registrar    *registrar
	fsm          *fsm.FSM

	registering bool // the registry is being asked, and nothing is taken from the inbox
	unanswered  int  // KEEPALIVE messages since the last echo
}

// processStream handles what is received, what enters through nextState, and time, one after the other, until something ends the
// stream. It returns why.
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

// newTicker is time.NewTicker, but for an interval of 0 never ticks.
func newTicker(d time.Duration) (<-chan time.Time, func()) {
	if d == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(d)
	return t.C, t.Stop
}

// incoming is where messages of the chaincode come from. While the registry is asked whether it accepts the chaincode there are
// none, so that each finds the state that the answer leads to.
func (l *loop) incoming() <-chan received {
	if l.registering {
		return nil
	}
	return l.inbox.messages
}

// confineTo, deferred, makes a panic of the loop the error that ends the stream.
func (l *loop) confineTo(err *error) {
	if p := recover(); p != nil {
		l.logPanic(txKey{}, p)
		*err = errInternal
	}
}

// terminate makes everybody let go of the stream. The registry is told first: who tries again after
// ErrStreamTerminated must not find this handler.
func (l *loop) terminate(cause error) {
	defer close(l.done)
	l.cause.Store(&cause)
	defer func() { l.confined(recover()) }()
	// A cancelled context given to Event would wedge the machine.
	if err := l.fsm.Event(context.Background(), endEvent); err != nil {
		l.log.Error("end the state machine", zap.Error(err))
	}
	l.registrar.end()
}

// lastWords handles a message that had been read when something else ended the stream: it may be a reply that
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

// handle admits what was received, and acts on it. An error ends the stream. Where a worker has the message, its bytes are the
// worker's to give back.
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

// admit finds a message's row, if the state machine and the table allow it.
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

// enter makes the state machine follow a message that has been handled. An event that changes nothing isn't fired.
func (l *loop) enter(row *row) error {
	if row.to == "" {
		return nil
	}
	// A cancelled context given to Event would wedge the machine.
	if err := l.fsm.Event(context.Background(), row.event); err != nil {
		return errors.Wrapf(err, "enter state %s", row.to)
	}
	return nil
}

// handleNextState is handle for messages of the peer.
func (l *loop) handleNextState(o outgoing) error {
	if l.registering && o.msg.Type == pb.ChaincodeMessage_REGISTERED {
		l.registering = false
		if err := l.enter(protocol.row(pb.ChaincodeMessage_REGISTER)); err != nil {
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
		// An answer would be taken for the one to the request that is pending.
		l.fault(FaultConcurrentRequest, keyOf(msg), nil, zap.String("type", in.row.event))
		if l.cfg.Strict {
			err = endStream(codes.InvalidArgument, "[%s] %s while an earlier request of the transaction is pending, ending chaincode support stream",
				short(msg.Txid), in.row.event)
		}
		return false, err
	default:
		return false, l.answerUnknown(in)
	}
}

// answerUnknown refuses a request of a transaction that isn't running, or has no simulator. Chaincode whose
// transaction has timed out sends such requests; one that sends them faster than it reads the answers is cut off.
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

// say sends a message that the loop has made itself, which must not wait for room. It reports whether there was any left.
func (l *loop) say(msg *pb.ChaincodeMessage) bool {
	o := newOutgoing(msg, nil)
	o.hasRoom = l.sender.unsent.takeUnasked(o.size)
	return o.hasRoom && l.sender.serialSendAsync(context.Background(), o) == nil
}

// complete takes COMPLETED or ERROR of the chaincode, which end a transaction.
func (l *loop) complete(in received) error {
	if tx := l.transactions.get(keyOf(in.msg)); !tx.accept(in.msg) {
		l.fault(FaultLateCompletion, keyOf(in.msg), nil, zap.Stringer("type", in.msg.Type))
	}
	return nil
}

// maxUnanswered is how many KEEPALIVE messages may be without an echo.
const maxUnanswered = 3

func (l *loop) sendKeepalive() error {
	if !l.fsm.Is(string(Ready)) || l.inbox.unserved.exceeded() { // an echo would not be read
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

// keepaliveEcho takes a KEEPALIVE of the chaincode, which is the echo of ours: it is not echoed again.
func (l *loop) keepaliveEcho(received) error {
	l.unanswered = 0
	return nil
}
