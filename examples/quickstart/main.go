// Command quickstart runs a chaincode in process, on a network in memory, and commits what it wrote.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// counter is a chaincode.
type counter struct{}

func (counter) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (counter) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	old, err := stub.GetState("count")
	if err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.PutState("count", append(old, '|')); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(old)
}

// chaincode starts a counter in this process. process.New starts one as a process of its own.
func chaincode(_ context.Context, chaincodeID string, s pb.ClientStream) error {
	return shim.StartInProc(chaincodeID, s, counter{})
}

func main() {
	// begin
	ctx := context.Background()
	network, err := peer.NewNetwork(ctx, peer.NetworkConfig{}) // an organization, a peer, a channel, an orderer, in memory
	check(err)
	check(network.Deploy(ctx, "mychannel", peer.Chaincode{Name: "counter", Runtime: inproc.Runtime(chaincode)}))
	alice, err := network.Client("alice@Org1MSP", nil)
	check(err)
	for range 3 {
		tx, err := network.Submit(ctx, alice, peer.Call{Channel: "mychannel", Chaincode: "counter"})
		check(err) // it is endorsed, ordered, and committed as valid
		fmt.Printf("block %d: %d %q\n", tx.Outcome.Block, tx.Status, tx.Payload)
	}
	check(network.Close(ctx))
	// end
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
