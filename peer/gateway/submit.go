package gateway

import (
	"context"
	"math/rand/v2"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Submit hands a transaction to the ordering service. That it has succeeded doesn't mean that the transaction will be valid. It
// implements pbgrpc.GatewayServer.
func (g *Gateway) Submit(ctx context.Context, req *pb.SubmitRequest) (*pb.SubmitResponse, error) {
	switch {
	case req == nil:
		return nil, status.Error(codes.InvalidArgument, "a submit request is required")
	case req.GetPreparedTransaction() == nil:
		return nil, status.Error(codes.InvalidArgument, "a prepared transaction is required")
	case len(req.GetPreparedTransaction().GetSignature()) == 0:
		return nil, status.Error(codes.InvalidArgument, "prepared transaction must be signed")
	}
	orderers, err := g.orderers(ctx, req.GetChannelId())
	if err != nil {
		return nil, err
	}
	envelope, err := proto.Marshal(req.GetPreparedTransaction())
	if err != nil {
		return nil, errorf(codes.InvalidArgument, "marshal Envelope: %s", err)
	}
	s := submission{gateway: g, channelID: req.GetChannelId(), envelope: envelope}
	if orderers.BFT {
		err = s.toMost(ctx, orderers)
	} else {
		err = s.toOne(ctx, orderers.Nodes)
	}
	if err != nil {
		return nil, err
	}
	return &pb.SubmitResponse{}, nil
}

// orderers are those of a channel. There is at least one.
func (g *Gateway) orderers(ctx context.Context, channelID string) (*Orderers, error) {
	c, err := g.channel(channelID)
	var o *Orderers
	if err == nil {
		o, err = c.Orderers(ctx)
	}
	switch {
	case err != nil:
		return nil, errorf(codes.FailedPrecondition, "failed to get config for channel [%s]: %s", channelID, err)
	case o == nil:
		return nil, errorf(codes.NotFound, "failed to create block deliverer for channel `%s`, missing OrdererConfig", channelID)
	case len(o.Nodes) == 0:
		return nil, status.Error(codes.Unavailable, "no orderer nodes available")
	}
	return o, nil
}

// submission is a transaction on its way to the ordering service.
type submission struct {
	gateway   *Gateway
	channelID string
	envelope  []byte
}

// tooLate is what a client gets that waits no longer.
func tooLate() error {
	return status.Error(codes.DeadlineExceeded, "submit timeout expired while broadcasting to ordering service")
}

// toOne tries one node after the other, in any order, until one has the transaction.
func (s submission) toOne(ctx context.Context, nodes []Orderer) error {
	var details []*pb.ErrorDetail
	for _, i := range rand.Perm(len(nodes)) {
		err := s.broadcast(ctx, nodes[i])
		var refused *ordering.Error
		switch {
		case err == nil:
			return nil
		case errors.As(err, &refused) && refused.Status >= 400 && refused.Status < 500: // others would say the same
			return rpcError(codes.Aborted, refusal(refused), nil)
		case late(ctx):
			return tooLate()
		case refused == nil:
			details = append(details, nodes[i].detail(err.Error()))
		}
	}
	return rpcError(codes.Unavailable, "no orderers could successfully process transaction", details)
}

// broadcast gives the transaction to a node.
func (s submission) broadcast(ctx context.Context, node Orderer) error {
	ctx, cancel := context.WithTimeout(ctx, s.gateway.cfg.BroadcastTimeout)
	defer cancel()
	err := node.Broadcaster.Broadcast(ctx, s.envelope)
	if err != nil {
		s.gateway.cfg.Logger.Debug("an orderer doesn't take a transaction", zap.String("channel", s.channelID), zap.String("orderer", node.Address), zap.Error(err))
	}
	return err
}

func (o Orderer) detail(message string) *pb.ErrorDetail {
	return &pb.ErrorDetail{Address: o.Address, MspId: o.MSPID, Message: sendable(message)}
}

func refusal(e *ordering.Error) string {
	return "received unsuccessful response from orderer: status=" + e.Status.String() + ", info=" + e.Text
}

// toMost gives the transaction to all nodes at once, and waits until so many have it that the others can't leave it out. What is
// still on its way then goes on (Fabric: submit.go, submitBFT).
func (s submission) toMost(ctx context.Context, o *Orderers) error {
	answers := make(chan *pb.ErrorDetail, len(o.Nodes))
	for _, node := range o.Nodes {
		s.gateway.broadcasts.Go(func() {
			answer := node.detail(panicked)
			s.gateway.guard(node.Address, func() { answer = s.tell(node) })
			answers <- answer
		})
	}
	needed := quorum(max(o.Cluster, len(o.Nodes)))
	have, details := 0, []*pb.ErrorDetail(nil)
	for range o.Nodes {
		select {
		case failed := <-answers:
			if failed != nil {
				details = append(details, failed)
			} else {
				have++
			}
		case <-ctx.Done():
			return tooLate()
		}
		if have >= needed {
			return nil
		}
		if len(details) > len(o.Nodes)-needed {
			break
		}
	}
	return rpcError(codes.Unavailable, "insufficient number of orderers could successfully process transaction to satisfy quorum requirement", details)
}

// tell gives the transaction to a node that doesn't trust the others. It returns nil if the node has it.
func (s submission) tell(node Orderer) *pb.ErrorDetail {
	err := s.broadcast(s.gateway.closing, node)
	var refused *ordering.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &refused):
		return node.detail(err.Error())
	case refused.Status == ordering.ServiceUnavailable && refused.Text == "failed to submit request: request already exists":
		return nil // another node has told it
	}
	return node.detail(refusal(refused))
}

// quorum is how many of some nodes are needed, so that any two such groups have an honest node in common.
func quorum(nodes int) int {
	faulty := (nodes - 1) / 3
	return (nodes + faulty + 2) / 2 // (nodes + faulty + 1) / 2, rounded up
}
