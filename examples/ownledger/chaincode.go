package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ccpeer/ccpeer/shim"
)

// accounts is a chaincode that keeps accounts: what is in each, under its owner's name.
type accounts struct{}

var _ shim.Chaincode = accounts{}

// Init has nothing to prepare.
func (accounts) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

// Invoke runs the function that the first argument names.
func (accounts) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	name, args := stub.GetFunctionAndParameters()
	var answer string
	var err error
	switch {
	case name == "Open" && len(args) == 2:
		err = stub.PutState(args[0], []byte(args[1]))
	case name == "Pay" && len(args) == 3:
		err = pay(stub, args[0], args[1], args[2])
	case name == "List" && len(args) == 0:
		answer, err = list(stub)
	case name == "History" && len(args) == 1:
		answer, err = changes(stub, args[0])
	default:
		err = fmt.Errorf("unknown function %q with %d arguments", name, len(args))
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success([]byte(answer))
}

func pay(stub shim.ChaincodeStubInterface, from, to, amount string) error {
	n, err := strconv.Atoi(amount)
	if err != nil || n <= 0 {
		return fmt.Errorf("cannot pay %q", amount)
	}
	var has [2]int
	for i, name := range [...]string{from, to} {
		bytes, err := stub.GetState(name)
		if err != nil {
			return err
		}
		if has[i], err = strconv.Atoi(string(bytes)); err != nil {
			return fmt.Errorf("%s has no account", name)
		}
	}
	if from == to || has[0] < n {
		return fmt.Errorf("%s, who has %d, cannot pay %d to %s", from, has[0], n, to)
	}
	if err := stub.PutState(from, []byte(strconv.Itoa(has[0]-n))); err != nil {
		return err
	}
	return stub.PutState(to, []byte(strconv.Itoa(has[1]+n)))
}

func list(stub shim.ChaincodeStubInterface) (string, error) {
	it, err := stub.GetStateByRange("", "")
	if err != nil {
		return "", err
	}
	defer func() { _ = it.Close() }()
	var all []string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return "", err
		}
		all = append(all, kv.GetKey()+" "+string(kv.GetValue()))
	}
	return strings.Join(all, ", "), nil
}

// changes returns what has been in an account, and since which transaction, the newest first.
func changes(stub shim.ChaincodeStubInterface, name string) (string, error) {
	it, err := stub.GetHistoryForKey(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = it.Close() }()
	var all []string
	for it.HasNext() {
		m, err := it.Next()
		if err != nil {
			return "", err
		}
		all = append(all, string(m.GetValue())+" since "+m.GetTxId())
	}
	return strings.Join(all, ", "), nil
}
