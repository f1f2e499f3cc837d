package chaincodetest_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/shim"
)

// policies sets the policy of a private key.
type policies struct{}

func (policies) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (policies) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	if err := stub.SetPrivateDataValidationParameter("secrets", "k", []byte("policy")); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// stale returns a simulation that is invalid once it is committed.
func stale(net *chaincodetest.Net, alice *chaincodetest.Client) *chaincodetest.Tx {
	tx := alice.Simulate("basic", "Transfer", "a1", "bob")
	alice.Submit("basic", "Transfer", "a1", "carol").OK()
	return tx
}

// What doesn't hold is not taken for right.
func TestStrict(t *testing.T) {
	for want, test := range map[string]func(*chaincodetest.Net, *chaincodetest.Client){
		"failed, and the test never asked": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			net.Commit(stale(net, alice).OK())
		},
		"want status 200, got it, but it was committed as invalid: MVCC_READ_CONFLICT": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			tx := stale(net, alice)
			net.Commit(tx)
			tx.Status(200)
		},
		"the payload of event Transferred isn't what was expected": func(_ *chaincodetest.Net, alice *chaincodetest.Client) {
			alice.Submit("basic", "Transfer", "a1", "bob").Event("Transferred", &asset{"a1", 5, "carol"})
		},
		"decode the payload of event Transferred into a *int": func(_ *chaincodetest.Net, alice *chaincodetest.Client) {
			alice.Submit("basic", "Transfer", "a1", "bob").EventInto("Transferred", new(int))
		},
		"want event Moved, got event Transferred": func(_ *chaincodetest.Net, alice *chaincodetest.Client) {
			alice.Submit("basic", "Transfer", "a1", "bob").EventInto("Moved", new(asset))
		},
		"want it to write nothing, but it writes": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			net.Deploy("policies", chaincodetest.InProcess(policies{}), chaincodetest.CollectionConfigs(
				ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')"}))
			alice.Simulate("policies", "Set").WritesNothing()
		},
		"(transaction 2) is there twice": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			tx := alice.Simulate("basic", "Transfer", "a1", "bob")
			net.Commit(tx, tx)
		},
	} {
		said := record(t, t.Name(), func(tb testing.TB) {
			net, alice := newNet(tb)
			alice.Submit("basic", "Create", "a1", 5).OK()
			test(net, alice)
		})
		if !strings.Contains(said, want) {
			t.Errorf("it says %s\nwant %s", said, want)
		}
	}
}
