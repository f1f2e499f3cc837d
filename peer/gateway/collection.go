package gateway

import (
	"bytes"
	"context"
	"slices"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	pb "github.com/ccpeer/ccpeer/proto"
)

// collection collects endorsements until there are enough. One goroutine owns it.
type collection struct {
	gateway   *Gateway
	plan      *plan.Plan
	signed    *pb.SignedProposal
	endorsed  []*plan.Peer // in the order in which they have answered
	responses map[*plan.Peer]*pb.ProposalResponse
	pending   []*plan.Peer
	failed    []*plan.Peer
	details   []*pb.ErrorDetail
}

// answer is what a peer has answered.
type answer struct {
	peer     *plan.Peer
	response *pb.ProposalResponse
	failed   *failure
}

func (c *collection) keep(p *plan.Peer, r *pb.ProposalResponse) {
	c.endorsed, c.responses[p] = append(c.endorsed, p), r
}

// run asks peers in parallel, and others for those that fail. It returns when it waits for nobody any more.
func (c *collection) run(ctx context.Context) error {
	answers := make(chan answer, len(c.plan.Peers())) // nobody is asked twice
	for possible := true; ; {
		var next []*plan.Peer
		if possible {
			next, possible = c.plan.Next(slices.Concat(c.endorsed, c.pending), c.failed)
		}
		if late(ctx) && len(next) > 0 {
			next, possible = nil, false
		}
		c.ask(ctx, next, answers)
		if len(c.pending) == 0 {
			return c.outcome(ctx, possible)
		}
		c.take(<-answers)
	}
}

// outcome is nil if the endorsements are enough.
func (c *collection) outcome(ctx context.Context, enough bool) error {
	switch {
	case enough:
		return nil
	case late(ctx):
		return status.Error(codes.DeadlineExceeded, "endorsement timeout expired while collecting endorsements")
	}
	return rpcError(codes.Aborted, "failed to collect enough transaction endorsements, see attached details for more info", c.details)
}

func (c *collection) ask(ctx context.Context, peers []*plan.Peer, answers chan<- answer) {
	c.pending = append(c.pending, peers...)
	for _, p := range peers {
		go func() { // run waits for its answer
			a := answer{peer: p, failed: &failure{codes.Internal, panicked, true}}
			c.gateway.guard(p.Address, func() { a.response, a.failed = c.gateway.ask(ctx, p, c.signed) })
			answers <- a
		}()
	}
}

// take looks at an answer. It must be what the first one has endorsed.
func (c *collection) take(a answer) {
	c.pending = slices.DeleteFunc(c.pending, func(p *plan.Peer) bool { return p == a.peer })
	text := ""
	switch {
	case a.failed != nil:
		text = a.failed.text
	case len(c.endorsed) > 0 && !bytes.Equal(a.response.GetPayload(), c.responses[c.endorsed[0]].GetPayload()):
		text = "ProposalResponsePayloads do not match"
		c.gateway.cfg.Logger.Warn(text, zap.String("first", c.endorsed[0].Address), zap.String("other", a.peer.Address))
	default:
		c.keep(a.peer, a.response)
		return
	}
	c.failed, c.details = append(c.failed, a.peer), append(c.details, detailOf(a.peer, text))
}

// counted are the responses that belong into the transaction: the first one, and the others in the plan's order.
func (c *collection) counted() []*pb.ProposalResponse {
	sorted := slices.Clone(c.endorsed)
	slices.SortFunc(sorted, func(a, b *plan.Peer) int {
		return slices.Index(c.plan.Peers(), a) - slices.Index(c.plan.Peers(), b)
	})
	var responses []*pb.ProposalResponse
	for _, p := range c.plan.Counts(sorted) {
		responses = append(responses, c.responses[p])
	}
	return responses
}
