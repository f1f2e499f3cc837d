package chaincodesupport_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/internal/doctable"
)

// docs/protocol.md lists the limits of many streams after those of one, in the order of the table, with their defaults.
func TestDocumentedLimits(t *testing.T) {
	const file = "../docs/protocol.md"
	rows, own := doctable.Read(t, file, "Limits"), chaincodesupport.LimitRows()
	rows = rows[len(rows)-len(own):]
	for i, l := range own {
		if rows[i][0] != "`"+l.Name+"`" || !strings.HasPrefix(rows[i][1], l.String()) {
			t.Errorf("%s: row %q, %q, want %s, %s: the order is that of the code's table", file, rows[i][0], rows[i][1], l.Name, l.String())
		}
	}
}
