package arch_test

import (
	"os"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// TestReadme holds what the README says of shims to the table that the tests of internal/interop are held to. -update
// writes it.
func TestReadme(t *testing.T) {
	table, err := os.ReadFile("../interop/testdata/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	golden.Block(t, "../../README.md", "compatibility", string(table))
}
