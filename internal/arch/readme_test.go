package arch_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/transcript"
)

// TestReadme holds what the README says of shims to the table that the tests of internal/interop are held to. -update
// writes it.
func TestReadme(t *testing.T) {
	const (
		readme = "../../README.md"
		source = "../interop/testdata/compatibility.md"
		begin  = "<!-- compatibility: from internal/interop/testdata/compatibility.md -->\n"
		end    = "<!-- end of compatibility -->\n"
	)
	page, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(page), begin)
	got, after, ends := strings.Cut(rest, end)
	switch {
	case !begins || !ends:
		t.Fatalf("%s has no lines %q and %q", readme, begin, end)
	case got == string(table):
	case transcript.Update():
		if err := os.WriteFile(readme, []byte(before+begin+string(table)+end+after), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not have the table of %s; -update writes it", readme, source)
	}
}
