package chaincodesupport_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// greeter is a chaincode.
type greeter struct{}

func (greeter) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }
func (greeter) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte("hello " + stub.GetStringArgs()[0]))
}

// A chaincode runs in the peer's process, and answers. It gets no state here: see ChaincodeSupport.Execute.
func Example() {
	ctx := context.Background()
	inProcess := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, greeter{})
	})
	peer, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes: chaincodesupport.OneRuntime(inProcess),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer peer.Close(ctx) //nolint:errcheck // an example

	result, err := peer.Execute(ctx, "greeter:1.0", handler.TxParams{ChannelID: "mychannel", TxID: "tx1"},
		chaincodesupport.Input{Args: [][]byte{[]byte("world")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Status, string(result.Payload))
	// Output: 200 hello world
}

// visits is a chaincode that counts its calls.
type visits struct{}

func (visits) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }
func (visits) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	value, err := stub.GetState("visits")
	if err == nil {
		value = append(value, '|')
		err = stub.PutState("visits", value)
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// Transactions run on a ledger, one after the other: each is simulated, and what it read and wrote is committed.
func ExampleChaincodeSupport_Execute() {
	ctx := context.Background()
	inProcess := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, visits{})
	})
	peer, err := chaincodesupport.New(chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(inProcess)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer peer.Close(ctx) //nolint:errcheck // an example
	state, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, txID := range []string{"tx1", "tx2"} {
		if err := transact(ctx, peer, state, txID); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// tx1: 200 "|", VALID
	// tx2: 200 "||", VALID
}

// transact runs one transaction of visits and commits it.
func transact(ctx context.Context, peer *chaincodesupport.ChaincodeSupport, state *kvledger.Ledger, txID string) error {
	simulator, err := state.NewSimulator(ctx, txID)
	if err != nil {
		return err
	}
	simulation := handler.NewSimulation(simulator)
	defer simulation.Done()
	result, err := peer.Execute(ctx, "visits:1.0",
		handler.TxParams{ChannelID: "mychannel", TxID: txID, Simulation: simulation}, chaincodesupport.Input{})
	if err == nil {
		err = result.Err() // what a chaincode has refused is not committed
	}
	if err != nil {
		return err
	}
	results, err := kvledger.ResultsOf(ctx, simulator)
	if err != nil {
		return err
	}
	code, err := state.CommitTx(ctx, kvledger.Transaction{TxID: txID, RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d %q, %s\n", txID, result.Status, result.Payload, code)
	return nil
}

// A channel's definitions say which chaincode ID a name means, and that a chaincode has to be initialized.
func ExampleChaincodeSupport_Execute_definitions() {
	inProcess := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, visits{})
	})
	peer, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes: chaincodesupport.OneRuntime(inProcess),
		Definitions: chaincodesupport.DefinitionsFunc(func(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
			return chaincodesupport.Definition{ChaincodeID: p.Namespace + ":1.0", Version: "1.0", InitRequired: true}, nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer peer.Close(ctx) //nolint:errcheck // an example
	state, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, in := range []chaincodesupport.Input{{}, {IsInit: true}} {
		simulator, err := state.NewSimulator(ctx, "tx")
		if err != nil {
			fmt.Println(err)
			return
		}
		simulation := handler.NewSimulation(simulator)
		result, err := peer.Execute(ctx, "visits", handler.TxParams{ChannelID: "mychannel", TxID: "tx", Simulation: simulation}, in)
		simulation.Done()
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("init:", result.Status)
	}
	// Output:
	// failed to execute transaction tx: invalid invocation: chaincode 'visits' has not been initialized for this version, must call as init first
	// init: 200
}

// What becomes of chaincodes can be counted, or shown, as it happens.
func ExampleLifecycleFunc() {
	inProcess := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
		return shim.StartInProc(chaincodeID, s, visits{})
	})
	peer, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes: chaincodesupport.OneRuntime(inProcess),
		Lifecycle: chaincodesupport.LifecycleFunc(func(e chaincodesupport.LifecycleEvent) {
			fmt.Println(e.ChaincodeID, e.State)
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := peer.Launch(context.Background(), "visits:1.0"); err != nil {
		fmt.Println(err)
	}
	if err := peer.Close(context.Background()); err != nil { // when it returns, everything has been told
		fmt.Println(err)
	}
	// Output:
	// visits:1.0 launching
	// visits:1.0 ready
	// visits:1.0 ending
	// visits:1.0 stopped
}
