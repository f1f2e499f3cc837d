package gateway_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccpeer/ccpeer/peer/gateway"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// serve returns a connection to a server of a gateway. Both live as long as the test, and the gateway longer than its calls.
func serve(t testing.TB, g *gateway.Gateway) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pbgrpc.RegisterGatewayServer(server, g)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///gateway",
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
	return conn
}

// The way of a transaction, as a client sees it.
func TestOverGRPC(t *testing.T) {
	w := newWorld(t)
	w.order(accepts)
	conn, ctx := serve(t, w.gateway(t)), t.Context()
	evaluated, err := pbgrpc.Call[pb.EvaluateResponse](ctx, conn, pbgrpc.Gateway_Evaluate_FullMethodName,
		&pb.EvaluateRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	if err != nil || string(evaluated.GetResult().GetPayload()) != "done" {
		t.Fatalf("%v, %v", evaluated, err)
	}
	stream := openEvents(ctx, t, conn, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }))
	endorsed, err := pbgrpc.Call[pb.EndorseResponse](ctx, conn, pbgrpc.Gateway_Endorse_FullMethodName,
		&pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	if err != nil {
		t.Fatal(err)
	}
	tx := endorsed.GetPreparedTransaction()
	tx.Signature = []byte("alice's")
	if _, err := pbgrpc.Call[pb.SubmitResponse](ctx, conn, pbgrpc.Gateway_Submit_FullMethodName, &pb.SubmitRequest{ChannelId: "mychannel", PreparedTransaction: tx}); err != nil {
		t.Fatal(err)
	}
	w.ledger.commit(event("tx asset Created"))
	s, err := pbgrpc.Call[pb.CommitStatusResponse](ctx, conn, pbgrpc.Gateway_CommitStatus_FullMethodName, statusRequest("mychannel", "tx"))
	if err != nil || s.GetResult() != pb.TxValidationCode_VALID {
		t.Errorf("%v, %v", s, err)
	}
	r, err := stream.Recv()
	if err != nil || r.GetEvents()[0].GetEventName() != "Created" || r.GetBlockNumber() != 0 {
		t.Errorf("%v, %v", r, err)
	}
}

// openEvents asks for events, as clients do.
func openEvents(ctx context.Context, t testing.TB, conn *grpc.ClientConn, req *pb.SignedChaincodeEventsRequest) grpc.BidiStreamingClient[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse] {
	t.Helper()
	stream, err := pbgrpc.Open[pb.SignedChaincodeEventsRequest, pb.ChaincodeEventsResponse](ctx, conn, pbgrpc.Gateway_ChaincodeEvents_FullMethodName)
	if err == nil {
		err = stream.Send(req)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// The details of an error come over the wire under the name by which every client knows them.
func TestDetailsOverGRPC(t *testing.T) {
	w := newWorld(t)
	w.play(says(500, "no", []byte("payload")), "1a", "1b")
	conn := serve(t, w.gateway(t))
	_, err := pbgrpc.Call[pb.EndorseResponse](t.Context(), conn, pbgrpc.Gateway_Endorse_FullMethodName,
		&pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	want := "Aborted: failed to endorse transaction, see attached details for more info; 1b of Org1MSP: chaincode response 500, no; 1a of Org1MSP: chaincode response 500, no"
	if got := said(t, err); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	stream := openEvents(t.Context(), t, conn, &pb.SignedChaincodeEventsRequest{})
	if _, err := stream.Recv(); said(t, err) != "InvalidArgument: a chaincode events request is required" {
		t.Error(err)
	}
}

// 100 clients submit and wait, while others read events. Everybody gets everything.
func TestManyClients(t *testing.T) {
	const clients, rounds, readers = 100, 5, 20
	w := newWorld(t)
	w.policies["asset"] = parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer')")
	var n node
	n.answer = func(context.Context) error { return nil }
	w.orderers = &gateway.Orderers{Nodes: []gateway.Orderer{{Broadcaster: &n}}}
	conn := serve(t, w.gateway(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var reading, submitting sync.WaitGroup
	for range readers {
		stream := openEvents(ctx, t, conn, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }))
		reading.Go(func() {
			seen, next := 0, uint64(0)
			for seen < clients*rounds {
				r, err := stream.Recv()
				if err != nil || r.GetBlockNumber() < next {
					t.Errorf("after %d events: %v, %v", seen, r, err)
					return
				}
				seen, next = seen+len(r.GetEvents()), r.GetBlockNumber()+1
			}
		})
	}
	for c := range clients {
		submitting.Go(func() {
			for i := range rounds {
				if err := submitOnce(ctx, t, w, conn, fmt.Sprintf("tx-%d-%d", c, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	submitting.Wait()
	reading.Wait()
	cancel()
	if len(n.got) != clients*rounds {
		t.Errorf("%d were ordered", len(n.got))
	}
}

// submitOnce is what a client does for a transaction. Whoever has it ordered commits it a little later.
func submitOnce(ctx context.Context, t testing.TB, w *world, conn *grpc.ClientConn, txID string) error {
	endorsed, err := pbgrpc.Call[pb.EndorseResponse](ctx, conn, pbgrpc.Gateway_Endorse_FullMethodName,
		&pb.EndorseRequest{ProposedTransaction: w.proposal(t, "asset", "mychannel", nil)})
	if err != nil {
		return err
	}
	tx := endorsed.GetPreparedTransaction()
	tx.Signature = []byte("alice's")
	if _, err := pbgrpc.Call[pb.SubmitResponse](ctx, conn, pbgrpc.Gateway_Submit_FullMethodName, &pb.SubmitRequest{ChannelId: "mychannel", PreparedTransaction: tx}); err != nil {
		return err
	}
	committed := make(chan struct{})
	go func() { defer close(committed); w.ledger.commit(event(txID + " asset Created")) }()
	s, err := pbgrpc.Call[pb.CommitStatusResponse](ctx, conn, pbgrpc.Gateway_CommitStatus_FullMethodName, statusRequest("mychannel", txID))
	<-committed
	if err == nil && s.GetResult() != pb.TxValidationCode_VALID {
		return status.Error(codes.Internal, s.String())
	}
	return err
}

// A client that goes leaves nothing behind.
func TestClientGoes(t *testing.T) {
	w := newWorld(t)
	conn := serve(t, w.gateway(t))
	ctx, cancel := context.WithCancel(t.Context())
	stream := openEvents(ctx, t, conn, eventsRequest(func(r *pb.ChaincodeEventsRequest) { r.StartPosition = from(0) }))
	w.ledger.commit(event("tx asset Created"))
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := stream.Recv(); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
	w.ledger.closed(t)
}
