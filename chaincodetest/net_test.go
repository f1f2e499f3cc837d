package chaincodetest_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// eachBackend runs a test on a network with all that belongs to one, and on one without signatures.
func eachBackend(t *testing.T, test func(t *testing.T, option chaincodetest.Option)) {
	t.Run("network", func(t *testing.T) { test(t, chaincodetest.WithChannels(chaincodetest.DefaultChannel)) })
	t.Run("without signatures", func(t *testing.T) { test(t, chaincodetest.WithoutSignatures()) })
}

func TestSubmit(t *testing.T) { eachBackend(t, testSubmit) }

func testSubmit(t *testing.T, option chaincodetest.Option) {
	_, alice := newNet(t, option)
	var event asset
	want := asset{ID: "a1", Size: 5, Owner: "alice"}
	alice.Submit("basic", "Create", "a1", 5).OK().Writes("a1", want).Returns(want).EventInto("Created", &event).Reads("a1")
	if event != want {
		t.Errorf("event is %v", event)
	}
	alice.Submit("basic", "Create", "a1", 5).Fails("exists already")
	alice.Submit("basic", "Transfer", "a1", "bob").Event("Transferred", chaincodetest.Fields{"owner": "bob"})
	alice.Evaluate("basic", "Read", "a1").Returns(asset{"a1", 5, "bob"}).NoEvent().WritesNothing()
	alice.Submit("basic", "Delete", "a1").OK().Deletes("a1").NoEvent()
	alice.Submit("basic", "Delete", "a1").Fails("does not exist").Status(500)
}

func TestConflict(t *testing.T) { eachBackend(t, testConflict) }

func testConflict(t *testing.T, option chaincodetest.Option) {
	net, alice := newNet(t, option)
	alice.Submit("basic", "Create", "a1", 5).OK()
	tx1, tx2 := alice.Simulate("basic", "Transfer", "a1", "bob"), alice.Simulate("basic", "Transfer", "a1", "carol")
	net.Commit(tx1, tx2)
	tx1.OK()
	tx2.Fails("MVCC_READ_CONFLICT").Code(11)
}
