package chaincodetest

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	pb "github.com/ccpeer/ccpeer/proto"
)

// doubling is a runtime whose chaincode may say things twice: see Fault.Double. Each deployment has its own, so its address tells
// deployments apart.
type doubling struct {
	runtime.Runtime
	faults *faults
}

// Run implements runtime.Runtime.
func (d *doubling) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	name, _, _ := strings.Cut(chaincodeID, ":")
	return d.Runtime.Run(ctx, chaincodeID, func(ctx context.Context, s pb.Stream) error {
		return handle(ctx, &doubledStream{Stream: s, chaincode: name, faults: d.faults})
	})
}

// doubledStream is the peer's end of a stream. One goroutine receives.
type doubledStream struct {
	pb.Stream
	chaincode string
	faults    *faults
	again     *pb.ChaincodeMessage // is received next
}

// Recv implements pb.Stream.
func (s *doubledStream) Recv() (*pb.ChaincodeMessage, error) {
	if m := s.again; m != nil {
		s.again = nil
		return m, nil
	}
	m, err := s.Stream.Recv()
	if err == nil && s.faults.doubles(m, s.chaincode) {
		s.again = proto.CloneOf(m)
	}
	return m, err
}

// doubles reports whether a message of a chaincode is to be received twice.
func (f *faults) doubles(m *pb.ChaincodeMessage, chaincode string) bool {
	return request(m.GetType()) && f.next(m.GetTxid(), chaincode, m.GetType(), true) != nil
}

// double is a gRPC interceptor. It does for chaincode that dials the peer what doubling does for other chaincode.
func (f *faults) double(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, &doubledDial{ServerStream: s, faults: f})
}

// doubledDial is the peer's end of a stream that chaincode has dialled.
type doubledDial struct {
	grpc.ServerStream
	faults    *faults
	chaincode string // known from its first message on
	again     *pb.ChaincodeMessage
}

// RecvMsg implements grpc.ServerStream.
func (s *doubledDial) RecvMsg(into any) error {
	m, ok := into.(*pb.ChaincodeMessage)
	if ok && s.again != nil {
		proto.Merge(m, s.again)
		s.again = nil
		return nil
	}
	err := s.ServerStream.RecvMsg(into)
	if err != nil || !ok {
		return err
	}
	var id pb.ChaincodeID
	switch {
	case m.GetType() == pb.ChaincodeMessage_REGISTER && proto.Unmarshal(m.GetPayload(), &id) == nil:
		s.chaincode, _, _ = strings.Cut(id.GetName(), ":")
	case s.faults.doubles(m, s.chaincode):
		s.again = proto.CloneOf(m)
	}
	return nil
}

// request says whether chaincode asks for something by a message of that type.
func request(typ pb.ChaincodeMessage_Type) bool {
	switch typ {
	case pb.ChaincodeMessage_REGISTER, pb.ChaincodeMessage_KEEPALIVE, pb.ChaincodeMessage_COMPLETED, pb.ChaincodeMessage_ERROR,
		pb.ChaincodeMessage_UNDEFINED, pb.ChaincodeMessage_REGISTERED, pb.ChaincodeMessage_INIT, pb.ChaincodeMessage_READY,
		pb.ChaincodeMessage_TRANSACTION, pb.ChaincodeMessage_RESPONSE:
		return false
	}
	return true
}
