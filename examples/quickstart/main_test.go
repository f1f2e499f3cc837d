package main

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the program into the README")

// TestREADME holds the README's program to this one.
func TestREADME(t *testing.T) {
	const readme = "../../README.md"
	page := read(t, readme)
	program := between(t, read(t, "main.go"), "\t// begin\n", "\t// end\n")
	program = "```go\n" + strings.ReplaceAll("\n"+program, "\n\t", "\n")[1:] + "```\n"
	shown := between(t, page, "<!-- quickstart: from examples/quickstart/main.go -->\n", "<!-- end of quickstart -->\n")
	if shown == program {
		return
	}
	if !*update {
		t.Fatal("the README's program is not the one in main.go: run this test with -update")
	}
	if err := os.WriteFile(readme, []byte(strings.Replace(page, shown, program, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func between(t *testing.T, s, begin, end string) string {
	t.Helper()
	_, s, begins := strings.Cut(s, begin)
	s, _, ends := strings.Cut(s, end)
	if !begins || !ends {
		t.Fatalf("no text between %q and %q", begin, end)
	}
	return s
}

// Example runs the program.
func Example() {
	main()
	// Output:
	// tx1: 200 "" VALID
	// tx2: 200 "|" VALID
	// tx3: 200 "||" VALID
}
