package discovery_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccpeer/ccpeer/peer/discovery"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

var _ pbgrpc.DiscoveryServer = (*discovery.Service)(nil)

// serve has a service answer over gRPC.
func serve(t *testing.T, s *discovery.Service) *grpc.ClientConn {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pbgrpc.RegisterDiscoveryServer(server, s)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient("passthrough:peer", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// Over gRPC, what isn't a request has the code Unknown, as in Fabric, and a query that fails has no code.
func TestGRPC(t *testing.T) {
	w := newWorld(t, "Org1MSP")
	w.add("peer0.Org1MSP", "asset")
	w.define("asset", "OR('Org1MSP.peer')")
	conn := serve(t, w.service())
	r, err := pbgrpc.Call[pb.DiscoveryResponse](t.Context(), conn, pbgrpc.Discovery_Discover_FullMethodName, w.sign(config(), peersFor(), endorsers(calls("asset")), endorsers(calls("none")), local()))
	if err != nil || len(r.GetResults()) != 5 {
		t.Fatalf("%v, %v", r, err)
	}
	all := r.GetResults()
	if got := all[0].GetConfigResult().GetOrderers()["Org1MSP"].GetEndpoint()[0]; got.GetHost() != "localhost" || got.GetPort() != 7050 {
		t.Errorf("%v", got)
	}
	if got := shown(t, all[1].GetMembers().GetPeersByOrg()); got != "Org1MSP: peer0.Org1MSP" {
		t.Errorf("%s", got)
	}
	if got := described(t, all[2].GetCcQueryRes().GetContent()[0]); got != "1 G0; G0: peer0.Org1MSP" {
		t.Errorf("%s", got)
	}
	if got := all[3].GetError().GetContent(); !strings.HasPrefix(got, "failed constructing descriptor for ") {
		t.Errorf("%s", got)
	}
	if got := shown(t, all[4].GetMembers().GetPeersByOrg()); got != "Org1MSP: peer0.Org1MSP" {
		t.Errorf("%s", got)
	}
	_, err = pbgrpc.Call[pb.DiscoveryResponse](t.Context(), conn, pbgrpc.Discovery_Discover_FullMethodName, &pb.SignedDiscoveryRequest{})
	if status.Code(err) != codes.Unknown || status.Convert(err).Message() != "access denied, no authentication info in request" {
		t.Errorf("%v", err)
	}
}
