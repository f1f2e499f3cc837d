package accesscontrol_test

import (
	"context"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// A peer whose chaincode, here this very program, runs in processes of its own and connects by mutual TLS.
func Example() {
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	auth, err := accesscontrol.New(accesscontrol.Config{}) // for chaincode on this machine
	check(err)
	program, err := os.Executable()
	check(err)
	chaincode, err := process.New(process.Config{
		Command: program, Env: []string{childVar + "=1"}, PeerAddress: listener.Addr().String(), TLS: auth,
	})
	check(err)
	peer, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes:    chaincodesupport.OneRuntime(chaincode),
		Credentials: auth.ServerCredentials(),
		Identify:    auth.Identify,
	})
	check(err)
	srv := grpc.NewServer(peer.ServerOptions()...)
	pbgrpc.RegisterChaincodeSupportServer(srv, peer)
	go func() { check(srv.Serve(listener)) }()

	ctx := context.Background()
	result, err := peer.Execute(ctx, "whoami:1", handler.TxParams{ChannelID: "mychannel", TxID: "tx1"}, chaincodesupport.Input{})
	check(err)
	fmt.Println(result.Status)
	check(peer.Close(ctx))
	srv.Stop()
	// Output: 200
}
