package interop_test

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

	"github.com/ccpeer/ccpeer/internal/interop/gochaincode"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

// TestVocabulary checks that the Go chaincode has a call for each method of the official stub, and that each of its
// calls is made in a conversation, and each method of the ledger fails in one.
func TestVocabulary(t *testing.T) {
	calls := new(gochaincode.Chaincode).Calls()
	stub := reflect.TypeFor[shim.ChaincodeStubInterface]()
	otherwise := map[string]string{"GetFunctionAndParameters": "GetFunction", "GetSignedProposal": "GetProposal"}
	for m := range stub.Methods() {
		name := m.Name
		if otherwise[name] != "" {
			name = otherwise[name]
		}
		if !slices.Contains(calls, name) {
			t.Errorf("there is no call of %s", m.Name)
		}
	}
	for _, family := range []string{goFamily, contractGoFamily} {
		b, err := os.ReadFile("testdata/" + family + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range ledgertest.Methods() {
			outside := []ledgertest.Method{ledgertest.NewSimulator, ledgertest.Bookmark, ledgertest.Close, ledgertest.Done}
			if !slices.Contains(outside, method) && !strings.Contains(string(b), "\nfail "+string(method)+"\n") {
				t.Errorf("%s: the ledger's %s never fails", family, method)
			}
		}
		made := map[string]bool{}
		for line := range strings.Lines(string(b)) {
			for _, word := range strings.Fields(line) {
				made[word] = true
			}
		}
		for _, name := range calls {
			// The others are directed by tests.
			if !made[name] && !slices.Contains([]string{"GetMSPID", "Wait", "Signal", "Kill"}, name) {
				t.Errorf("%s: nobody calls %s", family, name)
			}
		}
	}
}
