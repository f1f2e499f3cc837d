package chaincodetest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

func TestFaults(t *testing.T) { eachBackend(t, testFaults) }

func testFaults(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	alice.Submit("basic", "Create", "a1", 5).OK()
	remove := net.Inject(chaincodetest.Fault{Chaincode: "basic", Request: "GET_STATE", Nth: 2, Fail: "the disk is gone"})
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
	alice.Submit("basic", "Transfer", "a1", "carol").Fails("the disk is gone")
	alice.Submit("basic", "Transfer", "a1", "dave").OK()
	remove()
	net.Deploy("token", chaincodetest.InProcess(new(assets)))
	remove = net.Inject(chaincodetest.Fault{Chaincode: "token", Fail: "not this one"})
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
	alice.Submit("token", "Create", "t1", 1).Fails("not this one")
	remove()
	remove = net.Inject(chaincodetest.Fault{Lose: true})
	alice.Submit("basic", "Transfer", "a1", "bob").Fails("timeout expired while executing transaction")
	remove()
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
	remove = net.Inject(chaincodetest.Fault{Request: "PUT_STATE", Double: true})
	if c := alice.Submit("basic", "Transfer", "a1", "carol").OK().Writes("a1", asset{"a1", 5, "carol"}).Cost(); c.Requests != 3 {
		t.Errorf("with one doubled, there are %d requests", c.Requests)
	}
	remove()
	remove = net.Inject(chaincodetest.Fault{Request: "PUT_STATE", Cut: true})
	alice.Submit("basic", "Transfer", "a1", "bob").Fails("chaincode stream terminated")
	remove()
	alice.Submit("basic", "Transfer", "a1", "bob").OK()
}

// A delay takes as long as it says, by the clock of the test's bubble.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		net.Inject(chaincodetest.Fault{Request: "PUT_STATE", Delay: time.Hour})
		before := time.Now()
		alice.Submit("basic", "Transfer", "a1", "bob").OK()
		if took := time.Since(before); took != time.Hour {
			t.Errorf("it took %v", took)
		}
	})
}

func TestWrongFaults(t *testing.T) {
	for want, f := range map[string]chaincodetest.Fault{
		`chaincodetest: Inject: a commit is of an MSPID, and has no Request, Chaincode, Double and Cut`:            {Commit: true, Cut: true},
		`chaincodetest: open the ledger: the network has no organization "Org9MSP": say so with WithOrganizations`: {Commit: true, MSPID: "Org9MSP", Lose: true},
		`chaincodetest: Inject: there is no request "GET": want a type of message such as GET_STATE`:               {Request: "GET", Lose: true},
		`chaincodetest: Inject: RESPONSE is no request of chaincode: want a type of message such as GET_STATE`:     {Request: "RESPONSE", Lose: true},
		`chaincodetest: no chaincode "basic" is deployed; call net.Deploy first`:                                   {Chaincode: "basic", Lose: true},
		`chaincodetest: Inject: say what goes wrong: Fail, Delay, Lose, Double or Cut`:                             {Request: "GET_STATE"},
	} {
		if said := record(t, t.Name(), func(tb testing.TB) { chaincodetest.New(tb).Inject(f) }); said != want {
			t.Errorf("it says %q, want %q", said, want)
		}
	}
}

// A fault that has happened leaves the check of determinism on for what comes after it.
func TestUsedUpFault(t *testing.T) {
	said := record(t, t.Name(), func(tb testing.TB) {
		net, alice := newNet(tb)
		net.Inject(chaincodetest.Fault{Request: "PUT_STATE", Nth: 1, Fail: "the disk is full"})
		alice.Submit("basic", "Create", "a1", 5).Fails("the disk is full")
		alice.Submit("basic", "Count").OK()
	})
	if !strings.Contains(said, "isn't deterministic") {
		t.Errorf("it says %s", said)
	}
}

func TestFaultNeverHappens(t *testing.T) {
	said := record(t, t.Name(), func(tb testing.TB) {
		net, alice := newNet(tb)
		defer net.Inject(chaincodetest.Fault{Request: "GET_STATE", Nth: 2, Fail: "the disk is gone"})()
		alice.Submit("basic", "Create", "a1", 5).OK()
	})
	if want := "the fault never happened: GET_STATE of any chaincode, of which there were 1 (Nth is 2)\n    the last transaction that was committed is basic.Create"; !strings.HasPrefix(said, want) {
		t.Errorf("it says %q, want %q", said, want)
	}
}
