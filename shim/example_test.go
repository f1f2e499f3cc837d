package shim_test

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/shim"
	"github.com/ccpeer/ccpeer/shim/cid"
)

// counter is a chaincode with one function: it counts its calls.
type counter struct{}

func (counter) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (counter) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	value, err := stub.GetState("count")
	if err != nil {
		return shim.Error(err.Error())
	}
	value = append(value, '|')
	if err := stub.PutState("count", value); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(value)
}

// bank is a chaincode that moves money between accounts.
type bank struct{}

func (bank) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

// Invoke takes from, to and an amount.
func (b bank) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	if err := b.transfer(stub, stub.GetStringArgs()); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

func (bank) transfer(stub shim.ChaincodeStubInterface, args []string) error {
	if len(args) != 3 {
		return errors.New("want from, to and an amount")
	}
	if err := cid.AssertAttributeValue(stub, "role", "teller"); err != nil {
		return err
	}
	amount, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	balances, err := stub.GetMultipleStates(args[0], args[1]) // one request for both
	if err != nil {
		return err
	}
	stub.StartWriteBatch() // and one for both writes, when the function has returned
	for i, change := range []int{-amount, amount} {
		balance, err := strconv.Atoi(string(balances[i]))
		if err != nil {
			return errors.Wrapf(err, "balance of %s", args[i])
		}
		if err := stub.PutState(args[i], []byte(strconv.Itoa(balance+change))); err != nil {
			return err
		}
	}
	return stub.SetEvent("transfer", []byte(args[2]))
}

// A transfer that reads two keys and writes two takes two requests, from a peer that offers it.
func ExampleChaincodeStubInterface() {
	if err := shim.Start(bank{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A chaincode's main function. The peer that starts the process tells it where to connect.
func ExampleStart() {
	if err := shim.Start(counter{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Chaincode that serves peers, until its context ends.
func ExampleServe() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // at once, for the example's sake
	err := shim.Serve(ctx, shim.ChaincodeServer{
		CCID:     "counter:1",
		Address:  "127.0.0.1:0",
		CC:       counter{},
		TLSProps: shim.TLSProperties{Disabled: true}, // on loopback only
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleCreateCompositeKey() {
	key, err := shim.CreateCompositeKey("color", []string{"blue", "a1"})
	fmt.Printf("%q %v\n", key, err)
	// Output: "\x00color\x00blue\x00a1\x00" <nil>
}
