package chaincodetest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// TestREADME holds the README's test to the example. -update writes it.
func TestREADME(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, lines, begins := strings.Cut(string(source), "\ttest := func(t testing.TB) {\n")
	lines, _, ends := strings.Cut(lines, "\t}\n")
	if !begins || !ends {
		t.Fatal("the first example has no function for a test")
	}
	golden.Block(t, "../README.md", "kit", "```go\n"+strings.ReplaceAll("\n"+lines, "\n\t\t", "\n")[1:]+"```\n")
}
