// Command market is an example chaincode that calls another one: it sells what chaincode asset keeps.
package main

import (
	"fmt"
	"os"

	"github.com/ccpeer/ccpeer/shim"
)

func main() {
	if err := shim.Start(market{}); err != nil {
		fmt.Fprintln(os.Stderr, "market:", err)
		os.Exit(1)
	}
}
