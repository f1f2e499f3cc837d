package chaincodetest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

// In a test, t is what go test gives it.
func Example() {
	test := func(t testing.TB) {
		net := chaincodetest.New(t)
		net.Deploy("basic", chaincodetest.InProcess(new(assets)))
		alice := net.As("alice@Org1MSP", "name", "alice")
		alice.Submit("basic", "Create", "a1", 5).OK().Writes("a1", asset{ID: "a1", Size: 5, Owner: "alice"})
		alice.Submit("basic", "Delete", "nope").Fails("does not exist")
	}
	check(test) // go test does that
	// Output: it passes
}

// Two transactions of one block have read the same asset: the second one is invalid.
func ExampleNet_Commit() {
	test := func(t testing.TB) {
		net, alice := newNet(t)
		alice.Submit("basic", "Create", "a1", 5).OK()
		toBob, toCarol := alice.Simulate("basic", "Transfer", "a1", "bob"), alice.Simulate("basic", "Transfer", "a1", "carol")
		net.Commit(toBob, toCarol)
		toBob.OK()
		toCarol.Fails("MVCC_READ_CONFLICT")
	}
	check(test)
	// Output: it passes
}

// check runs a test as go test does, and prints what it says.
func check(test func(testing.TB)) {
	r, done := &recorder{name: "Example"}, make(chan struct{})
	go func() {
		defer close(done)
		test(r)
	}()
	<-done
	r.end()
	if len(r.said) == 0 {
		r.said = []string{"it passes"}
	}
	fmt.Println(strings.Join(r.said, "\n"))
}
