package diagram_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/diagram"
)

func TestDraw(t *testing.T) {
	got := diagram.Draw([]diagram.Arrow{
		{To: "created"},
		{From: "created", To: "ready", Label: "REGISTER", By: "from chaincode"},
		{From: "ready", To: "ready", Label: "PUT"},
		{From: "ready", To: "ready", Label: "INIT", By: "from peer"},
		{From: "ready", To: "ready", Label: "GET"},
		{From: "ready", Label: "end"},
	})
	want := "```mermaid\nstateDiagram-v2\n" +
		"    [*] --> created\n" +
		"    created --> ready: REGISTER (from chaincode)\n" +
		"    ready --> ready: PUT, GET\n" +
		"    ready --> ready: INIT (from peer)\n" +
		"    ready --> [*]: end\n" +
		"```\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// failures notes how a test would have failed.
type failures struct {
	testing.TB
	text string
}

func (f *failures) Helper()                      {}
func (f *failures) Errorf(text string, _ ...any) { f.text = text }
func (f *failures) Fatalf(text string, _ ...any) { f.text = text; runtime.Goexit() }

func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	page := "a\n<!-- one: made from x -->\nthe first\n<!-- end of one -->\n<!-- two: of y -->\n<!-- end of two -->\nb\n"
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, want, fails string }{
		{"one", "the first\n", ""},
		{"two", "", ""},
		{"one", "another\n", "is not what the code says"},
		{"three", "", "has no block"},
	} {
		f := &failures{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			diagram.Check(f, file, test.name, test.want)
		}()
		<-done
		if test.fails == "" && f.text != "" || !strings.Contains(f.text, test.fails) {
			t.Errorf("%s: fails with %q, want %q", test.name, f.text, test.fails)
		}
	}
}
