package gateway

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Evaluate has a proposal run by one peer. Nothing is ordered. It implements pbgrpc.GatewayServer.
func (g *Gateway) Evaluate(ctx context.Context, req *pb.EvaluateRequest) (*pb.EvaluateResponse, error) {
	if req == nil {
		return nil, status.Error(codes.InvalidArgument, "an evaluate request is required")
	}
	p, err := decodeWhole(req.GetProposedTransaction())
	if err != nil {
		return nil, errorf(codes.InvalidArgument, "failed to unpack transaction proposal: %s", err)
	}
	peers, err := g.evaluators(ctx, p, req.GetTargetOrganizations())
	if err != nil {
		return nil, err
	}
	var (
		details []*pb.ErrorDetail
		last    *failure
	)
	for _, peer := range peers {
		r, failed := g.evaluate(ctx, peer, p.signed)
		if failed == nil {
			return &pb.EvaluateResponse{Result: resultOf(r)}, nil
		}
		if late(ctx) {
			return nil, status.Error(codes.DeadlineExceeded, "evaluate timeout expired")
		}
		last, details = failed, append(details, detailOf(peer, failed.text))
		if !failed.retry {
			return nil, rpcError(failed.code, "evaluate call to endorser returned error: "+failed.text, details)
		}
	}
	return nil, rpcError(last.code, "failed to evaluate transaction, see attached details for more info", details)
}

// evaluators are the peers that can evaluate a proposal, in the order in which they are asked. There is at least one. Transient data
// goes to other organizations only if the client has named them.
func (g *Gateway) evaluators(ctx context.Context, p *proposal, targets []string) ([]*plan.Peer, error) {
	all, err := g.peers(ctx, p.channelID)
	if err != nil {
		return nil, errorf(codes.Unavailable, "failed to get config for channel [%s]: %s", p.channelID, err)
	}
	protected := p.transient && len(targets) == 0
	if protected {
		targets = []string{g.cfg.MSPID}
	}
	var can []*plan.Peer
	for _, peer := range all {
		if (len(targets) == 0 || slices.Contains(targets, peer.MSPID())) && peer.Runs(p.chaincode()) {
			can = append(can, peer)
		}
	}
	if can != nil {
		return can, nil
	}
	text := ""
	if protected {
		text = "no endorsers found in the gateway's organization; retry specifying target organization(s) to protect transient data: "
	}
	return nil, errorf(codes.FailedPrecondition, "%sno peers available to evaluate chaincode %s in channel %s", text, p.chaincode(), p.channelID)
}

// peers are those of a channel, in the order in which they are preferred.
func (g *Gateway) peers(ctx context.Context, channelID string) ([]*plan.Peer, error) {
	c, err := g.channel(channelID)
	if err != nil {
		return nil, err
	}
	all, err := c.Peers(ctx)
	return plan.Sort(all, g.cfg.MSPID), err
}

// resultOf is a chaincode's answer. Its payload is taken from what was endorsed, if that can be decoded.
func resultOf(r *pb.ProposalResponse) *pb.Response {
	result := &pb.Response{Status: r.GetResponse().GetStatus(), Message: r.GetResponse().GetMessage(), Payload: r.GetResponse().GetPayload()}
	var (
		endorsed pb.ProposalResponsePayload
		action   pb.ChaincodeAction
	)
	if proto.Unmarshal(r.GetPayload(), &endorsed) == nil && proto.Unmarshal(endorsed.GetExtension(), &action) == nil {
		result.Payload = action.GetResponse().GetPayload()
	}
	return result
}
