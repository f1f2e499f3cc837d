package main

import (
	"os"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// TestREADME holds the README's program to this one. -update writes it.
func TestREADME(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, begins := strings.Cut(string(source), "\t// begin\n")
	program, _, ends := strings.Cut(program, "\t// end\n")
	if !begins || !ends {
		t.Fatal("main.go has no lines \"// begin\" and \"// end\"")
	}
	if n := strings.Count(program, "\n"); n > 15 {
		t.Errorf("the program has %d lines, want 15 at most", n)
	}
	golden.Block(t, "../../README.md", "quickstart", "```go\n"+strings.ReplaceAll("\n"+program, "\n\t", "\n")[1:]+"```\n")
}

// Example runs the program.
func Example() {
	main()
	// Output:
	// block 1: 200 ""
	// block 2: 200 "|"
	// block 3: 200 "||"
}
