package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
)

const (
	// prices is the collection of private data that has the assets' prices, under their IDs.
	prices = "prices"
	// priceField is where a price is in the transient map, which is not recorded with the transaction.
	priceField = "price"
	// ownerType begins the composite keys by which an owner's assets are found: owner, asset. Nothing is under them
	// but a byte, as a key without a value is absent.
	ownerType = "owner"
)

// assets is the chaincode.
type assets struct{}

var _ shim.Chaincode = assets{}

// asset is an asset as it is stored, under its ID.
type asset struct {
	ID    string `json:"id"`
	Color string `json:"color"`
	Owner string `json:"owner"`
}

// function is one of the chaincode's functions: what it takes, and what it does. Its result is returned as JSON.
type function struct {
	usage string
	args  int
	run   func(stub shim.ChaincodeStubInterface, args []string) (any, error)
}

func functions() map[string]function {
	return map[string]function{
		"Create":     {"Create ID COLOR OWNER, with the price in the transient map", 3, create},
		"Read":       {"Read ID", 1, read},
		"Transfer":   {"Transfer ID NEWOWNER", 2, transfer},
		"ListOf":     {"ListOf OWNER", 1, listOf},
		"Price":      {"Price ID", 1, price},
		"CheckPrice": {"CheckPrice ID, with the price in the transient map", 1, checkPrice},
	}
}

// Init has nothing to prepare.
func (assets) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke runs the function that the first argument names.
func (assets) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	name, args := stub.GetFunctionAndParameters()
	f, ok := functions()[name]
	if !ok {
		return shim.Error(fmt.Sprintf("unknown function %q", name))
	}
	if len(args) != f.args {
		return shim.Error("usage: " + f.usage)
	}
	result, err := f.run(stub, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	payload, err := json.Marshal(result)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

// create stores an asset, and its price as private data: what is recorded of that for all to see is its hash.
func create(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	a := &asset{ID: args[0], Color: args[1], Owner: args[2]}
	price, err := givenPrice(stub)
	if err != nil {
		return nil, err
	}
	old, err := stub.GetState(a.ID)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		return nil, fmt.Errorf("asset %q already exists", a.ID)
	}
	if err := stub.PutPrivateData(prices, a.ID, price); err != nil {
		return nil, err
	}
	return a, put(stub, "AssetCreated", a)
}

func read(stub shim.ChaincodeStubInterface, args []string) (any, error) { return get(stub, args[0]) }

// transfer changes an asset's owner, and under which owner it is found.
func transfer(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	a, err := get(stub, args[0])
	if err != nil {
		return nil, err
	}
	if a.Owner == args[1] {
		return nil, fmt.Errorf("asset %q already belongs to %q", a.ID, a.Owner)
	}
	key, err := stub.CreateCompositeKey(ownerType, []string{a.Owner, a.ID})
	if err != nil {
		return nil, err
	}
	if err := stub.DelState(key); err != nil {
		return nil, err
	}
	a.Owner = args[1]
	return a, put(stub, "AssetTransferred", a)
}

// listOf returns the IDs of an owner's assets.
func listOf(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	it, err := stub.GetStateByPartialCompositeKey(ownerType, args)
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	ids := []string{} // an empty list is [], not null
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		_, attributes, err := stub.SplitCompositeKey(kv.GetKey())
		if err != nil {
			return nil, err
		}
		ids = append(ids, attributes[1])
	}
	return ids, nil
}

// price returns an asset's price, which a peer has that may see the collection.
func price(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	price, err := stub.GetPrivateData(prices, args[0])
	if err != nil {
		return nil, err
	}
	if len(price) == 0 {
		return nil, fmt.Errorf("asset %q has no price", args[0])
	}
	return string(price), nil
}

// checkPrice says whether an asset has the price that the caller knows. Every peer can tell, by the hash.
func checkPrice(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	price, err := givenPrice(stub)
	if err != nil {
		return nil, err
	}
	want, err := stub.GetPrivateDataHash(prices, args[0])
	if err != nil {
		return nil, err
	}
	got := sha256.Sum256(price)
	return bytes.Equal(got[:], want), nil
}

// givenPrice returns the price that the caller has given besides the arguments.
func givenPrice(stub shim.ChaincodeStubInterface) ([]byte, error) {
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	if len(transient[priceField]) == 0 {
		return nil, fmt.Errorf("no %s in the transient map", priceField)
	}
	return transient[priceField], nil
}

func get(stub shim.ChaincodeStubInterface, id string) (*asset, error) {
	value, err := stub.GetState(id)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("asset %q does not exist", id)
	}
	a := new(asset)
	if err := json.Unmarshal(value, a); err != nil {
		return nil, fmt.Errorf("asset %q is damaged: %w", id, err)
	}
	return a, nil
}

// put stores an asset and its entry under its owner, and sets the event that tells of it.
func put(stub shim.ChaincodeStubInterface, event string, a *asset) error {
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := stub.PutState(a.ID, value); err != nil {
		return err
	}
	key, err := stub.CreateCompositeKey(ownerType, []string{a.Owner, a.ID})
	if err != nil {
		return err
	}
	if err := stub.PutState(key, []byte{0}); err != nil {
		return err
	}
	return stub.SetEvent(event, value)
}
