// Command asset is an example chaincode: it keeps assets, each with a color and an owner.
package main

import (
	"fmt"
	"os"

	"github.com/ccpeer/ccpeer/shim"
)

func main() {
	if err := shim.Start(asset{}); err != nil {
		fmt.Fprintln(os.Stderr, "asset:", err)
		os.Exit(1)
	}
}
