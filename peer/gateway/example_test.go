package gateway_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/gateway"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A gateway of a peer that is on no channel yet. pbgrpc.RegisterGatewayServer serves it.
func ExampleNew() {
	g, err := gateway.New(gateway.Config{
		MSPID:   "Org1MSP",
		Channel: func(string) *gateway.Channel { return nil },
		ACL:     acl.CheckerFunc(func(context.Context, acl.Request) error { return nil }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	_, err = g.Submit(context.Background(), &pb.SubmitRequest{
		ChannelId: "mychannel", PreparedTransaction: &pb.Envelope{Payload: []byte("transaction"), Signature: []byte("signature")},
	})
	fmt.Println(err)
	// Output: rpc error: code = FailedPrecondition desc = failed to get config for channel [mychannel]: could not get last config for channel mychannel
}
