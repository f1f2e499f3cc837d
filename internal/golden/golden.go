// Package golden holds files of the repository to what the code says. With the flag -update of go test they are written
// instead.
package golden

import (
	"flag"
	"os"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Update reports whether golden files are to be written instead of compared.
func Update() bool { return *update }

// Block fails the test unless a block of a file is what it should be. With the flag -update it writes the block instead. A
// block stands between two lines, of which the first may say where it is from:
//
//	<!-- NAME: made from … -->
//	<!-- end of NAME -->
func Block(t testing.TB, file, name, want string) {
	t.Helper()
	page, err := os.ReadFile(file) //nolint:gosec // the test's
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.QuoteMeta(name)
	block := regexp.MustCompile(`(?s)(<!-- ` + quoted + `: [^\n]* -->\n)(.*?)(<!-- end of ` + quoted + ` -->\n)`)
	at := block.FindSubmatchIndex(page)
	if at == nil {
		t.Fatalf("%s has no block <!-- %s: … --> … <!-- end of %s -->", file, name, name)
	}
	begin, end := at[4], at[5]
	got := string(page[begin:end])
	switch {
	case got == want:
	case Update():
		text := string(page[:begin]) + want + string(page[end:])
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: block %q is not what the code says; -update writes it. Got\n%s\nwant\n%s", file, name, got, want)
	}
}
