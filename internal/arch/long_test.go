package arch_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLong holds make long to the tests: it runs every package that has a long form.
func TestLong(t *testing.T) {
	const root = "../.."
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^LONG := (.*)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the Makefile has no LONG")
	}
	var have []string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != root):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go") || d.Name() == "long_test.go":
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if folder = "./" + filepath.ToSlash(folder); strings.Contains(string(source), `"CCPEER_LONG"`) && !slices.Contains(have, folder) {
			have = append(have, folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(have)
	if want := strings.Fields(string(m[1])); !slices.Equal(have, want) {
		t.Errorf("make long runs %s, but these packages read CCPEER_LONG: %s", want, have)
	}
}
