package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/ccpeer/ccpeer/shim"
)

// asset is the chaincode. It has no fields: what a chaincode knows is in the ledger.
type asset struct{}

var _ shim.Chaincode = asset{}

// record is an asset as it is stored, under its ID.
type record struct {
	ID    string `json:"id"`
	Color string `json:"color"`
	Owner string `json:"owner,omitempty"`
}

// version is one entry of an asset's history.
type version struct {
	TxID      string    `json:"txId"`
	Timestamp time.Time `json:"timestamp"`
	Deleted   bool      `json:"deleted,omitempty"`
	Asset     *record   `json:"asset,omitempty"`
}

// function is one of the chaincode's functions: what it takes, and what it does. Its result is returned as JSON.
type function struct {
	usage    string
	min, max int
	run      func(stub shim.ChaincodeStubInterface, args []string) (any, error)
}

func functions() map[string]function {
	return map[string]function{
		"Create":   {"Create ID COLOR [OWNER]", 2, 3, create},
		"Read":     {"Read ID", 1, 1, read},
		"Exists":   {"Exists ID", 1, 1, exists},
		"Update":   {"Update ID COLOR", 2, 2, update},
		"Transfer": {"Transfer ID NEWOWNER", 2, 2, transfer},
		"Delete":   {"Delete ID", 1, 1, remove},
		"List":     {"List [START [END]]", 0, 2, list},
		"ByOwner":  {"ByOwner OWNER", 1, 1, byOwner},
		"History":  {"History ID", 1, 1, history},
	}
}

// Init has nothing to prepare.
func (asset) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

// Invoke runs the function that the first argument names.
func (asset) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	name, args := stub.GetFunctionAndParameters()
	f, ok := functions()[name]
	if !ok {
		return shim.Error(fmt.Sprintf("unknown function %q", name))
	}
	if len(args) < f.min || len(args) > f.max {
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

func create(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	r := &record{ID: args[0], Color: args[1]}
	if len(args) == 3 {
		r.Owner = args[2]
	}
	old, err := stub.GetState(r.ID)
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		return nil, fmt.Errorf("asset %q already exists", r.ID)
	}
	return r, put(stub, "AssetCreated", r)
}

func read(stub shim.ChaincodeStubInterface, args []string) (any, error) { return get(stub, args[0]) }

func exists(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	value, err := stub.GetState(args[0])
	return len(value) > 0, err
}

func update(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	r, err := get(stub, args[0])
	if err != nil {
		return nil, err
	}
	r.Color = args[1]
	return r, put(stub, "AssetUpdated", r)
}

func transfer(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	r, err := get(stub, args[0])
	if err != nil {
		return nil, err
	}
	if r.Owner == args[1] {
		return nil, fmt.Errorf("asset %q already belongs to %q", r.ID, r.Owner)
	}
	r.Owner = args[1]
	return r, put(stub, "AssetTransferred", r)
}

func remove(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	r, err := get(stub, args[0])
	if err != nil {
		return nil, err
	}
	if err := stub.DelState(r.ID); err != nil {
		return nil, err
	}
	return r, stub.SetEvent("AssetDeleted", []byte(r.ID))
}

// list returns the assets whose IDs are in [start, end).
func list(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	bounds := append(args, "", "")
	return records(stub.GetStateByRange(bounds[0], bounds[1]))
}

// byOwner returns the assets of an owner. The index in META-INF makes it quick, if the peer was given that.
func byOwner(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	query, err := json.Marshal(map[string]any{"selector": map[string]string{"owner": args[0]}})
	if err != nil {
		return nil, err
	}
	return records(stub.GetQueryResult(string(query)))
}

// records returns the assets that an iterator yields.
func records(it shim.StateQueryIteratorInterface, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	found := []*record{} // an empty list is [], not null
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		r, err := decode(kv.GetKey(), kv.GetValue())
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// history returns what an asset has been, newest first.
func history(stub shim.ChaincodeStubInterface, args []string) (any, error) {
	it, err := stub.GetHistoryForKey(args[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	versions := []version{}
	for it.HasNext() {
		m, err := it.Next()
		if err != nil {
			return nil, err
		}
		v := version{TxID: m.GetTxId(), Timestamp: m.GetTimestamp().AsTime(), Deleted: m.GetIsDelete()}
		if !v.Deleted {
			if v.Asset, err = decode(args[0], m.GetValue()); err != nil {
				return nil, err
			}
		}
		versions = append(versions, v)
	}
	return versions, nil
}

func get(stub shim.ChaincodeStubInterface, id string) (*record, error) {
	value, err := stub.GetState(id)
	if err != nil {
		return nil, err
	}
	if len(value) == 0 {
		return nil, fmt.Errorf("asset %q does not exist", id)
	}
	return decode(id, value)
}

func decode(id string, value []byte) (*record, error) {
	r := new(record)
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("asset %q is damaged: %w", id, err)
	}
	return r, nil
}

// put stores a record and sets the event that tells of it.
func put(stub shim.ChaincodeStubInterface, event string, r *record) error {
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := stub.PutState(r.ID, value); err != nil {
		return err
	}
	return stub.SetEvent(event, value)
}
