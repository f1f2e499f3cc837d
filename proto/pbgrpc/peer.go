package pbgrpc

import (
	"context"

	"google.golang.org/grpc"

	pb "github.com/ccpeer/ccpeer/proto"
)

type (
	// Gateway_ChaincodeEventsServer is the server's end of a stream of events.
	Gateway_ChaincodeEventsServer = grpc.ServerStreamingServer[pb.ChaincodeEventsResponse] //nolint:revive // the name that gRPC's generator gives it, as in Fabric
	// Deliver_DeliverServer is a peer's end of a stream of blocks, of all three methods.
	Deliver_DeliverServer = grpc.BidiStreamingServer[pb.Envelope, pb.DeliverResponse] //nolint:revive // as above
	// AtomicBroadcast_BroadcastServer is an ordering service's end of a stream of envelopes.
	AtomicBroadcast_BroadcastServer = grpc.BidiStreamingServer[pb.Envelope, pb.BroadcastResponse] //nolint:revive // as above
	// AtomicBroadcast_DeliverServer is an ordering service's end of a stream of blocks.
	AtomicBroadcast_DeliverServer = grpc.BidiStreamingServer[pb.Envelope, pb.OrdererDeliverResponse] //nolint:revive // as above
)

// GatewayServer is Fabric's Gateway, to which client applications talk.
type GatewayServer interface {
	Evaluate(context.Context, *pb.EvaluateRequest) (*pb.EvaluateResponse, error)
	Endorse(context.Context, *pb.EndorseRequest) (*pb.EndorseResponse, error)
	Submit(context.Context, *pb.SubmitRequest) (*pb.SubmitResponse, error)
	CommitStatus(context.Context, *pb.SignedCommitStatusRequest) (*pb.CommitStatusResponse, error)
	ChaincodeEvents(*pb.SignedChaincodeEventsRequest, Gateway_ChaincodeEventsServer) error
}

// DeliverServer gives clients the blocks that a peer has committed.
type DeliverServer interface {
	Deliver(Deliver_DeliverServer) error
	DeliverFiltered(Deliver_DeliverServer) error
	DeliverWithPrivateData(Deliver_DeliverServer) error
}

// EndorserServer runs proposals.
type EndorserServer interface {
	ProcessProposal(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error)
}

// AtomicBroadcastServer is an ordering service.
type AtomicBroadcastServer interface {
	Broadcast(AtomicBroadcast_BroadcastServer) error
	Deliver(AtomicBroadcast_DeliverServer) error
}

// DiscoveryServer tells clients about the network.
type DiscoveryServer interface {
	Discover(context.Context, *pb.SignedDiscoveryRequest) (*pb.DiscoveryResponse, error)
}

// The full names of methods on the wire.
const (
	Gateway_Evaluate_FullMethodName               = "/gateway.Gateway/Evaluate"              //nolint:revive // the name that gRPC's generator gives it, as in Fabric
	Gateway_Endorse_FullMethodName                = "/gateway.Gateway/Endorse"               //nolint:revive // as above
	Gateway_Submit_FullMethodName                 = "/gateway.Gateway/Submit"                //nolint:revive // as above
	Gateway_CommitStatus_FullMethodName           = "/gateway.Gateway/CommitStatus"          //nolint:revive // as above
	Gateway_ChaincodeEvents_FullMethodName        = "/gateway.Gateway/ChaincodeEvents"       //nolint:revive // as above
	Deliver_Deliver_FullMethodName                = "/protos.Deliver/Deliver"                //nolint:revive // as above
	Deliver_DeliverFiltered_FullMethodName        = "/protos.Deliver/DeliverFiltered"        //nolint:revive // as above
	Deliver_DeliverWithPrivateData_FullMethodName = "/protos.Deliver/DeliverWithPrivateData" //nolint:revive // as above
	Endorser_ProcessProposal_FullMethodName       = "/protos.Endorser/ProcessProposal"       //nolint:revive // as above
	AtomicBroadcast_Broadcast_FullMethodName      = "/orderer.AtomicBroadcast/Broadcast"     //nolint:revive // as above
	AtomicBroadcast_Deliver_FullMethodName        = "/orderer.AtomicBroadcast/Deliver"       //nolint:revive // as above
	Discovery_Discover_FullMethodName             = "/discovery.Discovery/Discover"          //nolint:revive // as above
)

var (
	gatewayDesc = grpc.ServiceDesc{
		ServiceName: "gateway.Gateway",
		HandlerType: (*GatewayServer)(nil),
		Methods: []grpc.MethodDesc{
			unary("Evaluate", Gateway_Evaluate_FullMethodName, GatewayServer.Evaluate),
			unary("Endorse", Gateway_Endorse_FullMethodName, GatewayServer.Endorse),
			unary("Submit", Gateway_Submit_FullMethodName, GatewayServer.Submit),
			unary("CommitStatus", Gateway_CommitStatus_FullMethodName, GatewayServer.CommitStatus),
		},
		Streams: []grpc.StreamDesc{{
			StreamName: "ChaincodeEvents", ServerStreams: true,
			Handler: func(srv any, s grpc.ServerStream) error {
				in := new(pb.SignedChaincodeEventsRequest)
				if err := s.RecvMsg(in); err != nil {
					return err
				}
				return srv.(GatewayServer).ChaincodeEvents(in, &grpc.GenericServerStream[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse]{ServerStream: s})
			},
		}},
		Metadata: "ccpeer/gateway.proto",
	}
	deliverDesc = grpc.ServiceDesc{
		ServiceName: "protos.Deliver",
		HandlerType: (*DeliverServer)(nil),
		Streams: []grpc.StreamDesc{
			bidi("Deliver", DeliverServer.Deliver),
			bidi("DeliverFiltered", DeliverServer.DeliverFiltered),
			bidi("DeliverWithPrivateData", DeliverServer.DeliverWithPrivateData),
		},
		Metadata: "ccpeer/deliver.proto",
	}
	endorserDesc = grpc.ServiceDesc{
		ServiceName: "protos.Endorser",
		HandlerType: (*EndorserServer)(nil),
		Methods:     []grpc.MethodDesc{unary("ProcessProposal", Endorser_ProcessProposal_FullMethodName, EndorserServer.ProcessProposal)},
		Metadata:    "ccpeer/proposal.proto",
	}
	atomicBroadcastDesc = grpc.ServiceDesc{
		ServiceName: "orderer.AtomicBroadcast",
		HandlerType: (*AtomicBroadcastServer)(nil),
		Streams: []grpc.StreamDesc{
			bidi("Broadcast", AtomicBroadcastServer.Broadcast),
			bidi("Deliver", AtomicBroadcastServer.Deliver),
		},
		Metadata: "ccpeer/deliver.proto",
	}
	discoveryDesc = grpc.ServiceDesc{
		ServiceName: "discovery.Discovery",
		HandlerType: (*DiscoveryServer)(nil),
		Methods:     []grpc.MethodDesc{unary("Discover", Discovery_Discover_FullMethodName, DiscoveryServer.Discover)},
		Metadata:    "ccpeer/discovery.proto",
	}
)

// unary describes a method with one request and one answer.
func unary[S, In, Out any](name, fullMethod string, call func(S, context.Context, *In) (*Out, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := decode(in); err != nil {
			return nil, err
		}
		if around == nil {
			return call(srv.(S), ctx, in)
		}
		return around(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: fullMethod}, func(ctx context.Context, in any) (any, error) {
			return call(srv.(S), ctx, in.(*In))
		})
	}}
}

// bidi describes a method of which both sides are streams.
func bidi[S, In, Out any](name string, call func(S, grpc.BidiStreamingServer[In, Out]) error) grpc.StreamDesc {
	return grpc.StreamDesc{StreamName: name, ServerStreams: true, ClientStreams: true, Handler: func(srv any, s grpc.ServerStream) error {
		return call(srv.(S), &grpc.GenericServerStream[In, Out]{ServerStream: s})
	}}
}

// RegisterGatewayServer makes s serve srv under Fabric's name, as those below do.
func RegisterGatewayServer(s grpc.ServiceRegistrar, srv GatewayServer) {
	s.RegisterService(&gatewayDesc, srv)
}

// RegisterDeliverServer registers a DeliverServer.
func RegisterDeliverServer(s grpc.ServiceRegistrar, srv DeliverServer) {
	s.RegisterService(&deliverDesc, srv)
}

// RegisterEndorserServer registers an EndorserServer.
func RegisterEndorserServer(s grpc.ServiceRegistrar, srv EndorserServer) {
	s.RegisterService(&endorserDesc, srv)
}

// RegisterAtomicBroadcastServer registers an AtomicBroadcastServer.
func RegisterAtomicBroadcastServer(s grpc.ServiceRegistrar, srv AtomicBroadcastServer) {
	s.RegisterService(&atomicBroadcastDesc, srv)
}

// RegisterDiscoveryServer registers a DiscoveryServer.
func RegisterDiscoveryServer(s grpc.ServiceRegistrar, srv DiscoveryServer) {
	s.RegisterService(&discoveryDesc, srv)
}

// Call calls a method with one answer, such as Gateway_Evaluate_FullMethodName.
func Call[Out, In any](ctx context.Context, cc grpc.ClientConnInterface, fullMethod string, in *In, opts ...grpc.CallOption) (*Out, error) {
	out := new(Out)
	if err := cc.Invoke(ctx, fullMethod, in, out, opts...); err != nil {
		return nil, err
	}
	return out, nil
}

// Open opens a stream by a method such as Deliver_Deliver_FullMethodName. The stream ends when ctx does.
func Open[In, Out any](ctx context.Context, cc grpc.ClientConnInterface, fullMethod string, opts ...grpc.CallOption) (grpc.BidiStreamingClient[In, Out], error) {
	s, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, fullMethod, opts...)
	if err != nil {
		return nil, err
	}
	return &grpc.GenericClientStream[In, Out]{ClientStream: s}, nil
}
