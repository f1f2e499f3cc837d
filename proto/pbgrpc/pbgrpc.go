// Package pbgrpc holds the gRPC services whose messages are those of package pb: the one that chaincode dials, the
// one that a peer dials, and those that client applications dial. A program that only decodes messages doesn't import it, and so doesn't link gRPC.
//
// On the wire the services have Fabric's names, such as /protos.ChaincodeSupport/Register and /gateway.Gateway/Evaluate.
package pbgrpc

import (
	"context"

	"google.golang.org/grpc"

	pb "github.com/ccpeer/ccpeer/proto"
)

// The full names of the two methods on the wire.
const (
	registerMethod = "/protos.ChaincodeSupport/Register"
	connectMethod  = "/protos.Chaincode/Connect"
)

type (
	// ChaincodeSupport_RegisterServer is the peer's end of a stream that a chaincode dialled.
	ChaincodeSupport_RegisterServer = grpc.BidiStreamingServer[pb.ChaincodeMessage, pb.ChaincodeMessage] //nolint:revive // the name that gRPC's generator gives it, as in Fabric
	// Chaincode_ConnectServer is a chaincode server's end of a stream that a peer dialled.
	Chaincode_ConnectServer = grpc.BidiStreamingServer[pb.ChaincodeMessage, pb.ChaincodeMessage] //nolint:revive // as above
)

// ChaincodeSupportServer is what a peer serves: chaincode dials it and registers.
type ChaincodeSupportServer interface {
	Register(ChaincodeSupport_RegisterServer) error
}

// ChaincodeServer is what chaincode serves if the peer dials it (chaincode as a service).
type ChaincodeServer interface {
	Connect(Chaincode_ConnectServer) error
}

var (
	chaincodeSupportDesc = grpc.ServiceDesc{
		ServiceName: "protos.ChaincodeSupport",
		HandlerType: (*ChaincodeSupportServer)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName:    "Register",
			ServerStreams: true,
			ClientStreams: true,
			Handler: func(srv any, s grpc.ServerStream) error {
				return srv.(ChaincodeSupportServer).Register(serverStream(s))
			},
		}},
		Metadata: "ccpeer/chaincode_shim.proto",
	}
	chaincodeDesc = grpc.ServiceDesc{
		ServiceName: "protos.Chaincode",
		HandlerType: (*ChaincodeServer)(nil),
		Streams: []grpc.StreamDesc{{
			StreamName:    "Connect",
			ServerStreams: true,
			ClientStreams: true,
			Handler: func(srv any, s grpc.ServerStream) error {
				return srv.(ChaincodeServer).Connect(serverStream(s))
			},
		}},
		Metadata: "ccpeer/chaincode_shim.proto",
	}
)

func serverStream(s grpc.ServerStream) *grpc.GenericServerStream[pb.ChaincodeMessage, pb.ChaincodeMessage] {
	return &grpc.GenericServerStream[pb.ChaincodeMessage, pb.ChaincodeMessage]{ServerStream: s}
}

// RegisterChaincodeSupportServer makes s serve srv under the name that every shim dials.
func RegisterChaincodeSupportServer(s grpc.ServiceRegistrar, srv ChaincodeSupportServer) {
	s.RegisterService(&chaincodeSupportDesc, srv)
}

// RegisterChaincodeServer makes s serve srv under the name that peers dial.
func RegisterChaincodeServer(s grpc.ServiceRegistrar, srv ChaincodeServer) {
	s.RegisterService(&chaincodeDesc, srv)
}

// DialChaincodeSupport opens a stream to a peer, as chaincode does. The stream ends when ctx does.
func DialChaincodeSupport(ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) (pb.ClientStream, error) {
	return dial(ctx, cc, &chaincodeSupportDesc.Streams[0], registerMethod, opts)
}

// DialChaincode opens a stream to a chaincode server, as a peer does. The stream ends when ctx does.
func DialChaincode(ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) (pb.ClientStream, error) {
	return dial(ctx, cc, &chaincodeDesc.Streams[0], connectMethod, opts)
}

func dial(ctx context.Context, cc grpc.ClientConnInterface, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (pb.ClientStream, error) {
	s, err := cc.NewStream(ctx, desc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &grpc.GenericClientStream[pb.ChaincodeMessage, pb.ChaincodeMessage]{ClientStream: s}, nil
}
