// Package broadcast takes the envelopes of clients for an ordering service (Fabric: orderer/common/broadcast).
//
//	b, err := broadcast.New(broadcast.Config{Service: orderer})
//	err = b.Broadcast(stream) // in the method Broadcast of a pbgrpc.AtomicBroadcastServer
//
// A client's envelopes are ordered one after the other. Each gets an answer before the next one is read, so a client that sends faster
// than blocks are cut waits, and nothing piles up. After the first envelope that is refused the stream ends, and what the client has
// sent after it is not looked at.
package broadcast

import (
	"context"
	"io"
	"strings"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// Service is what orders. An ordering.Service is one.
type Service interface {
	// Broadcast has an envelope ordered, a marshalled Envelope, which it only reads. Its error is an *ordering.Error if it refuses
	// the envelope. Any other error tells the client to try elsewhere. If ctx ends, so does Broadcast.
	Broadcast(ctx context.Context, envelope []byte) error
}

// Config says how a Server works.
type Config struct {
	// Service orders the envelopes. Required.
	Service Service
	// Logger gets the refusals, at level Debug. Nil: nothing is logged.
	Logger *zap.Logger
}

// Server serves the streams. It is safe for concurrent use, and has nothing to close: a stream ends with its context.
type Server struct{ cfg Config }

// New returns a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Service == nil {
		return nil, errors.New("make broadcast server: Config.Service is required")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.Named("broadcast")
	return &Server{cfg: cfg}, nil
}

// Broadcast is the method of that name of the service orderer.AtomicBroadcast. It returns when the stream has ended.
func (s *Server) Broadcast(stream pbgrpc.AtomicBroadcast_BroadcastServer) error {
	for {
		envelope, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := s.Process(stream.Context(), envelope)
		if err != nil {
			return err
		}
		if err := stream.Send(answer); err != nil || answer.GetStatus() != pb.Status_SUCCESS {
			return err
		}
	}
}

// Process has one envelope ordered, and returns what its client is told. It returns an error only if ctx has ended, and then it is
// open whether the envelope is ordered.
func (s *Server) Process(ctx context.Context, envelope *pb.Envelope) (*pb.BroadcastResponse, error) {
	b, err := proto.Marshal(envelope)
	if err == nil {
		err = s.cfg.Service.Broadcast(ctx, b)
	} else {
		err = &ordering.Error{Status: ordering.BadRequest, Text: err.Error()}
	}
	var refused *ordering.Error
	switch {
	case err == nil:
		return &pb.BroadcastResponse{Status: pb.Status_SUCCESS}, nil
	case errors.As(err, &refused):
	case ctx.Err() != nil:
		return nil, errors.Wrap(ctx.Err(), "wait for ordering service")
	default:
		refused = &ordering.Error{Status: ordering.ServiceUnavailable, Text: err.Error()}
	}
	if entry := s.cfg.Logger.Check(zap.DebugLevel, "envelope is refused"); entry != nil {
		entry.Write(zap.Stringer("status", refused.Status), zap.String("info", refused.Text[:min(len(refused.Text), 500)]))
	}
	return &pb.BroadcastResponse{Status: pb.Status(refused.Status), Info: sendable(refused.Text)}, nil
}

// maxInfo is how many bytes of a reason a client gets.
const maxInfo = 64 << 10

// sendable returns as much of a text as a client should get, in UTF-8.
func sendable(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxInfo)], "\uFFFD")
}
