package arch_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaults holds docs/faults.md and the tests together: each row is named by a test, and each name is a row's.
func TestFaults(t *testing.T) {
	const root = "../.."
	doc, err := os.ReadFile(filepath.Join(root, "docs", "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([FI]\d+) \|`).FindAllSubmatch(doc, -1) {
		if _, ok := rows[string(m[1])]; ok {
			t.Errorf("docs/faults.md has two rows %s", m[1])
		}
		rows[string(m[1])] = 0
	}
	name := regexp.MustCompile(`\b[FI]\d{1,3}\b`)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		isSuite := strings.HasSuffix(path, ".go") && strings.HasSuffix(filepath.Dir(path), "test") // ledgertest and others
		isConversation := filepath.Dir(path) == filepath.Join(root, "handler", "testdata")
		if !strings.HasSuffix(path, "_test.go") && !isSuite && !isConversation || d.Name() == "faults_test.go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			for _, n := range name.FindAllString(line, -1) {
				if _, ok := rows[n]; !ok {
					t.Errorf("%s: there is no %s in docs/faults.md", path, n)
				}
				rows[n]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for row, tests := range rows {
		if tests == 0 && strings.HasPrefix(row, "F") {
			t.Errorf("no test says that it shows %s", row)
		}
	}
}
