// Command quickstart runs a chaincode in process, on a ledger in memory, and commits what it wrote.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
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
	ledger, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	check(err)
	rt := inproc.Runtime(chaincode)
	peer, err := chaincodesupport.New(chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(rt)})
	check(err)
	for _, txID := range []string{"tx1", "tx2", "tx3"} {
		sim, err := ledger.NewSimulator(ctx, txID)
		check(err)
		simulation := handler.NewSimulation(sim)
		result, err := peer.Execute(ctx, "counter:1.0",
			handler.TxParams{ChannelID: "mychannel", TxID: txID, Simulation: simulation}, chaincodesupport.Input{})
		check(err)
		check(result.Err()) // what a chaincode has refused is not committed
		tx, err := kvledger.TransactionOf(sim, txID, time.Now())
		check(err)
		simulation.Done()
		code, err := ledger.CommitTx(ctx, tx)
		check(err)
		fmt.Printf("%s: %d %q %s\n", txID, result.Status, result.Payload, code)
	}
	check(peer.Close(ctx))
	// end
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
