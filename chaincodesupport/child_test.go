package chaincodesupport_test

import (
	"fmt"
	"os"
	"strconv"

	"github.com/ccpeer/ccpeer/shim"
)

// childVar makes the test binary play a chaincode.
const childVar = "CHAINCODESUPPORT_TEST_CHILD"

// playChaincode is the chaincode's main function. It returns when there is nothing more to do.
func playChaincode() {
	play := os.Getenv(childVar)
	if play == "exit" {
		fmt.Fprintln(os.Stderr, "no such database")
		os.Exit(3)
	}
	if playWithFaults(play) {
		return
	}
	fmt.Fprintln(os.Stderr, shim.Start(function(inProcessOfItsOwn)))
}

// inProcessOfItsOwn is the chaincode.
func inProcessOfItsOwn(s stub) *shim.Response {
	switch name, args := s.GetFunctionAndParameters(); name {
	case "pid":
		return shim.Success([]byte(strconv.Itoa(os.Getpid())))
	case "keep":
		return keeper(s)
	case "die":
		fmt.Fprintln(os.Stderr, "disk full")
		os.Exit(4)
		return nil
	case "hang":
		_, err := s.GetState("k")
		if err == nil {
			select {}
		}
		return shim.Error(err.Error())
	default:
		return shim.Error(fmt.Sprintf("no function %q with arguments %q", name, args))
	}
}
