package handler

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// outgoing is a message on its way to the chaincode.
type outgoing struct {
	msg *pb.ChaincodeMessage
	// size is what the message takes of the budget. It is computed once, where the message is made.
	size int
	// hasRoom says that the size was taken already.
	hasRoom bool
	// tx, if not nil, is the transaction that the message starts or answers.
	tx *transactionContext
	// sent, if not nil, has room for the outcome of sending. Where it is nil, a failure ends the stream.
	sent chan<- error
}

func newOutgoing(msg *pb.ChaincodeMessage, tx *transactionContext) outgoing {
	return outgoing{msg: msg, size: messageSize(msg), tx: tx}
}

// starts reports whether the message is the one that starts its transaction.
func (o *outgoing) starts() bool {
	return o.tx != nil && (o.msg.Type == pb.ChaincodeMessage_TRANSACTION || o.msg.Type == pb.ChaincodeMessage_INIT)
}

// sender is what waits to be sent, and the goroutine that sends it. A message goes one of two ways. Answers to reads, and what the
// loop has made or admitted, go straight into the queue: serialSendAsync. What the peer originates passes the loop first, so that the
// state machine sees it: triggerNextState. Whichever way it goes, a message takes room in the budget before it enters, in its
// sender's goroutine, and gives it back when it has been sent. So the queue never is full for those who have room: it has a place for
// each of them, and as many again for what the loop says unasked.
type sender struct {
	*session
	stream       pb.Stream // only Send is called
	unsent       *budget   // of what waits
	queue        chan outgoing
	nextState    chan outgoing // to the loop
	watch        sendWatch
	transactions *transactions
}

func newSender(s *session, stream pb.Stream, t *transactions) *sender {
	x := &sender{
		session: s, stream: stream, transactions: t,
		unsent:    &budget{bytes: s.cfg.MaxQueuedBytes, messages: s.cfg.SendQueue},
		queue:     make(chan outgoing, 2*s.cfg.SendQueue),
		nextState: make(chan outgoing, 16),
	}
	x.watch.init(s.cfg.SendTimeout)
	return x
}

// serialSendAsync puts a message into the queue. It waits while there is no room, at most until ctx or the stream ends. A message
// that has room doesn't wait.
func (s *sender) serialSendAsync(ctx context.Context, o outgoing) error {
	if !o.hasRoom {
		if err := s.unsent.acquire(ctx, s.done, o.size); err != nil {
			return err
		}
	}
	s.queue <- o // never full: see sender
	return nil
}

// triggerNextState hands a message of the peer to the loop, which makes the state machine follow and has it sent. It waits while
// there is no room, at most until ctx or the stream ends; for the loop itself it need not wait long, since that waits for nobody.
func (s *sender) triggerNextState(ctx context.Context, o outgoing) error {
	if err := s.unsent.acquire(ctx, s.done, o.size); err != nil {
		return err
	}
	o.hasRoom = true
	select {
	case s.nextState <- o:
		return nil
	case <-s.done:
		s.unsent.give(o.size)
		return ErrStreamTerminated
	}
}

// serialSend is the goroutine that sends, one message after the other. It is the only caller of Send, and ends when the stream
// has.
func (s *sender) serialSend() {
	for {
		select {
		case o := <-s.queue:
			if !s.stale(&o) {
				s.observe(Sent, o.msg)
				s.watch.begin()
				err := s.stream.Send(o.msg)
				s.watch.end()
				s.report(&o, err)
			}
			s.unsent.give(o.size)
		case <-s.done:
			return
		}
	}
}

// stale reports whether a message is of no use any more: it starts a transaction that has been given up, or answers one
// that is being run again, and would be taken for an answer to that run.
func (s *sender) stale(o *outgoing) bool {
	switch {
	case o.tx == nil:
		return false
	case o.starts():
		return !o.tx.send()
	case o.tx.ctx.Err() == nil:
		return false
	}
	again := s.transactions.get(o.tx.key)
	return again != nil && again != o.tx
}

// report tells who waits for it what became of a message: the caller of the transaction that it was to start, and everybody on the
// stream, which ends if it could not be sent.
func (s *sender) report(o *outgoing, err error) {
	if err != nil {
		if o.starts() {
			o.tx.sendFailed(&unsentError{txID: o.tx.TxID, typ: o.msg.Type, cause: err})
		}
		err = &StreamError{Code: codes.Unavailable, Cause: errors.WithMessage(err,
			"received error while sending message, ending chaincode support stream")}
	}
	switch {
	case o.sent != nil:
		o.sent <- err
	case err != nil:
		s.endWith(err)
	}
}

// stalled returns why the stream ends if a message has been on its way into it for too long. The goroutine that is
// still in Send then leaves it when the stream's owner has let go of the stream.
func (s *sender) stalled() error {
	if !s.watch.stalled() {
		return nil
	}
	s.fault(FaultStalledSend, txKey{}, nil, zap.Duration("limit", s.cfg.SendTimeout))
	return endStream(codes.DeadlineExceeded, "chaincode has not read what it was sent for %s, ending chaincode support stream", s.cfg.SendTimeout)
}

// checkSize returns an error if a message is larger than it may be. It is encoded for that only where it may be.
func (s *session) checkSize(o *outgoing) error {
	limit := s.cfg.MaxSendMsgSize
	if limit == 0 || o.size <= limit {
		return nil
	}
	exact := proto.Size(o.msg)
	if exact <= limit {
		return nil
	}
	err := errors.Errorf("%s of %d bytes is larger than the limit, %d", o.msg.Type, exact, limit)
	s.fault(FaultMessageSize, keyOf(o.msg), err)
	return err
}
