package handler

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// outgoing is a message on its way to the chaincode.
type outgoing struct {
	msg *pb.ChaincodeMessage
	// size is how many bytes of the budget the message takes. It is computed once, where the message is made.
	size int
	// input is what the message's payload is made from when the message has room. size has it already.
	input *pb.ChaincodeInput
	// hasRoom says that the message has already taken its room.
	hasRoom bool
	// tx is the transaction that the message starts or answers, or nil.
	tx *transactionContext
	// sent gets the outcome of sending, and has room for it. If it is nil, a failure ends the stream.
	sent chan<- error
}

func newOutgoing(msg *pb.ChaincodeMessage, tx *transactionContext) outgoing {
	return outgoing{msg: msg, size: messageSize(msg), tx: tx}
}

// encode makes the payload of a message that starts a transaction.
func (o *outgoing) encode() error {
	payload, err := proto.Marshal(o.input)
	if err != nil {
		return errors.Wrapf(err, "[%s] error sending %s", short(o.msg.Txid), o.msg.Type)
	}
	o.msg.Payload, o.input = payload, nil
	return nil
}

// exactSize is how many bytes the message has on the wire.
func (o *outgoing) exactSize() int {
	n := proto.Size(o.msg)
	if o.input != nil {
		const payload = 3 // the field's number
		if size := proto.Size(o.input); size > 0 {
			n += protowire.SizeTag(payload) + protowire.SizeBytes(size)
		}
	}
	return n
}

// starts reports whether the message is the one that starts its transaction.
func (o *outgoing) starts() bool {
	return o.tx != nil && (o.msg.Type == pb.ChaincodeMessage_TRANSACTION || o.msg.Type == pb.ChaincodeMessage_INIT)
}

// sender is what waits to be sent, and the goroutine that sends it.
//
// A message goes one of two ways. Answers to reads, and what the loop has made or admitted, go straight into the queue:
// serialSendAsync. Everything else that the peer originates passes the loop first, so that the state machine sees it:
// triggerNextState.
//
// Both ways, a message takes room in the budget before it enters, and waits for that room in the goroutine that sends it. It
// gives the room back when it has been sent. So a message that has room always finds a place in the queue: there is one for
// each of them, and as many again for what the loop says unasked. That is why the loop can queue a message without ever
// waiting for the chaincode to read.
type sender struct {
	*session
	stream       pb.Stream // only Send is called
	unsent       *budget   // bytes of what waits
	queue        chan outgoing
	nextState    chan outgoing // to the loop
	watch        sendWatch
	transactions *transactions
}

func newSender(s *session, stream pb.Stream, t *transactions) *sender {
	x := &sender{
		session: s, stream: stream, transactions: t,
		unsent:    &budget{bytes: s.cfg.waitingBytes(), messages: s.cfg.SendQueue},
		queue:     make(chan outgoing, 2*s.cfg.SendQueue),
		nextState: make(chan outgoing, 16),
	}
	x.watch.init(s.cfg.SendTimeout)
	return x
}

// serialSendAsync puts a message into the queue. A message that has room doesn't wait. Any other waits for room, until ctx
// or the stream ends at the latest.
func (s *sender) serialSendAsync(ctx context.Context, o outgoing) error {
	if !o.hasRoom {
		if err := s.unsent.acquire(ctx, s.done, o.size); err != nil {
			return err
		}
	}
	s.queue <- o // never full: the comment of sender says why
	return nil
}

// triggerNextState hands a message of the peer to the loop, which makes the state machine follow and queues it. A message
// without room waits for it, until ctx or the stream ends at the latest. It need not wait long for the loop, because the loop waits for nobody.
func (s *sender) triggerNextState(ctx context.Context, o outgoing) error {
	if !o.hasRoom {
		if err := s.unsent.acquire(ctx, s.done, o.size); err != nil {
			return err
		}
		o.hasRoom = true
	}
	select {
	case s.nextState <- o:
		return nil
	case <-s.done:
		s.unsent.give(o.size)
		return ErrStreamTerminated
	}
}

// serialSend is the goroutine that sends one message after the other. It is the only caller of Send. It ends when the stream
// has ended.
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

// stale reports whether a message is of no use any more. That is so if it starts a transaction that has been given up. It is
// also so if it answers a transaction that is being run again: the chaincode would take it for an answer to that run.
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

// report tells those who wait for it what became of a message. The caller of the transaction that it starts learns of a
// failure. If nobody waits for the outcome, a failure ends the stream.
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

// stalled returns an error, which ends the stream, if a message has been on its way into it for too long. A goroutine that
// is still in Send leaves it when the stream's owner has let go of the stream.
func (s *sender) stalled() error {
	if !s.watch.stalled() {
		return nil
	}
	s.fault(FaultStalledSend, txKey{}, nil, zap.Duration("limit", s.cfg.SendTimeout))
	return endStream(codes.DeadlineExceeded, "chaincode has not read what it was sent for %s, ending chaincode support stream", s.cfg.SendTimeout)
}

// checkSize returns an error if a message is larger than it may be. Its exact size is computed only if the estimate exceeds
// the limit.
func (s *session) checkSize(o *outgoing) error {
	limit := s.cfg.MaxSendMsgSize
	if limit == 0 || o.size <= limit {
		return nil
	}
	exact := o.exactSize()
	if exact <= limit {
		return nil
	}
	err := errors.Errorf("%s of %d bytes is larger than the limit, %d", o.msg.Type, exact, limit)
	s.fault(FaultMessageSize, keyOf(o.msg), err)
	return err
}
