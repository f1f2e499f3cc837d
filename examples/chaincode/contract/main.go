// Command contract is an example chaincode that is written with Fabric's contract API for Go: it keeps assets that
// belong to clients.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"
)

func main() {
	chaincode, err := contractapi.NewChaincode(new(Assets))
	if err == nil {
		err = chaincode.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "contract:", err)
		os.Exit(1)
	}
}
