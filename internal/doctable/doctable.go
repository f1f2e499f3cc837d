// Package doctable reads the tables of a Markdown page, for tests that hold what a document states to what the code says.
package doctable

import (
	"os"
	"strings"
	"testing"
)

// Read returns the rows of all tables of a section of a page, without their heads: for each the text of its cells. A section is
// named by its heading, and ends at the next one.
func Read(t testing.TB, file, heading string) [][]string {
	t.Helper()
	page, err := os.ReadFile(file) //nolint:gosec // the test's
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	inBody := false
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			inBody = false
		case strings.HasPrefix(line, "|---"):
			inBody = true
		case inBody:
			var cells []string
			for _, c := range strings.Split(strings.Trim(line, "|"), " | ") {
				cells = append(cells, strings.TrimSpace(c))
			}
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("section %q of %s has no table", heading, file)
	}
	return rows
}

// Column returns the cells of one column of rows.
func Column(rows [][]string, n int) []string {
	var cells []string
	for _, r := range rows {
		if n < len(r) {
			cells = append(cells, r[n])
		}
	}
	return cells
}
