package gateway

import (
	"context"
	"io"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/acl"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// ChaincodeEvents sends a chaincode's events to a client, until the client goes. It implements pbgrpc.GatewayServer.
func (g *Gateway) ChaincodeEvents(signed *pb.SignedChaincodeEventsRequest, stream pbgrpc.Gateway_ChaincodeEventsServer) error {
	return g.Events(stream.Context(), signed, stream.Send)
}

// Events is ChaincodeEvents without a stream. There is one response for each block that has such events. It is only read, as others
// get it, too. Events returns when ctx ends, and the error of send.
func (g *Gateway) Events(ctx context.Context, signed *pb.SignedChaincodeEventsRequest, send func(*pb.ChaincodeEventsResponse) error) error {
	if len(signed.GetRequest()) == 0 {
		return status.Error(codes.InvalidArgument, "a chaincode events request is required")
	}
	var req pb.ChaincodeEventsRequest
	if err := proto.Unmarshal(signed.GetRequest(), &req); err != nil {
		return errorf(codes.InvalidArgument, "invalid chaincode events request: %v", err)
	}
	if err := g.cfg.ACL.Check(ctx, acl.Request{
		Resource: resourceChaincodeEvents, ChannelID: req.GetChannelId(), Data: signed.GetRequest(), Identity: req.GetIdentity(), Signature: signed.GetSignature(),
	}); err != nil {
		return errorf(codes.PermissionDenied, "%s", err)
	}
	c := g.cfg.Channel(req.GetChannelId())
	if c == nil {
		return errorf(codes.NotFound, "%s", errNoChannel(req.GetChannelId()))
	}
	start, err := startOf(ctx, c.Ledger, &req)
	if err != nil {
		return err
	}
	f, err := g.follow(ctx, req.GetChannelId(), c.Ledger)
	if err != nil {
		return known(err)
	}
	defer g.feeds.leave(f)
	defer f.watch()()
	r := reader{feed: f, ledger: c.Ledger, next: start, match: match{chaincode: req.GetChaincodeId(), after: req.GetAfterTransactionId()}}
	defer r.close()
	return r.sendAll(ctx, send)
}

// startOf returns the number of the block with which events begin: that of the transaction after which they are wanted, if the
// ledger has it, and otherwise the position that was asked for.
func startOf(ctx context.Context, l Ledger, req *pb.ChaincodeEventsRequest) (uint64, error) {
	if after := req.GetAfterTransactionId(); after != "" {
		if s, ok, err := l.Status(ctx, after); err == nil && ok {
			return s.Block, nil
		}
	}
	switch seek := req.GetStartPosition().GetType().(type) {
	case nil, *pb.SeekPosition_NextCommit:
		height, err := l.Height(ctx)
		if err != nil {
			return 0, known(err)
		}
		return height, nil
	case *pb.SeekPosition_Specified:
		return seek.Specified.GetNumber(), nil
	case *pb.SeekPosition_Oldest:
		return 0, status.Error(codes.InvalidArgument, "invalid start position type: *orderer.SeekPosition_Oldest")
	default:
		return 0, status.Error(codes.InvalidArgument, "invalid start position type: *orderer.SeekPosition_Newest")
	}
}

// reader reads a chaincode's events: those that are there from the ledger, and those that are to come from the feed.
type reader struct {
	feed   *feed
	ledger Ledger
	next   uint64 // the number of the block that is read next
	blocks Blocks // from next on, if it was the ledger where the last one came from
	match  match
}

// sendAll sends events until ctx ends, or something fails.
func (r *reader) sendAll(ctx context.Context, send func(*pb.ChaincodeEventsResponse) error) error {
	for {
		response, err := r.read(ctx)
		if err != nil {
			return known(err)
		}
		if err := send(response); errors.Is(err, io.EOF) {
			return errorf(codes.Canceled, "%s", err)
		} else if err != nil {
			return err
		}
	}
}

// read returns the next events.
func (r *reader) read(ctx context.Context) (*pb.ChaincodeEventsResponse, error) {
	for {
		e, err := r.block(ctx)
		if err != nil {
			return nil, err
		}
		if e == nil || e.number < r.next { // a block to come may be wanted from a later one on
			continue
		}
		r.next = e.number + 1
		if e.err != nil {
			return nil, e.err
		}
		if response := r.match.of(e); response != nil {
			return response, nil
		}
	}
}

// block returns the events of a block. It returns nil if it has to be called again.
func (r *reader) block(ctx context.Context) (*events, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, coming, err := r.feed.look(r.next, r.match.topic())
	if err != nil || e != nil {
		r.close()
		return e, err
	}
	if coming != nil {
		r.close()
		select {
		case <-coming.there:
			return coming.block, nil
		case <-ctx.Done():
			r.feed.giveUp(coming, r.match.topic())
			return nil, ctx.Err()
		}
	}
	if r.blocks == nil {
		r.blocks = r.ledger.Blocks(r.next)
	}
	b, err := r.blocks.Next(ctx)
	if err != nil {
		return nil, err
	}
	return eventsOf(b), nil
}

// close ends reading from the ledger.
func (r *reader) close() {
	if r.blocks != nil {
		r.blocks.Close()
		r.blocks = nil
	}
}

// match says which events are wanted.
type match struct {
	chaincode string
	after     string // the transaction that is to be passed before; "" if it was
}

// topic is what is to be waited for. As long as a transaction is to be passed, it is any event.
func (m *match) topic() string {
	if m.after != "" {
		return ""
	}
	return m.chaincode
}

// of returns the events of a block that are wanted, or nil. The last event of the transaction that is to be passed isn't wanted
// itself. If that has none, nothing is ever wanted, as in Fabric.
func (m *match) of(e *events) *pb.ChaincodeEventsResponse {
	if m.after == "" {
		return e.responses[m.chaincode]
	}
	var wanted []*pb.ChaincodeEvent
	for _, event := range e.all {
		switch {
		case m.after == "":
			if event.GetChaincodeId() == m.chaincode {
				wanted = append(wanted, event)
			}
		case event.GetTxId() == m.after:
			m.after = ""
		}
	}
	if wanted == nil {
		return nil
	}
	return &pb.ChaincodeEventsResponse{Events: wanted, BlockNumber: e.number}
}
