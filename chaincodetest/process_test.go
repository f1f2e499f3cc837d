package chaincodetest_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

func TestGoPackage(t *testing.T) {
	net := chaincodetest.New(t)
	net.Deploy("program", chaincodetest.GoPackage("testdata/program"))
	alice := net.As("alice")
	alice.Submit("program", "Put", "k").OK().Writes("k", "Org1MSP")
	alice.Submit("program", "Crash").Fails("chaincode stream terminated")
	alice.Submit("program", "Put", "k").OK() // it is started again
	remove := net.Inject(chaincodetest.Fault{Chaincode: "program", Request: "PUT_STATE", Double: true})
	if c := alice.Submit("program", "Put", "k").OK().Cost(); c.Requests != 2 {
		t.Errorf("with one doubled, there are %d requests", c.Requests)
	}
	remove()
}

func TestBrokenProcesses(t *testing.T) {
	for want, cc := range map[string]chaincodetest.Chaincode{
		"find the program":           chaincodetest.Command{Path: "no-such-program"},
		"testdata/failures: exit":    chaincodetest.GoPackage("testdata/failures"),
		"container exited with":      chaincodetest.Command{Path: "go", Args: []string{"version"}},
		"connection to basic:1 fail": chaincodetest.Server("127.0.0.1:1"),
	} {
		said := record(t, t.Name(), func(tb testing.TB) { chaincodetest.New(tb).Deploy("basic", cc) })
		if !strings.Contains(said, want) {
			t.Errorf("it says %q, want %q", said, want)
		}
	}
}
