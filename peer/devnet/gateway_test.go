package devnet_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// submit has a client submit a transaction of hello by a peer's Gateway, and returns what became of it.
func submit(t testing.TB, conn *grpc.ClientConn, who *identity.Identity) *pb.CommitStatusResponse {
	t.Helper()
	p, err := identity.NewProposal(identity.ProposalParams{ChannelID: peer.DefaultChannel, Chaincode: "hello", Signer: who, Args: [][]byte{[]byte("hi")}})
	if err != nil {
		t.Fatal(err)
	}
	endorsed, err := pbgrpc.Call[pb.EndorseResponse](t.Context(), conn, pbgrpc.Gateway_Endorse_FullMethodName,
		&pb.EndorseRequest{TransactionId: p.TxID, ChannelId: peer.DefaultChannel, ProposedTransaction: p.Signed})
	if err != nil {
		t.Fatal(err)
	}
	envelope := endorsed.GetPreparedTransaction()
	envelope.Signature = sign(t, who, envelope.GetPayload())
	if _, err := pbgrpc.Call[pb.SubmitResponse](t.Context(), conn, pbgrpc.Gateway_Submit_FullMethodName,
		&pb.SubmitRequest{TransactionId: p.TxID, ChannelId: peer.DefaultChannel, PreparedTransaction: envelope}); err != nil {
		t.Fatal(err)
	}
	request, err := proto.Marshal(&pb.CommitStatusRequest{TransactionId: p.TxID, ChannelId: peer.DefaultChannel, Identity: who.Creator()})
	if err != nil {
		t.Fatal(err)
	}
	status, err := pbgrpc.Call[pb.CommitStatusResponse](t.Context(), conn, pbgrpc.Gateway_CommitStatus_FullMethodName,
		&pb.SignedCommitStatusRequest{Request: request, Signature: sign(t, who, request)})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func sign(t testing.TB, who *identity.Identity, message []byte) []byte {
	t.Helper()
	signature, err := who.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// An application needs one peer for everything, and what it submits is committed by all.
func TestGateway(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: twoOrganizations})
	r := start(t, n, devnet.Config{})
	for i, e := range r.Endpoints() {
		who, err := n.Client("User1@"+e.MSPID, nil)
		if err != nil {
			t.Fatal(err)
		}
		status := submit(t, dial(t, e), who)
		if status.GetResult() != pb.TxValidationCode_VALID || status.GetBlockNumber() != uint64(i+1) { //nolint:gosec // a small number
			t.Errorf("%s: %v", e.Peer, status)
		}
	}
}

// Streams of events end with the servers, and so does a call that waits for what is never committed, after its time.
func TestCloseEndsWhoWaits(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	r := start(t, n, devnet.Config{})
	conn := dial(t, r.Endpoint("Org1MSP"))
	who, err := n.Client("User1", nil)
	if err != nil {
		t.Fatal(err)
	}
	request, err := proto.Marshal(&pb.ChaincodeEventsRequest{ChannelId: peer.DefaultChannel, ChaincodeId: "hello", Identity: who.Creator()})
	if err != nil {
		t.Fatal(err)
	}
	events, err := pbgrpc.Open[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse](t.Context(), conn, pbgrpc.Gateway_ChaincodeEvents_FullMethodName)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Send(&pb.SignedChaincodeEventsRequest{Request: request, Signature: sign(t, who, request)}); err != nil {
		t.Fatal(err)
	}
	if err := events.CloseSend(); err != nil {
		t.Fatal(err)
	}
	submit(t, conn, who)
	waiting := make(chan error, 1)
	go func() {
		request, err := proto.Marshal(&pb.CommitStatusRequest{TransactionId: "never", ChannelId: peer.DefaultChannel, Identity: who.Creator()})
		if err == nil {
			signature, _ := who.Sign(request)
			_, err = pbgrpc.Call[pb.CommitStatusResponse](t.Context(), conn, pbgrpc.Gateway_CommitStatus_FullMethodName, &pb.SignedCommitStatusRequest{Request: request, Signature: signature})
		}
		waiting <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := events.Recv(); err == nil {
		t.Error("the stream of events goes on")
	}
	if err := <-waiting; err == nil {
		t.Error("a transaction that never came is committed")
	}
}
