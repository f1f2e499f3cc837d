package handler_test

import (
	"os"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/transcript"
)

// The README's diagram is the one of the table; -update writes it.
func TestStateDiagram(t *testing.T) {
	const (
		file  = "../README.md"
		begin = "<!-- state diagram: made from handler/message.go by make generate -->\n"
		end   = "<!-- end of state diagram -->\n"
	)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(b), begin)
	got, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no lines %q and %q", file, begin, end)
	}
	want := "```mermaid\n" + handler.StateDiagram() + "```\n"
	switch {
	case got == want:
	case transcript.Update():
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: the state diagram is not the table's; -update writes it. Got\n%s\nwant\n%s", file, got, want)
	}
}
