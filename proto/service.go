package pb

import (
	"context"

	"google.golang.org/grpc"
)

// MaxMessageSize is the size in bytes that Fabric's peers and shims allow a message to have, each way.
const MaxMessageSize = 100 * 1024 * 1024

// Full names of the two methods on the wire.
const (
	RegisterMethod = "/protos.ChaincodeSupport/Register"
	ConnectMethod  = "/protos.Chaincode/Connect"
)

// Stream is one end of a chaincode's stream, of either side.
//
// As with gRPC, one goroutine may call Send while another calls Recv, but two must not call the same method at
// once. Recv returns io.EOF when the other side has closed the stream in good order. A message given to Send must not
// be modified afterwards, since what traces a gRPC stream may look at it later; one that Recv returned belongs to the
// caller.
type Stream interface {
	Send(*ChaincodeMessage) error
	Recv() (*ChaincodeMessage, error)
}

// ClientStream is the end of a Stream that was dialled: it can also say that nothing more will be sent.
type ClientStream interface {
	Stream
	CloseSend() error
}

type (
	// ChaincodeSupport_RegisterServer is the peer's end of a stream that a chaincode dialled.
	ChaincodeSupport_RegisterServer = grpc.BidiStreamingServer[ChaincodeMessage, ChaincodeMessage] //nolint:revive // the name that gRPC's generator gives it, as in Fabric
	// Chaincode_ConnectServer is a chaincode server's end of a stream that a peer dialled.
	Chaincode_ConnectServer = grpc.BidiStreamingServer[ChaincodeMessage, ChaincodeMessage] //nolint:revive // as above
)

// ChaincodeSupportServer is what a peer serves: chaincode dials it and registers.
type ChaincodeSupportServer interface {
	Register(ChaincodeSupport_RegisterServer) error
}

// ChaincodeServer is what chaincode serves when the peer is to dial it (chaincode as a service).
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

func serverStream(s grpc.ServerStream) *grpc.GenericServerStream[ChaincodeMessage, ChaincodeMessage] {
	return &grpc.GenericServerStream[ChaincodeMessage, ChaincodeMessage]{ServerStream: s}
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
func DialChaincodeSupport(ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) (ClientStream, error) {
	return dial(ctx, cc, &chaincodeSupportDesc.Streams[0], RegisterMethod, opts)
}

// DialChaincode opens a stream to a chaincode server, as a peer does. The stream ends when ctx does.
func DialChaincode(ctx context.Context, cc grpc.ClientConnInterface, opts ...grpc.CallOption) (ClientStream, error) {
	return dial(ctx, cc, &chaincodeDesc.Streams[0], ConnectMethod, opts)
}

func dial(ctx context.Context, cc grpc.ClientConnInterface, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (ClientStream, error) {
	s, err := cc.NewStream(ctx, desc, method, opts...)
	if err != nil {
		return nil, err
	}
	return &grpc.GenericClientStream[ChaincodeMessage, ChaincodeMessage]{ClientStream: s}, nil
}
