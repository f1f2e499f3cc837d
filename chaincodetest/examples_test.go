package chaincodetest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
)

// All transactions of a block run on the same state.
func ExampleNet_Block() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		var toBob, toCarol *chaincodetest.Tx
		net.Block(func(b *chaincodetest.Block) {
			toBob = b.Submit(alice, "basic", "Transfer", "a1", "bob")
			toCarol = b.Submit(alice, "basic", "Transfer", "a1", "carol")
		})
		toBob.OK()
		toCarol.Fails("MVCC_READ_CONFLICT")
	}
	check(test)
	// Output: it passes
}

// A chaincode that isn't there is answered for by a function.
func ExampleMock() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		net.Deploy("token", chaincodetest.Mock(func(string, []string) (any, error) { return nil, errors.New("no funds") }))
		alice.Submit("basic", "Call", "token", "Pay").Fails("no funds")
	}
	check(test)
	// Output: it passes
}

// To deploy again is an upgrade.
func ExampleNet_Deploy() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.InitRequired())
		alice.Submit("basic", "Transfer", "a1", "bob").Fails("must call as init first")
		alice.AsInit().Submit("basic", "Init").OK()
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
	}
	check(test)
	// Output: it passes
}

// Each organization's peer has the private data that is the organization's.
func ExampleWithOrganizations() {
	test := func(t testing.TB) {
		net := chaincodetest.New(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
		net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.Endorsement("OR('Org1MSP.peer', 'Org2MSP.peer')"),
			chaincodetest.CollectionConfigs(ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org2MSP.member')"}))
		net.As("bob@Org2MSP").Transient("price", 7).Submit("basic", "Private", "a1").OK().WritesPrivate("secrets", "a1", 7)
		net.Of("Org2MSP").Private("basic", "secrets", "a1").Is(7)
		net.Of("Org1MSP").Private("basic", "secrets", "a1").Absent()
	}
	check(test)
	// Output: it passes
}

// The ledger goes back to what it was.
func ExampleNet_Revert() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		before := net.Snapshot()
		alice.Submit("basic", "Create", "a1", 5).OK()
		net.Revert(before)
		net.State("basic", "a1").Absent()
	}
	check(test)
	// Output: it passes
}

// Timestamps and history follow the network's clock.
func ExampleNet_SetTime() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		net.SetTime(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
		net.Advance(time.Hour)
		alice.Submit("basic", "Time").Writes("time", "2030-01-01 01:00:00 +0000 UTC")
		fmt.Println(net.History("basic", "time")[0].Time.UTC())
	}
	check(test)
	// Output:
	// 2030-01-01 01:00:00 +0000 UTC
	// it passes
}

// What the second request for a key meets is an error.
func ExampleNet_Inject() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		net.Inject(chaincodetest.Fault{Request: "GET_STATE", Nth: 2, Fail: "the disk is gone"})
		alice.Submit("basic", "Create", "a1", 5).OK()
		alice.Submit("basic", "Transfer", "a1", "bob").Fails("the disk is gone")
	}
	check(test)
	// Output: it passes
}

// A ledger can't commit for a while. A client doesn't know then what becomes of its transaction.
func ExampleNet_Inject_commit() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		remove := net.Inject(chaincodetest.Fault{Commit: true, Fail: "the disk is full"})
		tx := alice.Submit("basic", "Create", "a1", 5).Fails("may be committed or not").Fails("the disk is full")
		remove()
		tx.OK()
	}
	check(test)
	// Output: it passes
}

// Two transactions are in each other's way if each has read what the other one writes.
func ExampleNet_Conflicts() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		for _, c := range net.Conflicts(alice.Simulate("basic", "Transfer", "a1", "bob"), alice.Simulate("basic", "List")) {
			fmt.Printf("%s: %s, by %s\n", c.Second.Payload(), c.Code, c.Key)
		}
	}
	check(test)
	// Output:
	// ["a1"]: PHANTOM_READ_CONFLICT, by a1
	// it passes
}

// Calls at random find what an invariant doesn't allow, and the shortest sequence to it is printed.
func ExampleNet_Explore() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		net.Explore(chaincodetest.Exploration{
			Steps: 10,
			Calls: []chaincodetest.Call{{
				As: []*chaincodetest.Client{alice}, Chaincode: "basic", Function: "Create", Args: []chaincodetest.Arg{chaincodetest.OneOf("a1", "a2"), chaincodetest.Between(1, 9)},
			}},
			Invariants: map[string]func(*chaincodetest.Net) error{"small": func(n *chaincodetest.Net) error {
				if len(n.Query("basic", `{"selector":{"size":{"$gt":9}}}`)) > 0 {
					return errors.New("there is a large one")
				}
				return nil
			}},
		})
	}
	check(test)
	// Output: it passes
}
