package mango_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/internal/doctable"
	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// docs/protocol.md lists the limits of a query with what they are.
func TestDocumentedLimits(t *testing.T) {
	want := map[string]int{
		"MaxQuery": mango.MaxQuery, "MaxDepth": mango.MaxDepth, "MaxDigits": mango.MaxDigits, "MaxSelector": mango.MaxSelector,
		"MaxList": mango.MaxList, "MaxPatterns": mango.MaxPatterns, "MaxPatternBytes": mango.MaxPatternBytes,
		"MaxQueryValues": mango.MaxQueryValues, "MaxDocumentValues": mango.MaxDocumentValues, "MaxBookmark": mango.MaxBookmark,
		"MaxPatternSize": mango.MaxPatternSize, "MaxMatchWork": mango.MaxMatchWork,
	}
	for _, row := range doctable.Read(t, "../../../../docs/protocol.md", "Limits of rich queries") {
		name := strings.Trim(row[0], "`")
		most, err := strconv.Atoi(strings.ReplaceAll(row[1], ",", ""))
		if err != nil || most != want[name] {
			t.Errorf("%s is %s, want %d", name, row[1], want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is not in docs/protocol.md", name)
	}
}
