package handler

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// reserveBytes is up to what size an answer needs no room before it is there.
const reserveBytes = 64 << 10

// room is what the answer to a request takes of the bytes that may wait to be sent, while the answer is being made. The
// worker has one, and uses it in its own goroutine.
//
// A chaincode may have many transactions ask for large values, and read none of the answers. If each worker read its value
// and then waited, all of the values would be in memory. So a worker waits first: ledgers call ledger.Reserve before they
// copy a value.
//
// An answer of many values is the hard case. Two workers that hold half of the room each, and wait for more, would wait for
// one another. So one transaction at a time may take more than there is. Before its turn comes, what others took that way
// must have been sent. So the most that can be taken is the budget and one answer. While there is room, nobody needs a turn:
// a worker that hangs in the ledger holds up no other. A turn ends with its transaction, although the worker may hang on.
type room struct {
	unsent *budget
	done   <-chan struct{}
	limit  int // of an answer

	open bool  // a request is served whose answer needs room
	read int   // how many bytes the answer has so far
	held int   // how many were taken of the budget; 0: none, and no place either
	turn *turn // to take more than there is
}

var _ ledger.Reserver = (*room)(nil)

// begin begins an answer.
func (r *room) begin() { r.open, r.read = true, 0 }

// Reserve implements ledger.Reserver.
func (r *room) Reserve(ctx context.Context, n int) error {
	if !r.open {
		return nil
	}
	if r.read > max(r.limit, reserveBytes) { // a small one is refused when it is there
		return errors.Errorf("the answer has more than %d bytes, which is the limit: ask for less at once", r.limit)
	}
	r.read += n
	if r.read <= reserveBytes || r.read <= r.held {
		return nil
	}
	if r.held == 0 {
		if err := r.unsent.acquire(ctx, r.done, r.read); err != nil {
			return err
		}
		r.held = r.read
		return nil
	}
	if err := r.unsent.extend(ctx, r.done, r.turn, r.held, r.read-r.held); err != nil {
		return err
	}
	r.held = r.read
	return nil
}

// atLeast reserves what is missing of n bytes, if the ledger has not reserved them since the answer had before bytes.
func (r *room) atLeast(ctx context.Context, before, n int) error {
	if missing := n - (r.read - before); missing > 0 {
		return r.Reserve(ctx, missing)
	}
	return nil
}

// hand hands over to an answer what was taken for it. An answer for which nothing was taken has no room yet.
func (r *room) hand(o *outgoing) {
	r.open = false
	if r.held > 0 {
		r.unsent.adjust(o.size - r.held)
		o.hasRoom = true
		r.end()
	}
}

// leave gives back what was taken for an answer that is not sent.
func (r *room) leave() {
	r.open = false
	if r.held > 0 {
		r.unsent.give(r.held)
		r.end()
	}
}

func (r *room) end() {
	r.turn.end()
	r.held = 0
}

// maxAnswer is how many bytes an answer of several parts may have. Without a limit for messages it is what gRPC's default
// on both sides of this module is.
func (l *Limits) maxAnswer() int {
	if l.MaxSendMsgSize > 0 {
		return l.MaxSendMsgSize
	}
	return pb.MaxMessageSize
}
