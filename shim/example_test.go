package shim_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ccpeer/ccpeer/shim"
)

// counter is a chaincode with one function: it counts its calls.
type counter struct{}

func (counter) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (counter) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	value, err := stub.GetState("count")
	if err != nil {
		return shim.Error(err.Error())
	}
	value = append(value, '|')
	if err := stub.PutState("count", value); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// A chaincode's main function. The peer that starts the process tells it where to connect.
func ExampleStart() {
	if err := shim.Start(counter{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Chaincode that serves peers, until its context ends.
func ExampleServe() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // at once, for the example's sake
	err := shim.Serve(ctx, shim.ChaincodeServer{
		CCID:     "counter:1",
		Address:  "127.0.0.1:0",
		CC:       counter{},
		TLSProps: shim.TLSProperties{Disabled: true}, // on loopback only
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleCreateCompositeKey() {
	key, err := shim.CreateCompositeKey("color", []string{"blue", "a1"})
	fmt.Printf("%q %v\n", key, err)
	// Output: "\x00color\x00blue\x00a1\x00" <nil>
}
