package committer_test

import (
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

func names(codes []kvledger.ValidationCode) []string {
	all := make([]string, len(codes))
	for i, c := range codes {
		all[i] = c.String()
	}
	return all
}

// stricter is what the reference ledger says of read/write sets that no simulator makes, but Fabric takes.
func stricter() map[string][]string {
	return map[string][]string{
		"a read/write set of another data model": {"BAD_RWSET"}, "a key that is written twice": {"INVALID_WRITESET"},
	}
}

// TestTable tries each row of the table, each step as a block.
func TestTable(t *testing.T) {
	n := newNetwork(t, nil)
	n.commit(n.valid()) // so that block 0 is over
	for _, row := range n.rows() {
		for i, step := range row.Steps {
			n.refusals = nil
			want := step.Want
			if ours := stricter()[row.Name]; ours != nil {
				want = ours
			}
			if got := names(n.commit(step.Envelopes...)); !slices.Equal(got, want) {
				t.Errorf("%s, step %d: %v, want %v", row.Name, i, got, want)
				for _, r := range n.refusals {
					t.Log(r.Error())
				}
			}
		}
	}
}
