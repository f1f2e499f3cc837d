package chaincodetest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodetest"
)

func TestCost(t *testing.T) {
	_, alice := newNet(t, chaincodetest.WithCosts("testdata/costs.json"))
	tx := alice.Submit("basic", "Create", "a1", 5).OK()
	if c := tx.Cost(); c.Requests != 2 || c.Reads != 1 || c.Writes != 1 || c.RWSetBytes == 0 || c.MessageBytes == 0 {
		t.Errorf("it costs %+v", c)
	}
	alice.Submit("basic", "Create", "a2", 5).OK()
	if c := alice.Submit("basic", "List").OK().Cost(); c.Ranges != 1 || c.Results != 2 {
		t.Errorf("a list costs %+v", c)
	}
	alice.Transient("price", 7).Submit("basic", "Private", "a1").OK()
}

// A transaction that costs more than the file says fails its test.
func TestCostChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "costs.json")
	const known = `{"TestX": {"basic.Create": {"requests": 1, "reads": 1, "writes": 1, "messageBytes": 231, "rwsetBytes": 77}, "basic.Read": {"requests": 1}}}`
	if err := os.WriteFile(file, []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	said := record(t, "TestX", func(tb testing.TB) {
		_, alice := newNet(tb, chaincodetest.WithCosts(file))
		alice.Submit("basic", "Create", "a1", 5).OK()
		alice.Submit("basic", "List").OK()
	})
	for _, want := range []string{"basic.Create:\n", ".requests: want 1, got 2", "basic.Read: it is in the file, but has not run", "basic.List: it is not in the file"} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %s\nwant %s", said, want)
		}
	}
}
