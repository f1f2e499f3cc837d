//go:build unix

package attach_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// A peer that waits for chaincode, here this very program, which connects by mutual TLS when a user starts it.
func Example() {
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
		}
	}
	home, err := os.MkdirTemp("", "")
	check(err)
	defer func() { check(os.RemoveAll(home)) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	auth, err := accesscontrol.New(accesscontrol.Config{}) // for chaincode on this machine
	check(err)
	chaincode, err := attach.New(attach.Config{
		ChaincodeID: "asset:1", PeerAddress: listener.Addr().String(), TLS: auth, Dir: filepath.Join(home, "asset-dev"),
	})
	check(err)
	peer, err := chaincodesupport.New(chaincodesupport.Config{
		DevMode:     true, // the chaincode may come before it is called
		Runtimes:    chaincodesupport.OneRuntime(chaincode),
		Credentials: auth.ServerCredentials(),
		Identify:    auth.Identify,
	})
	check(err)
	srv := grpc.NewServer(peer.ServerOptions()...)
	pbgrpc.RegisterChaincodeSupportServer(srv, peer)
	go func() { check(srv.Serve(listener)) }()

	// What the user says in a shell.
	program, err := os.Executable()
	check(err)
	shell := exec.Command("/bin/sh", "-c", `. "$0"; exec "$1" -peer.address "$CORE_PEER_ADDRESS"`, chaincode.EnvFile(), program)
	shell.Env = []string{childVar + "=chaincode"}
	check(shell.Start())

	ctx := context.Background()
	result, err := peer.Execute(ctx, "asset:1", handler.TxParams{ChannelID: "mychannel", TxID: "tx1"}, chaincodesupport.Input{})
	check(err)
	fmt.Println(result.Status)
	check(peer.Close(ctx))
	check(chaincode.Close())
	srv.Stop()
	fmt.Println(shell.Wait()) // as it is without its peer
	// Output:
	// 200
	// exit status 1
}
