package deliver

import (
	"context"
	"io"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// subscriber is a client's stream.
type subscriber struct {
	ctx         context.Context
	certificate []byte // the hash of the one that the client has shown, or nil
	resource    string // what it needs leave for
	recv        func() (*pb.Envelope, error)
	sendStatus  func(pb.Status) error
	send        func(encoded []byte) error // a marshalled DeliverResponse
	sendBlock   sender
	opened      opened
}

// sender sends a block in the form that a method has.
type sender func(to *subscriber, d delivery) error

// delivery is a block on its way.
type delivery struct {
	channel *Channel
	request *request
	block   *cached
	headers bool // says that the envelopes are not wanted
}

// serve answers a client's envelopes one after the other. The stream's end is met only when the next one is waited for, so a client
// that has ended its half gets what it has asked for.
func (s *Server) serve(to *subscriber) error {
	s.noteOpening(to)
	for {
		envelope, err := to.recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		status, err := s.answer(to, envelope)
		if err != nil {
			return err
		}
		if err := to.sendStatus(status); err != nil || status != pb.Status_SUCCESS {
			return err
		}
	}
}

// answer sends the blocks that an envelope asks for. It returns the status to send after them.
func (s *Server) answer(to *subscriber, envelope *pb.Envelope) (pb.Status, error) {
	r, err := s.open(to, envelope)
	if err != nil {
		return s.refuse(pb.Status_BAD_REQUEST, nil, err), nil
	}
	c := s.cfg.Channel(r.client.ChannelID)
	if c == nil {
		return s.refuse(pb.Status_NOT_FOUND, r, errors.New("the channel is not there")), nil
	}
	var seek pb.SeekInfo
	if err := proto.Unmarshal(r.seek, &seek); err != nil {
		return s.refuse(pb.Status_BAD_REQUEST, r, errors.Wrap(err, "decode SeekInfo")), nil
	}
	r.seek = nil
	var errored <-chan struct{}
	if seek.GetErrorResponse() != pb.SeekInfo_BEST_EFFORT {
		errored = c.errored()
	}
	select {
	case <-errored:
		return s.refuse(pb.Status_SERVICE_UNAVAILABLE, r, errErrored), nil
	default:
	}
	if err := s.permit(to, c, r); err != nil {
		return s.forbid(to, r, err)
	}
	if seek.GetStart() == nil || seek.GetStop() == nil {
		return s.refuse(pb.Status_BAD_REQUEST, r, errors.New("start or stop is missing")), nil
	}
	wanted, err := newSpan(to.ctx, c.Ledger, &seek, s.heightAtOpening(to, c))
	switch {
	case errors.Is(err, errNotFound):
		return s.refuse(pb.Status_NOT_FOUND, r, err), nil
	case errors.Is(err, errBackwards):
		return s.refuse(pb.Status_BAD_REQUEST, r, err), nil
	case err != nil:
		return s.unavailable(to.ctx, r, err)
	}
	ctx, cancel := untilErrored(to.ctx, errored)
	defer cancel()
	return s.sendBlocks(ctx, to, delivery{channel: c, request: r, headers: wanted.headers}, wanted)
}

// errErrored is the cause of contexts that have ended because the source of the blocks fails.
var errErrored = errors.New("the source of the blocks fails")

// untilErrored returns a context that ends when the source of the blocks fails. cancel waits until nothing runs for it.
func untilErrored(ctx context.Context, errored <-chan struct{}) (until context.Context, cancel func()) {
	if errored == nil {
		return ctx, func() {}
	}
	until, end := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-errored:
			end(errErrored)
		case <-until.Done():
		}
	}()
	return until, func() {
		end(nil)
		<-over
	}
}

// sendBlocks sends blocks, and returns the status to send after them. ctx ends with the stream, or before.
func (s *Server) sendBlocks(ctx context.Context, to *subscriber, d delivery, wanted span) (pb.Status, error) {
	c, r := d.channel, d.request
	for ; ; wanted.next++ {
		if wanted.failFast {
			height, err := c.Ledger.Height(ctx)
			if err != nil {
				return s.unavailable(ctx, r, err)
			}
			if wanted.next >= height {
				return s.refuse(pb.Status_NOT_FOUND, r, errNotFound), nil
			}
		}
		b, err := c.block(ctx, wanted.next)
		if err != nil {
			return s.unavailable(ctx, r, err)
		}
		if err := s.permit(to, c, r); err != nil {
			return s.forbid(to, r, err)
		}
		d.block = b
		if err := to.sendBlock(to, d); err != nil {
			return 0, err
		}
		if wanted.next == wanted.last {
			return pb.Status_SUCCESS, nil
		}
	}
}

// forbid is for a client that has no leave. If the ACL couldn't say because the client is gone, that is the error.
func (s *Server) forbid(to *subscriber, r *request, why error) (pb.Status, error) {
	if err := to.ctx.Err(); err != nil {
		return 0, gone(err)
	}
	return s.refuse(pb.Status_FORBIDDEN, r, why), nil
}

// unavailable is for a block that can't be had. If that is because the client is gone, it returns an error.
func (s *Server) unavailable(ctx context.Context, r *request, why error) (pb.Status, error) {
	if errors.Is(context.Cause(ctx), errErrored) {
		return s.refuse(pb.Status_SERVICE_UNAVAILABLE, r, errErrored), nil
	}
	if err := ctx.Err(); err != nil {
		return 0, gone(err)
	}
	s.failures.Log(s.cfg.Logger, zap.WarnLevel, "blocks can't be read", zap.String("channel", r.client.ChannelID), zap.Error(why))
	return pb.Status_SERVICE_UNAVAILABLE, nil
}

// gone is the error of a stream whose context has ended. The text is Fabric's.
func gone(err error) error { return errors.Wrap(err, "context finished before block retrieved") }

// refuse logs why a client gets a status. r is nil if the client's envelope can't be read.
func (s *Server) refuse(status pb.Status, r *request, why error) pb.Status {
	if entry := s.cfg.Logger.Check(zap.DebugLevel, "client is refused"); entry != nil {
		id := ""
		if r != nil {
			id = r.client.ChannelID[:min(len(r.client.ChannelID), 64)]
		}
		entry.Write(zap.Stringer("status", status), zap.String("channel", id), zap.Error(why))
	}
	return status
}
