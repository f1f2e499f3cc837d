package golden_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/golden"
)

// failures notes how a test would have failed.
type failures struct {
	testing.TB
	text string
}

func (f *failures) Helper()                      {}
func (f *failures) Errorf(text string, _ ...any) { f.text = text }
func (f *failures) Fatalf(text string, _ ...any) { f.text = text; runtime.Goexit() }

func TestBlock(t *testing.T) {
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
			golden.Block(f, file, test.name, test.want)
		}()
		<-done
		if test.fails == "" && f.text != "" || !strings.Contains(f.text, test.fails) {
			t.Errorf("%s: fails with %q, want %q", test.name, f.text, test.fails)
		}
	}
}
