package chaincodetest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// A commit that fails leaves the transaction open, until the peer can commit it. Peers try again after a while, which takes no time in a
// bubble.
func TestCommitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		remove := net.Inject(chaincodetest.Fault{Commit: true, Fail: "the disk is full"})
		tx := alice.Submit("basic", "Transfer", "a1", "bob").Fails("may be committed or not: peer0.Org1MSP can't commit block").Fails("the disk is full")
		if said := tx.String(); !strings.Contains(said, "not committed, as far as is known") {
			t.Errorf("it says %s", said)
		}
		later := alice.Submit("basic", "Transfer", "a1", "carol").Fails("tries again")
		alice.Evaluate("basic", "Read", "a1").Returns(asset{"a1", 5, "alice"})
		remove()
		tx.OK()
		net.State("basic", "a1").Is(asset{"a1", 5, "bob"})
		later.Fails("tries again")
		alice.Submit("basic", "Transfer", "a1", "dave").OK()
	})
}

// So does one that hangs.
func TestCommitHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, alice := newNet(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
		alice.Submit("basic", "Create", "a1", 5).OK()
		remove := net.Inject(chaincodetest.Fault{Commit: true, MSPID: "Org2MSP", Lose: true})
		tx := alice.Submit("basic", "Transfer", "a1", "bob").Fails("may be committed or not: context deadline exceeded")
		remove()
		tx.OK()
		net.Of("Org2MSP").State("basic", "a1").Is(asset{"a1", 5, "bob"})
		before := time.Now()
		net.Inject(chaincodetest.Fault{Commit: true, MSPID: "Org1MSP", Nth: 1, Delay: time.Hour})
		alice.Submit("basic", "Transfer", "a1", "carol").OK()
		if took := time.Since(before); took != time.Hour {
			t.Errorf("it took %v", took)
		}
		net.Inject(chaincodetest.Fault{Commit: true, Lose: true}) // it ends with the test
		_ = alice.Submit("basic", "Transfer", "a1", "bob").Err()
		_ = alice.Submit("basic", "Transfer", "a1", "bob").Err()
	})
}

// Without signatures there is no block that could be committed later.
func TestCommitFailsUnsigned(t *testing.T) {
	net, alice := newNet(t, chaincodetest.WithoutSignatures())
	alice.Submit("basic", "Create", "a1", 5).OK()
	for text, f := range map[string]chaincodetest.Fault{
		"the disk is full": {Commit: true, Fail: "the disk is full"}, "deadline exceeded": {Commit: true, Nth: 1, Lose: true},
	} {
		remove := net.Inject(f)
		tx := alice.Submit("basic", "Transfer", "a1", "bob").Fails(text)
		remove()
		tx.Fails(text)
		net.State("basic", "a1").Is(asset{"a1", 5, "alice"})
		alice.Submit("basic", "Transfer", "a1", "alice").OK()
	}
}

func TestCommitFaultNeverHappens(t *testing.T) {
	said := record(t, t.Name(), func(tb testing.TB) {
		net, _ := newNet(tb)
		net.Inject(chaincodetest.Fault{Commit: true, Nth: 2, Fail: "x"})
	})
	if said != "the fault never happened: commit of a block, of which there were 0 (Nth is 2)" {
		t.Errorf("it says %s", said)
	}
}
