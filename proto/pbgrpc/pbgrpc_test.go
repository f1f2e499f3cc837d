package pbgrpc_test

import (
	"context"
	"io"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// echo serves both services: it sends back what it receives.
type echo struct{ errs chan error }

func (e echo) Register(s pbgrpc.ChaincodeSupport_RegisterServer) error { return e.serve(s) }
func (e echo) Connect(s pbgrpc.Chaincode_ConnectServer) error          { return e.serve(s) }

func (e echo) serve(s pb.Stream) error {
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			e.errs <- err
			return err
		}
		if err := s.Send(m); err != nil {
			return err
		}
	}
}

// dial returns a connection to a server of both services, which lives as long as the test.
func dial(t *testing.T) (*grpc.ClientConn, echo) {
	listener := bufconn.Listen(1 << 16)
	server, e := grpc.NewServer(), echo{errs: make(chan error, 1)}
	pbgrpc.RegisterChaincodeSupportServer(server, e)
	pbgrpc.RegisterChaincodeServer(server, e)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///echo",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return conn, e
}

func TestServices(t *testing.T) {
	for name, open := range map[string]func(context.Context, grpc.ClientConnInterface, ...grpc.CallOption) (pb.ClientStream, error){
		"ChaincodeSupport": pbgrpc.DialChaincodeSupport,
		"Chaincode":        pbgrpc.DialChaincode,
	} {
		t.Run(name, func(t *testing.T) {
			conn, _ := dial(t)
			s, err := open(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			m := &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: []byte("x")}
			if err := s.Send(m); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Recv(); err != nil || !proto.Equal(got, m) {
				t.Errorf("got %v, %v", got, err)
			}
			if err := s.CloseSend(); err != nil {
				t.Error(err)
			}
			if _, err := s.Recv(); err != io.EOF { //nolint:errorlint // gRPC returns it as it is
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// The methods are reached under the names that Fabric's shims and peers dial, by whoever knows nothing of this package.
func TestWireNames(t *testing.T) {
	conn, _ := dial(t)
	for method, want := range map[string]codes.Code{
		"/protos.ChaincodeSupport/Register": codes.OK,
		"/protos.Chaincode/Connect":         codes.OK,
		"/ccpeer.ChaincodeSupport/Register": codes.Unimplemented,
	} {
		s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.SendMsg(&emptypb.Empty{}) // an error of the stream is what RecvMsg returns
		_ = s.CloseSend()
		if err := s.RecvMsg(&emptypb.Empty{}); status.Code(err) != want {
			t.Errorf("%s: got %v, want %s", method, err, want)
		}
		for err == nil {
			err = s.RecvMsg(&emptypb.Empty{})
		}
	}
}

// An envelope whose text is not UTF-8 is an error of Recv, which ends the stream.
func TestEnvelopeThatIsNotUTF8(t *testing.T) {
	conn, e := dial(t)
	s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/protos.ChaincodeSupport/Register")
	if err != nil {
		t.Fatal(err)
	}
	txid := wrapperspb.BytesValue{}
	txid.ProtoReflect().SetUnknown([]byte{4<<3 | 2, 1, 0xff})
	if err := s.SendMsg(&txid); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(&emptypb.Empty{}); status.Code(err) != codes.Internal {
		t.Errorf("the sender got %v", err)
	}
	if err := <-e.errs; status.Code(err) != codes.Internal {
		t.Errorf("the receiver got %v", err)
	}
}
