package gateway

import (
	"context"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/acl"
	pb "github.com/ccpeer/ccpeer/proto"
)

// CommitStatus tells what became of a transaction. It waits until the transaction is committed, or until ctx ends. It implements
// pbgrpc.GatewayServer.
func (g *Gateway) CommitStatus(ctx context.Context, signed *pb.SignedCommitStatusRequest) (*pb.CommitStatusResponse, error) {
	if len(signed.GetRequest()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "a commit status request is required")
	}
	var req pb.CommitStatusRequest
	if err := proto.Unmarshal(signed.GetRequest(), &req); err != nil {
		return nil, errorf(codes.InvalidArgument, "invalid status request: %v", err)
	}
	switch {
	case len(req.GetIdentity()) == 0:
		return nil, status.Error(codes.InvalidArgument, "no identity provided")
	case req.GetChannelId() == "":
		return nil, status.Error(codes.InvalidArgument, "no channel ID provided")
	case req.GetTransactionId() == "":
		return nil, status.Error(codes.InvalidArgument, "transaction ID should not be empty")
	}
	if err := g.cfg.ACL.Check(ctx, acl.Request{
		Resource: resourceCommitStatus, ChannelID: req.GetChannelId(), Data: signed.GetRequest(), Identity: req.GetIdentity(), Signature: signed.GetSignature(),
	}); err != nil {
		return nil, errorf(codes.PermissionDenied, "%s", err)
	}
	s, err := g.committed(ctx, req.GetChannelId(), req.GetTransactionId())
	if err != nil {
		return nil, known(err)
	}
	return &pb.CommitStatusResponse{Result: s.Code, BlockNumber: s.Block}, nil
}

// committed waits until a transaction is committed. It listens before it asks the ledger, so that it misses nothing.
func (g *Gateway) committed(ctx context.Context, channelID, txID string) (Status, error) {
	c := g.cfg.Channel(channelID)
	if c == nil {
		return Status{}, errNoChannel(channelID)
	}
	f, err := g.follow(ctx, channelID, c.Ledger)
	if err != nil {
		return Status{}, err
	}
	defer g.feeds.leave(f)
	coming, leave, err := f.wait(txID)
	if err != nil {
		return Status{}, err
	}
	defer leave()
	if s, ok, err := c.Ledger.Status(ctx, txID); err != nil || ok {
		return s, err
	}
	select {
	case s, ok := <-coming:
		if !ok {
			g.cfg.Logger.Warn("nobody can be told of commits", zap.String("channel", channelID), zap.Error(f.failed()))
			return Status{}, errEnded
		}
		return s, nil
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}
