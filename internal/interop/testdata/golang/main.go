// Program golang is the chaincode of a package that its builder compiles: it keeps values.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

type chaincode struct{}

func (chaincode) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke knows PutState and GetState.
func (chaincode) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	var value []byte
	var err error
	switch {
	case name == "PutState" && len(args) == 2:
		err = stub.PutState(args[0], []byte(args[1]))
	case name == "GetState" && len(args) == 1:
		value, err = stub.GetState(args[0])
	default:
		return shim.Error("there is no call " + name)
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

func main() {
	if err := shim.Start(chaincode{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
