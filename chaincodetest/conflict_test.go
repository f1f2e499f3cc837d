package chaincodetest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/shim"
)

// script does what its arguments say: an operation and a key each.
type script struct{}

func (script) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (script) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	_, args := stub.GetFunctionAndParameters()
	for _, arg := range args {
		operation, key, _ := strings.Cut(arg, " ")
		if err := operate(stub, operation, key); err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success(nil)
}

func operate(stub shim.ChaincodeStubInterface, operation, key string) error {
	var err error
	switch operation {
	case "get":
		_, err = stub.GetState(key)
	case "put":
		err = stub.PutState(key, []byte("v"))
	case "delete":
		err = stub.DelState(key)
	case "policy":
		err = stub.SetStateValidationParameter(key, []byte("policy"))
	case "range":
		it, err := stub.GetStateByRange(key, "k3")
		if err != nil {
			return err
		}
		defer func() { _ = it.Close() }()
		for it.HasNext() {
			if _, err := it.Next(); err != nil {
				return err
			}
		}
	case "get-private":
		_, err = stub.GetPrivateDataHash("secrets", key)
	case "put-private":
		err = stub.PutPrivateData("secrets", key, []byte("v"))
	case "delete-private":
		err = stub.DelPrivateData("secrets", key)
	case "policy-private":
		err = stub.SetPrivateDataValidationParameter("secrets", key, []byte("policy"))
	}
	return err
}

// Conflicts says of any two transactions what a peer says when both are in one block.
func TestConflictsAsPeersSay(t *testing.T) {
	net := chaincodetest.New(t, chaincodetest.WithoutSignatures())
	net.Deploy("cc", chaincodetest.InProcess(script{}), chaincodetest.CollectionConfigs(
		ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')"}))
	alice := net.As("alice")
	alice.Submit("cc", "Run", "put k0", "put k2", "put-private k0", "put-private k2").OK()
	random := rand.New(rand.NewPCG(1, 2))
	operations := []string{"get", "put", "delete", "policy", "range", "get-private", "put-private", "delete-private", "policy-private"}
	codes := map[kvledger.ValidationCode]int{}
	for range 400 {
		var txs [2]*chaincodetest.Tx
		var does [2][]any
		for i := range txs {
			for range 1 + random.IntN(3) {
				does[i] = append(does[i], fmt.Sprintf("%s k%d", operations[random.IntN(len(operations))], random.IntN(4)))
			}
			txs[i] = alice.Simulate("cc", "Run", does[i]...).OK()
		}
		want := kvledger.Valid
		for _, c := range net.Conflicts(txs[:]...) {
			if c.First == txs[0] && want == kvledger.Valid {
				want = c.Code
			}
		}
		start := net.Snapshot()
		net.Commit(txs[0], txs[1])
		net.Revert(start)
		txs[0].OK()
		if err := txs[1].Err(); want == kvledger.Valid != (err == nil) || err != nil && err.Error() != want.String() {
			t.Errorf("%v and then %v: Conflicts says %s, and the peer %v", does[0], does[1], want, err)
		}
		codes[want]++
	}
	if len(codes) != 3 {
		t.Errorf("there were %v", codes)
	}
}
