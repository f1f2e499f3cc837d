package runtimetest

import (
	"context"
	"io"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// errFailed is the error of a chaincode that is told to fail.
var errFailed = errors.New("no such database")

// Talk is the suite's chaincode. It registers under chaincodeID, and does what the peer says. It returns nil when the peer
// ends the stream in good order, or has told it to leave. It panics if the peer tells it to.
func Talk(s pb.Stream, chaincodeID string) error {
	id, err := proto.Marshal(&pb.ChaincodeID{Name: chaincodeID})
	if err != nil {
		return errors.Wrap(err, "encode chaincode ID")
	}
	if err := s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: id}); err != nil {
		return errors.Wrap(err, "send REGISTER")
	}
	for {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.Wrap(err, "receive")
		}
		switch string(m.Payload) {
		case "leave":
			return nil
		case "fail":
			return errFailed
		case "panic":
			panic("out of memory") //nolint:forbidigo // as it was told to
		case "call":
			if err := s.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Txid: m.Txid, Payload: []byte(chaincodeID)}); err != nil {
				return errors.Wrap(err, "send COMPLETED")
			}
		}
	}
}

// Dial opens a stream to the peer at peerAddress, in plaintext, and calls Talk on it.
func Dial(ctx context.Context, peerAddress, chaincodeID string) error {
	conn, err := grpc.NewClient("passthrough:///"+peerAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return errors.Wrap(err, "dial peer")
	}
	defer func() { _ = conn.Close() }() // its only error is that it was closed before
	s, err := pbgrpc.DialChaincodeSupport(ctx, conn)
	if err != nil {
		return errors.Wrap(err, "open stream to peer")
	}
	return Talk(s, chaincodeID)
}
