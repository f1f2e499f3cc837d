package chaincodetest

import (
	"github.com/ccpeer/ccpeer/shim"
)

// Mock is a chaincode that answers by a function, for chaincode that yours calls and that isn't there. What the function returns is
// converted as arguments are, and nil is an empty answer. An error is a refusal.
//
//	net.Deploy("token", chaincodetest.Mock(func(function string, args []string) (any, error) {
//		return nil, errors.New("no funds")
//	}))
func Mock(answer func(function string, args []string) (any, error)) Chaincode {
	return InProcess(mock(answer))
}

// mock is the chaincode.
type mock func(function string, args []string) (any, error)

func (m mock) Init(stub shim.ChaincodeStubInterface) *shim.Response { return m.Invoke(stub) }

func (m mock) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	function, args := stub.GetFunctionAndParameters()
	answer, err := m(function, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	if answer == nil {
		return shim.Success(nil)
	}
	payload, err := toBytes(answer)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}
