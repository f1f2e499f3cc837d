// Command officialgo is an example chaincode that is written with Fabric's own shim for Go: it keeps assets whose
// prices only few may see.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

func main() {
	if err := shim.Start(assets{}); err != nil {
		fmt.Fprintln(os.Stderr, "officialgo:", err)
		os.Exit(1)
	}
}
