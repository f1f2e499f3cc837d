package chaincodetest_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

func TestRevertOfUpgrade(t *testing.T) { eachBackend(t, testRevertOfUpgrade) }

// After Revert the chaincode runs that was deployed before, also if both register as the same.
func testRevertOfUpgrade(t *testing.T, option chaincodetest.Option) {
	version := func(v string) chaincodetest.Chaincode {
		return chaincodetest.Mock(func(string, []string) (any, error) {
			return v, nil
		})
	}
	for name, options := range map[string][]chaincodetest.DeployOption{"other-id": nil, "same-id": {chaincodetest.ChaincodeID("x:1")}} {
		t.Run(name, func(t *testing.T) {
			net := chaincodetest.New(t, option)
			alice := net.As("alice@Org1MSP")
			net.Deploy("x", version("v1"), options...)
			first := net.Snapshot()
			net.Deploy("x", version("v2"), options...)
			alice.Submit("x", "Version").Returns("v2")
			second := net.Snapshot()
			for range 2 {
				net.Revert(first)
				alice.Submit("x", "Version").Returns("v1")
				net.Revert(second)
				alice.Submit("x", "Version").Returns("v2")
			}
		})
	}
}

// A transaction that is running would lose its ledger.
func TestRevertWhileRunning(t *testing.T) {
	net := chaincodetest.New(t)
	before, said := net.Snapshot(), ""
	net.Deploy("cc", chaincodetest.Mock(func(string, []string) (any, error) {
		said = record(t, t.Name(), func(tb testing.TB) { net.In(tb).Revert(before) })
		return nil, nil
	}))
	net.As("alice").Evaluate("cc", "Run").OK()
	if !strings.Contains(said, "revert: transactions of the network are running") {
		t.Errorf("it says %q", said)
	}
}
