// Package deliver gives a channel's blocks to whoever subscribes (Fabric: common/deliver, core/peer/deliverevents.go).
//
//	channel := &deliver.Channel{Ledger: ledger}
//	s, err := deliver.New(deliver.Config{
//		Channel: func(id string) *deliver.Channel { … return channel },
//		ACL:     acl.CheckerFunc(func(ctx context.Context, r acl.Request) error { … }),
//	})
//	pbgrpc.RegisterDeliverServer(grpcServer, s)
//
// A client sends an envelope that says from where to where it wants blocks. It gets the blocks, waits for those that aren't there
// yet, and then gets a status. After SUCCESS it may ask again on the same stream. Any other status is the stream's end. When the
// client ends its half of the stream, it gets what it has asked for all the same.
//
// There are four methods over one engine: blocks, filtered blocks, blocks with private data, and what an ordering service calls
// Deliver.
//
// # Many subscribers
//
// A subscriber has no goroutine but that of its gRPC call, and no queue. It takes one block after the other, as fast as its client
// reads. Whoever waits for the same block waits together: one of them asks the ledger. A channel's last blocks are kept in the form in
// which they are sent, for all: see Channel.CacheBytes. With ServerOption, gRPC sends them from there, so that a slow client doesn't
// have a copy of its own.
package deliver

import (
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/internal/loglimit"
	"github.com/ccpeer/ccpeer/peer/acl"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// The resources that clients need leave for, as Fabric's ACLs call them.
const (
	BlockResource         = "event/Block"
	FilteredBlockResource = "event/FilteredBlock"
)

// Config says how a Server works.
type Config struct {
	// Channel returns a channel by its ID, or nil if it isn't there. It returns the same *Channel every time, unless it is another
	// channel now. It may be called concurrently. Required.
	Channel func(channelID string) *Channel
	// Channels returns all channels. A client that wants the newest block of one that has Reached, and those after it, then misses none
	// that was committed between the opening of its stream and its envelope: see Server.Deliver. Nil: it may miss some.
	Channels func() []*Channel
	// ACL decides who may have blocks. It is asked when a client asks for blocks, and again when the channel's configuration has
	// changed. Required.
	ACL acl.Checker
	// MutualTLS says that clients show certificates when they connect. Then an envelope must have the hash of its client's.
	MutualTLS bool
	// TimeWindow is how far an envelope's timestamp may be from now. Zero: 15 minutes.
	TimeWindow time.Duration
	// MaxEnvelopeBytes is how large an envelope may be, its payload and its signature. They are kept as long as the client gets blocks,
	// because the ACL may have to be asked again. Larger ones get BAD_REQUEST. Zero: 256 KiB.
	MaxEnvelopeBytes int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Logger gets what clients aren't told. Nil: nothing is logged.
	Logger *zap.Logger
}

const (
	defaultTimeWindow       = 15 * time.Minute
	defaultMaxEnvelopeBytes = 256 << 10
)

// Server serves the streams. It is safe for concurrent use, and has nothing to close: a stream ends with its context.
type Server struct {
	cfg      Config
	failures loglimit.Lines // of all who wait for a block that can't be read
}

var _ pbgrpc.DeliverServer = (*Server)(nil)

// New returns a Server.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Channel == nil, cfg.ACL == nil:
		return nil, errors.New("make deliver server: Config.Channel and ACL are required")
	case cfg.TimeWindow < 0, cfg.MaxEnvelopeBytes < 0:
		return nil, errors.Errorf("make deliver server: Config.TimeWindow is %s and MaxEnvelopeBytes %d, want nothing negative", cfg.TimeWindow, cfg.MaxEnvelopeBytes)
	}
	if cfg.TimeWindow == 0 {
		cfg.TimeWindow = defaultTimeWindow
	}
	if cfg.MaxEnvelopeBytes == 0 {
		cfg.MaxEnvelopeBytes = defaultMaxEnvelopeBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	cfg.Logger = cfg.Logger.Named("deliver")
	return &Server{cfg: cfg}, nil
}

// Deliver implements pbgrpc.DeliverServer: it sends blocks.
//
// A client often opens a stream, asks for what is to come, and has a transaction ordered, without waiting in between. Its transaction
// may overtake what it asks for. So the newest block, and the next commit, are those of the moment at which the stream was opened, if
// the stream's first envelope comes within a second and wants blocks after them. Fabric's peers mean the moment at which they read the
// envelope. But they wait longer before they cut a block.
func (s *Server) Deliver(stream pbgrpc.Deliver_DeliverServer) error {
	return s.serve(peerStream(stream, BlockResource, sendForm(whole)))
}

// DeliverFiltered implements pbgrpc.DeliverServer. It sends what blocks consist of, and the events without their payloads.
func (s *Server) DeliverFiltered(stream pbgrpc.Deliver_DeliverServer) error {
	return s.serve(peerStream(stream, FilteredBlockResource, sendForm(filtered)))
}

// DeliverWithPrivateData implements pbgrpc.DeliverServer. It sends blocks with the private data that the client may have.
func (s *Server) DeliverWithPrivateData(stream pbgrpc.Deliver_DeliverServer) error {
	return s.serve(peerStream(stream, BlockResource, sendPrivate(stream)))
}

// DeliverOrdered is Deliver of the service orderer.AtomicBroadcast. It sends the same as Deliver, for clients that ask an ordering
// service. They need leave for BlockResource, too.
func (s *Server) DeliverOrdered(stream pbgrpc.AtomicBroadcast_DeliverServer) error {
	return s.serve(&subscriber{
		ctx: stream.Context(), certificate: pbgrpc.ClientCertificateHash(stream.Context()), resource: BlockResource, recv: stream.Recv, sendBlock: sendForm(whole),
		sendStatus: func(st pb.Status) error {
			return stream.Send(&pb.OrdererDeliverResponse{Type: &pb.OrdererDeliverResponse_Status{Status: st}})
		},
		send: func(encoded []byte) error {
			m := new(pb.OrdererDeliverResponse) // on the wire it is what a DeliverResponse with a block is
			m.ProtoReflect().SetUnknown(encoded)
			return stream.Send(m)
		},
	})
}

// peerStream makes a subscriber of a peer's stream.
func peerStream(stream pbgrpc.Deliver_DeliverServer, resource string, send sender) *subscriber {
	return &subscriber{
		ctx: stream.Context(), certificate: pbgrpc.ClientCertificateHash(stream.Context()), resource: resource, recv: stream.Recv, sendBlock: send,
		sendStatus: func(st pb.Status) error {
			return stream.Send(&pb.DeliverResponse{Type: &pb.DeliverResponse_Status{Status: st}})
		},
		send: func(encoded []byte) error {
			m := new(pb.DeliverResponse)
			m.ProtoReflect().SetUnknown(encoded)
			return stream.Send(m)
		},
	}
}
