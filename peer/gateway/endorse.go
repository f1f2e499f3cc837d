package gateway

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Endorse has a proposal endorsed by as many peers as its policies need, and returns the transaction for the client to sign. It
// implements pbgrpc.GatewayServer.
func (g *Gateway) Endorse(ctx context.Context, req *pb.EndorseRequest) (*pb.EndorseResponse, error) {
	if req == nil {
		return nil, status.Error(codes.InvalidArgument, "an endorse request is required")
	}
	if len(req.GetProposedTransaction().GetProposalBytes()) == 0 {
		return nil, status.Error(codes.InvalidArgument, "the proposed transaction must contain a signed proposal")
	}
	p, err := decode(req.GetProposedTransaction())
	if err != nil {
		return nil, errorf(codes.InvalidArgument, "%s", err)
	}
	c, err := g.planned(ctx, p, req.GetEndorsingOrganizations())
	if err != nil {
		return nil, err
	}
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	payload, err := block.NewPayload(p.signed, c.counted())
	if err != nil {
		return nil, errorf(codes.Aborted, "failed to assemble transaction: %s", err)
	}
	return &pb.EndorseResponse{PreparedTransaction: &pb.Envelope{Payload: payload}}, nil
}

// planned says whose endorsements are needed. If the client hasn't said so, somebody has endorsed already.
func (g *Gateway) planned(ctx context.Context, p *proposal, organizations []string) (*collection, error) {
	peers, _ := g.peers(ctx, p.channelID) // of an unknown channel there are none
	c := &collection{gateway: g, signed: p.signed, responses: map[*plan.Peer]*pb.ProposalResponse{}}
	var err error
	if len(organizations) > 0 {
		if c.plan, err = plan.ForOrganizations(plan.Transaction{Channel: p.channelID, Chaincode: p.chaincode()}, organizations, peers); err != nil {
			return nil, errorf(codes.Unavailable, "%s", err)
		}
		return c, nil
	}
	first, err := g.firstPlan(ctx, p, peers)
	if err != nil {
		return nil, err
	}
	endorser, response, err := g.first(ctx, p, first)
	if err != nil {
		return nil, err
	}
	c.keep(endorser, response)
	tx := plan.Transaction{Channel: p.channelID, Chaincode: p.chaincode(), Interest: response.GetInterest(), Transient: p.transient}
	if c.plan, err = plan.New(ctx, g.policies(p.channelID), tx, preferring(peers, endorser)); err != nil {
		return nil, errorf(codes.FailedPrecondition, "%s", err)
	}
	return c, nil
}

// firstPlan says who can endorse first: the peers of the gateway's organization, or others if there are none.
func (g *Gateway) firstPlan(ctx context.Context, p *proposal, peers []*plan.Peer) (*plan.Plan, error) {
	tx := plan.Transaction{Channel: p.channelID, Chaincode: p.chaincode()}
	if own, err := plan.ForOrganizations(tx, []string{g.cfg.MSPID}, peers); err == nil {
		return own, nil
	}
	if p.transient {
		return nil, status.Error(codes.FailedPrecondition, "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data")
	}
	others, err := plan.New(ctx, g.policies(p.channelID), tx, peers)
	if err != nil {
		return nil, errorf(codes.FailedPrecondition, "%s", err)
	}
	return others, nil
}

// first asks one peer after the other, until one has endorsed.
func (g *Gateway) first(ctx context.Context, p *proposal, can *plan.Plan) (*plan.Peer, *pb.ProposalResponse, error) {
	var (
		details []*pb.ErrorDetail
		failed  []*plan.Peer
	)
	for next, ok := can.Next(nil, nil); ok && len(next) > 0; next, ok = can.Next(nil, failed) {
		r, f := g.ask(ctx, next[0], p.signed)
		if f == nil {
			return next[0], r, nil
		}
		if late(ctx) {
			return nil, nil, status.Error(codes.DeadlineExceeded, "endorsement timeout expired while collecting first endorsement")
		}
		failed, details = append(failed, next[0]), append(details, detailOf(next[0], f.text))
	}
	return nil, nil, rpcError(codes.Aborted, "failed to endorse transaction, see attached details for more info", details)
}

// preferring moves a peer to the front.
func preferring(peers []*plan.Peer, first *plan.Peer) []*plan.Peer {
	rest := slices.DeleteFunc(slices.Clone(peers), func(p *plan.Peer) bool { return p == first })
	return append([]*plan.Peer{first}, rest...)
}

// policies are those of a channel. An unknown channel has none.
func (g *Gateway) policies(channelID string) plan.Policies {
	if c := g.cfg.Channel(channelID); c != nil {
		return c.Policies
	}
	return nowhere{}
}

// nowhere is a channel that doesn't exist.
type nowhere struct{}

// Endorsement implements plan.Policies.
func (nowhere) Endorsement(context.Context, string) (policies.Policy, error) { return nil, nil }

// Collection implements plan.Policies.
func (nowhere) Collection(context.Context, string, string) (policies.Policy, error) { return nil, nil }

// MayHave implements plan.Policies.
func (nowhere) MayHave(context.Context, string, string, *identity.Verified) (bool, error) {
	return false, nil
}
