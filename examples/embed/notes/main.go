// Command notes is the chaincode of the example: it keeps notes, which all may read or which a collection keeps private.
package main

import (
	"fmt"
	"os"

	"github.com/ccpeer/ccpeer/shim"
)

// collection is where private notes are, as collections_config.json says.
const collection = "private"

type notes struct{}

var _ shim.Chaincode = notes{}

func main() {
	if err := shim.Start(notes{}); err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err)
		os.Exit(1)
	}
}

// Init has nothing to prepare.
func (notes) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

// Invoke runs the function that the first argument names.
func (notes) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	name, args := stub.GetFunctionAndParameters()
	args = append(args, "", "")
	switch name {
	case "Write":
		return answer(nil, stub.PutState(args[0], []byte(args[1])))
	case "Read":
		return answer(stub.GetState(args[0]))
	case "WritePrivate": // the note is in the transient map, which is not recorded
		transient, err := stub.GetTransient()
		if err != nil {
			return shim.Error(err.Error())
		}
		return answer(nil, stub.PutPrivateData(collection, args[0], transient["note"]))
	case "ReadPrivate":
		return answer(stub.GetPrivateData(collection, args[0]))
	case "ReadOn": // another channel
		r := stub.InvokeChaincode("notes", [][]byte{[]byte("Read"), []byte(args[1])}, args[0])
		if r.Status != shim.OK {
			return shim.Error(r.Message + string(r.Payload)) // the peer's own refusals are in the payload
		}
		return shim.Success(r.Payload)
	default:
		return shim.Error(fmt.Sprintf("unknown function %q", name))
	}
}

func answer(payload []byte, err error) *shim.Response {
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}
