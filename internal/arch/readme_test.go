package arch_test

import (
	"os"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// TestReadme holds what the README says of shims and clients to the tables that the tests of internal/interop and
// internal/realfabric are held to. -update writes it.
func TestReadme(t *testing.T) {
	for name, file := range map[string]string{
		"compatibility": "../interop/testdata/compatibility.md",
		"clients":       "../realfabric/clients/testdata/compatibility.md",
	} {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden.Block(t, "../../README.md", name, string(table))
	}
}
