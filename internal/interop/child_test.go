package interop_test

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/interop/contractchaincode"
	"github.com/ccpeer/ccpeer/internal/interop/gochaincode"
)

// childVar makes the test binary a chaincode: the one of the family that it names.
const childVar = "INTEROP_TEST_CHILD"

// serverVar makes a chaincode a server at that address. The contract API knows it by itself.
const serverVar = "CHAINCODE_SERVER_ADDRESS"

// child runs the chaincode of a family, and returns when it has ended.
func child(family string) int {
	err := errors.Errorf("there is no chaincode %q", family)
	switch family {
	case goFamily:
		err = startShim()
	case contractGoFamily:
		err = startContract()
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func startShim() error {
	chaincode, address := new(gochaincode.Chaincode), os.Getenv(serverVar)
	if address == "" {
		return shim.Start(chaincode)
	}
	server := shim.ChaincodeServer{
		CCID: os.Getenv("CORE_CHAINCODE_ID_NAME"), Address: address, CC: chaincode, TLSProps: shim.TLSProperties{Disabled: true},
	}
	return server.Start()
}

func startContract() error {
	chaincode, err := contractchaincode.New()
	if err != nil {
		return err
	}
	return chaincode.Start()
}
