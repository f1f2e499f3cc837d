// Command program is chaincode that runs as a process.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/ccpeer/ccpeer/shim"
)

type program struct{}

func (program) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (program) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	fmt.Println("running")
	function, args := stub.GetFunctionAndParameters()
	switch function {
	case "Crash":
		os.Exit(3)
	case "Day":
		return shim.Success([]byte(time.Now().Format(time.DateOnly)))
	}
	if err := stub.PutState(args[0], []byte(os.Getenv("CORE_PEER_LOCALMSPID"))); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

func main() {
	if err := shim.Start(program{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
