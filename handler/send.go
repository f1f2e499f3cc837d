package handler

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// outgoing is a message on its way to the writer.
type outgoing struct {
	msg  *pb.ChaincodeMessage
	errc chan<- error
	// tx, if not nil, is the transaction that the message starts or answers.
	tx *transactionContext
	// report asks for a nil on errc, too.
	report bool
	// size is what the message takes of the budget, until it has been sent.
	size int
}

// post gives a message to the writer without waiting, from the stream's goroutine. What it takes of the budget has been
// taken.
func (h *Handler) post(o outgoing) {
	if len(h.outbox) == 0 {
		select {
		case h.outgoing <- o:
			return
		default:
		}
	}
	h.outbox = append(h.outbox, o)
}

// postOwn posts a message that the stream's goroutine has made itself, which must not wait for room. It reports whether
// there is any left: there isn't when the budget has been exceeded by as much again.
func (h *Handler) postOwn(msg *pb.ChaincodeMessage) bool {
	size := messageSize(msg)
	if h.unsent.take(size)/2 > h.cfg.MaxQueuedBytes {
		h.unsent.give(size)
		return false
	}
	h.post(outgoing{msg: msg, errc: h.errc, size: size})
	return true
}

// serialSendAsync gives a message to the writer, from any other goroutine. A failure to send it is put on o.errc, if
// there is room. It waits while the writer's queue is full, at most until ctx or the stream ends.
func (h *Handler) serialSendAsync(ctx context.Context, o outgoing) error {
	o.size = messageSize(o.msg)
	return enqueue(ctx, h, h.outgoing, o, o.size)
}

// enqueue puts v, which holds a message, into c, a way to the writer. It waits while there is no room in the budget for the
// message's size or none in c, at most until ctx or the stream ends.
func enqueue[T any](ctx context.Context, h *Handler, c chan<- T, v T, size int) error {
	if err := h.reserve(ctx, size); err != nil {
		return err
	}
	err := offer(ctx, h.done, c, v)
	if err != nil {
		h.unsent.give(size)
	}
	return err
}

// reserve takes size bytes of what may wait for the writer.
func (h *Handler) reserve(ctx context.Context, size int) (err error) {
	claim := h.unsent.ask(size)
	if claim == nil {
		return nil
	}
	select {
	case <-claim.granted:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-h.done:
		err = ErrStreamTerminated
	}
	h.unsent.withdraw(claim)
	return err
}

// write is the goroutine that sends.
func (h *Handler) write() {
	for {
		select {
		case o := <-h.outgoing:
			if h.stale(o) {
				h.unsent.give(o.size)
				continue
			}
			err := h.serialSend(o.msg)
			h.unsent.give(o.size)
			switch {
			case err != nil:
				err = h.notSent(o, err)
			case !o.report:
				continue
			}
			select {
			case o.errc <- err:
			default:
			}
		case <-h.done:
			return
		}
	}
}

// stale reports whether a message is of no use any more: it starts a transaction that has been given up, or answers one
// that is being run again, and would be taken for an answer to that run.
func (h *Handler) stale(o outgoing) bool {
	switch {
	case o.tx == nil:
		return false
	case o.msg.Type == pb.ChaincodeMessage_TRANSACTION, o.msg.Type == pb.ChaincodeMessage_INIT:
		return !o.tx.start()
	}
	if o.tx.ctx.Err() == nil {
		return false
	}
	again := h.txCtxs.get(o.tx.key)
	return again != nil && again != o.tx
}

// serialSend sends a message, one at a time.
func (h *Handler) serialSend(msg *pb.ChaincodeMessage) error {
	h.serialLock.Lock()
	defer h.serialLock.Unlock()
	if h.cfg.Observer != nil {
		h.cfg.Observer.Message(h.name(), FromPeer, msg)
	}
	h.sending.begin()
	defer h.sending.end()
	return h.ChatStream.Send(msg)
}

// checkSend returns why the stream ends if a message has been on its way into it for too long. The writer, which is
// still in Send then, leaves it when the stream's owner has let go of the stream.
func (h *Handler) checkSend() error {
	if !h.sending.stalled() {
		return nil
	}
	h.fault(FaultStalledSend, "", zap.Duration("limit", h.cfg.SendTimeout))
	return endStream(codes.DeadlineExceeded, "chaincode has not read what it was sent for %s, ending chaincode support stream", h.cfg.SendTimeout)
}

// oversize reports whether a message of the peer is larger than it may be, and how large it is then.
func (h *Handler) oversize(msg *pb.ChaincodeMessage) (size int, over bool) {
	limit := h.cfg.MaxSendMsgSize
	if limit == 0 || messageSize(msg) <= limit {
		return 0, false
	}
	size = proto.Size(msg)
	return size, size > limit
}

// errOversize says that a message can't be sent.
func (h *Handler) errOversize(msg *pb.ChaincodeMessage, size int) error {
	h.fault(FaultMessageSize, msg.Txid, zap.Stringer("type", msg.Type), zap.Int("bytes", size))
	return errors.Errorf("%s of %d bytes is larger than the limit, %d", msg.Type, size, h.cfg.MaxSendMsgSize)
}

// notSent returns why the stream ends when a message could not be sent. The caller of a transaction that the message was
// to start is told.
func (h *Handler) notSent(o outgoing, err error) error {
	if o.tx != nil {
		o.tx.notSent(o.msg, err)
	}
	return &StreamError{Code: codes.Unavailable, Cause: errors.WithMessage(err,
		"received error while sending message, ending chaincode support stream")}
}

// maxUnanswered is how many KEEPALIVE messages may be without an echo.
const maxUnanswered = 3

func (h *Handler) sendKeepalive() error {
	if !h.FSM.Is(Ready) || h.unserved.exceeded() { // an echo would not be read
		return nil
	}
	if h.unanswered >= maxUnanswered {
		return endStream(codes.DeadlineExceeded, "chaincode left %d KEEPALIVE messages unanswered, ending chaincode support stream", h.unanswered)
	}
	if h.postOwn(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_KEEPALIVE}) {
		h.unanswered++
	}
	return nil
}

// keepaliveEcho takes a KEEPALIVE of the chaincode, which is the echo of ours: it is not echoed again.
func (h *Handler) keepaliveEcho(*pb.ChaincodeMessage) error {
	h.unanswered = 0
	return nil
}
