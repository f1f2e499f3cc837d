package chaincodetest_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/shim"
	"github.com/ccpeer/ccpeer/shim/cid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asset is what the chaincode of these tests keeps.
type asset struct {
	ID    string `json:"id"`
	Size  int    `json:"size"`
	Owner string `json:"owner"`
}

// assets is a chaincode. Some of its functions do what chaincode shouldn't.
type assets struct{ calls atomic.Int64 }

func (*assets) Init(shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte("initialized"))
}

func (a *assets) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	function, args := stub.GetFunctionAndParameters()
	functions := map[string]func(shim.ChaincodeStubInterface, []string) ([]byte, error){
		"Create": create, "Read": read, "Transfer": transfer, "Delete": remove, "List": list, "Now": now, "Private": private,
		"Owned": owned, "Time": timestamp, "Echo": echo, "Call": call, "Panic": crash, "Random": random,
		"Count": func(stub shim.ChaincodeStubInterface, _ []string) ([]byte, error) {
			return nil, stub.PutState("count", []byte(strconv.FormatInt(a.calls.Add(1), 10)))
		},
		"Exit": func(shim.ChaincodeStubInterface, []string) ([]byte, error) { runtime.Goexit(); return nil, nil },
	}
	f := functions[function]
	if f == nil {
		return shim.Error("there is no function " + function)
	}
	payload, err := f(stub, args)
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(payload)
}

func get(stub shim.ChaincodeStubInterface, id string) (*asset, error) {
	b, err := stub.GetState(id)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("asset %s does not exist", id)
	}
	a := new(asset)
	return a, json.Unmarshal(b, a)
}

func put(stub shim.ChaincodeStubInterface, event string, a *asset) ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	if err := stub.PutState(a.ID, b); err != nil {
		return nil, err
	}
	return b, stub.SetEvent(event, b)
}

func create(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	if old, err := stub.GetState(args[0]); err != nil || len(old) > 0 {
		return nil, fmt.Errorf("asset %s exists already: %v", args[0], err)
	}
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, err
	}
	name, _, err := cid.GetAttributeValue(stub, "name")
	if err != nil {
		return nil, err
	}
	return put(stub, "Created", &asset{ID: args[0], Size: size, Owner: name})
}

func read(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	a, err := get(stub, args[0])
	if err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

func transfer(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	a, err := get(stub, args[0])
	if err != nil {
		return nil, err
	}
	a.Owner = args[1]
	return put(stub, "Transferred", a)
}

func remove(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	if _, err := get(stub, args[0]); err != nil {
		return nil, err
	}
	return nil, stub.DelState(args[0])
}

func list(stub shim.ChaincodeStubInterface, _ []string) ([]byte, error) {
	it, err := stub.GetStateByRange("", "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = it.Close() }()
	var ids []string
	for it.HasNext() {
		kv, err := it.Next()
		if err != nil {
			return nil, err
		}
		ids = append(ids, kv.Key)
	}
	if err := stub.PutState("total", []byte(strconv.Itoa(len(ids)))); err != nil {
		return nil, err
	}
	return json.Marshal(ids)
}

func owned(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	key, err := stub.CreateCompositeKey("owner", args)
	if err != nil {
		return nil, err
	}
	return nil, stub.PutState(key, []byte{0, 1, 2, 255})
}

func private(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	transient, err := stub.GetTransient()
	if err != nil {
		return nil, err
	}
	return nil, stub.PutPrivateData("secrets", args[0], transient["price"])
}

func timestamp(stub shim.ChaincodeStubInterface, _ []string) ([]byte, error) {
	t, err := stub.GetTxTimestamp()
	if err != nil {
		return nil, err
	}
	return []byte(strconv.FormatInt(t.GetSeconds(), 10)), stub.PutState("time", []byte(t.AsTime().String()))
}

func now(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	return put(stub, "Made", &asset{ID: args[0], Size: rand.Int(), Owner: "bob"})
}

// random writes the same JSON, with its fields in an order that changes.
func random(stub shim.ChaincodeStubInterface, _ []string) ([]byte, error) {
	flip = !flip
	if flip {
		return nil, stub.PutState("k", []byte(`{"a":1,"b":2}`))
	}
	return nil, stub.PutState("k", []byte(`{"b":2,"a":1}`))
}

var flip bool

func echo(_ shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	return json.Marshal(args)
}

func call(stub shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	input := make([][]byte, 0, len(args))
	for _, a := range args[1:] {
		input = append(input, []byte(a))
	}
	r := stub.InvokeChaincode(args[0], input, "")
	if r.GetStatus() >= 400 {
		return nil, fmt.Errorf("%s said: %s", args[0], r.GetMessage())
	}
	return r.GetPayload(), nil
}

func crash(_ shim.ChaincodeStubInterface, args []string) ([]byte, error) {
	return []byte(args[7]), nil
}

// newNet returns a network with the chaincode assets, and a client whose attribute name is alice.
func newNet(t testing.TB, options ...chaincodetest.Option) (*chaincodetest.Net, *chaincodetest.Client) {
	t.Helper()
	net := chaincodetest.New(t, options...)
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.CollectionConfigs(
		ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')", MemberOnlyRead: true, MemberOnlyWrite: true}))
	return net, net.As("alice@Org1MSP", "name", "alice")
}
