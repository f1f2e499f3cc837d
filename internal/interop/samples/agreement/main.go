// Command agreement is a chaincode that behaves as the sample asset-transfer-private-data does, on Fabric's shim. Two organizations have
// a collection of assets together, and each has one of its own for the value that it sees in them. An organization's own data may
// only be read on its own peer.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"github.com/pkg/errors"
)

const shared = "assetCollection"

type agreement struct{}

type asset struct {
	ID    string `json:"assetID"`
	Owner string `json:"owner"`
}

func (agreement) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

func (agreement) Invoke(stub shim.ChaincodeStubInterface) *peer.Response {
	functions := map[string]func(shim.ChaincodeStubInterface, []string) ([]byte, error){
		"CreateAsset": create, "AgreeToTransfer": agree, "TransferAsset": transfer, "ReadAsset": read, "ReadValue": readValue,
	}
	function, args := stub.GetFunctionAndParameters()
	f := functions[function]
	if f == nil || len(args) != 1 {
		return shim.Error("want a function and an asset's ID")
	}
	payload, err := f(stub, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

// own returns the client's own collection. The client must be of the peer's organization.
func own(stub shim.ChaincodeStubInterface) (string, error) {
	client, err := cid.GetMSPID(stub)
	if err != nil {
		return "", err
	}
	host, err := shim.GetMSPID()
	if err != nil {
		return "", err
	}
	if client != host {
		return "", errors.Errorf("client from org %s is not authorized to read or write private data from an org %s peer", client, host)
	}
	return client + "PrivateCollection", nil
}

// create makes an asset of the client's, with the value in the transient map.
func create(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	if old, err := stub.GetPrivateData(shared, args[0]); err != nil || len(old) > 0 {
		return nil, errors.Errorf("this asset already exists: %s", args[0])
	}
	owner, err := cid.GetID(stub)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(asset{args[0], owner})
	if err != nil {
		return nil, err
	}
	if err := stub.PutPrivateData(shared, args[0], b); err != nil {
		return nil, err
	}
	return agree(stub, args)
}

// agree notes what the client's organization says that an asset is worth.
func agree(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	collection, err := own(stub)
	if err != nil {
		return nil, err
	}
	return nil, stub.PutPrivateData(collection, args[0], transient["value"])
}

// transfer gives an asset to the organization in the transient map, if both say the same value.
func transfer(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	collection, err := own(stub)
	if err != nil {
		return nil, err
	}
	mine, err := stub.GetPrivateDataHash(collection, args[0])
	if err != nil {
		return nil, err
	}
	theirs, err := stub.GetPrivateDataHash(string(transient["buyer"])+"PrivateCollection", args[0])
	if err != nil {
		return nil, err
	}
	if len(mine) == 0 || string(mine) != string(theirs) {
		return nil, errors.Errorf("hash for appraised value for owner %x does not value for seller %x", mine, theirs)
	}
	b, err := json.Marshal(asset{args[0], string(transient["buyer"])})
	if err != nil {
		return nil, err
	}
	if err := stub.PutPrivateData(shared, args[0], b); err != nil {
		return nil, err
	}
	return nil, stub.DelPrivateData(collection, args[0])
}

func read(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	return stub.GetPrivateData(shared, args[0])
}

func readValue(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	collection, err := own(stub)
	if err != nil {
		return nil, err
	}
	return stub.GetPrivateData(collection, args[0])
}

func main() {
	if err := shim.Start(agreement{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
