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

// panicFamily is chaincode that panics before it registers.
const panicFamily = "panic"

// child runs the chaincode of a family, and returns when it has ended.
func child(family string) int {
	err := errors.Errorf("there is no chaincode %q", family)
	switch family {
	case goFamily:
		err = startShim()
	case contractGoFamily:
		err = startContract()
	case panicFamily:
		panic("no contract")
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func startShim() error {
	chaincode, address := new(gochaincode.Chaincode), os.Getenv(serverVar)
	if address == "" {
		return shim.Start(chaincode)
	}
	props, err := tlsProperties()
	if err != nil {
		return err
	}
	server := shim.ChaincodeServer{CCID: os.Getenv("CORE_CHAINCODE_ID_NAME"), Address: address, CC: chaincode, TLSProps: props}
	return server.Start()
}

// tlsProperties are those of a server, which finds its own in the variables that are a client's, as in the contract API.
func tlsProperties() (p shim.TLSProperties, err error) {
	if os.Getenv("CORE_PEER_TLS_ENABLED") != "true" {
		return shim.TLSProperties{Disabled: true}, nil
	}
	for _, file := range []struct {
		variable string
		content  *[]byte
	}{
		{"CORE_TLS_CLIENT_KEY_FILE", &p.Key},
		{"CORE_TLS_CLIENT_CERT_FILE", &p.Cert},
		{"CORE_PEER_TLS_ROOTCERT_FILE", &p.ClientCACerts},
	} {
		if *file.content, err = os.ReadFile(os.Getenv(file.variable)); err != nil {
			return p, errors.Wrap(err, "read "+file.variable)
		}
	}
	return p, nil
}

func startContract() error {
	chaincode, err := contractchaincode.New()
	if err != nil {
		return err
	}
	return chaincode.Start()
}
