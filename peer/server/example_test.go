package server_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ccpeer/ccpeer/peer/server"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// A server of somebody's own endorser, and a client of it.
func Example() {
	ctx := context.Background()
	s, err := server.New(server.Config{Services: server.Services{Endorser: endorser(echo)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()

	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := pbgrpc.Call[pb.ProposalResponse](ctx, conn, pbgrpc.Endorser_ProcessProposal_FullMethodName, &pb.SignedProposal{ProposalBytes: []byte("hello")})
	fmt.Println(string(r.GetPayload()), err)
	fmt.Println(conn.Close(), s.Close(ctx), <-served)
	// Output:
	// hello <nil>
	// <nil> <nil> <nil>
}
