package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	pb "github.com/ccpeer/ccpeer/proto"
)

// detailType is the type of the details in errors. Our own message has another name, so that a program can have both.
const detailType = "type.googleapis.com/gateway.ErrorDetail"

// maxText is how long a text may be. A chaincode and a client may say anything, and errors travel in headers, whose size clients
// limit.
const maxText = 64 << 10

// sendable is a text that can be sent: of a limited length, and UTF-8.
func sendable(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// errorf is an error with a text.
func errorf(code codes.Code, format string, args ...any) error {
	return status.Error(code, sendable(fmt.Sprintf(format, args...)))
}

// rpcError is an error with details, which clients show.
func rpcError(code codes.Code, text string, details []*pb.ErrorDetail) error {
	text = sendable(text)
	p := status.New(code, text).Proto()
	for _, d := range details {
		b, err := proto.Marshal(d)
		if err != nil {
			return status.Error(code, text)
		}
		p.Details = append(p.Details, &anypb.Any{TypeUrl: detailType, Value: b})
	}
	return status.FromProto(p).Err()
}

func detailOf(p *plan.Peer, message string) *pb.ErrorDetail {
	return &pb.ErrorDetail{Address: p.Address, MspId: p.MSPID(), Message: sendable(message)}
}

// known is an error that has a code already, or the code of a context's end. Others are Aborted, as in Fabric.
func known(err error) error {
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return s.Err()
	}
	if s := status.FromContextError(errors.Cause(err)); s.Code() != codes.Unknown {
		return s.Err()
	}
	return errorf(codes.Aborted, "%s", err)
}

// failure is what a peer has answered instead of an endorsement.
type failure struct {
	code  codes.Code
	text  string
	retry bool // another peer may do better
}

// classify says what a peer's answer means, or nil for a success (Fabric: apiutils.go, responseStatus).
func classify(r *pb.ProposalResponse, err error) *failure {
	state := r.GetResponse().GetStatus()
	switch {
	case err != nil && r == nil: // the peer can't be reached
		return &failure{codes.Unavailable, err.Error(), true}
	case err != nil: // the peer in this process refuses the proposal
		return &failure{codes.FailedPrecondition, err.Error(), false}
	case state >= 200 && state < 400:
		return nil
	case r.GetPayload() == nil && state == 500: // the peer says so, and not the chaincode
		return &failure{codes.Aborted, r.GetResponse().GetMessage(), true}
	}
	return &failure{codes.Unknown, fmt.Sprintf("chaincode response %d, %s", state, r.GetResponse().GetMessage()), false}
}

// ask has a peer run a proposal, and endorse it.
func (g *Gateway) ask(ctx context.Context, p *plan.Peer, signed *pb.SignedProposal) (*pb.ProposalResponse, *failure) {
	return g.call(ctx, p.Endorser.ProcessProposal, signed)
}

// evaluate has a peer run a proposal.
func (g *Gateway) evaluate(ctx context.Context, p *plan.Peer, signed *pb.SignedProposal) (*pb.ProposalResponse, *failure) {
	if e, ok := p.Endorser.(plan.Evaluator); ok {
		return g.call(ctx, e.Evaluate, signed)
	}
	return g.ask(ctx, p, signed)
}

func (g *Gateway) call(
	ctx context.Context, process func(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error), signed *pb.SignedProposal,
) (*pb.ProposalResponse, *failure) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.EndorsementTimeout)
	defer cancel()
	r, err := process(ctx, signed)
	if f := classify(r, err); f != nil {
		return nil, f
	}
	return r, nil
}

// late reports whether nobody waits for a call any more. Whoever is asked has a clock of its own for the call's deadline, and may have
// given up a moment before the context says that it has ended.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}
