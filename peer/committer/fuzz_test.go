package committer_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// FuzzEnvelope commits blocks of an envelope that may be anything, between two that are good. Whatever it is has a code, and the
// others have theirs. One of its layers is replaced, and what is around it is made anew, so that all signatures are right.
func FuzzEnvelope(f *testing.F) {
	n := newNetwork(f, nil)
	layers := envelopes.Layers()
	for i, l := range layers {
		if _, err := envelopes.With(n.table, l, func(b []byte) []byte { f.Add(i, b); return b }); err != nil {
			f.Fatal(err)
		}
	}
	last := len(layers) - 1 // the envelope itself
	for _, r := range n.rows() {
		f.Add(last, r.Steps[0].Envelopes[0])
	}
	f.Fuzz(func(t *testing.T, layer int, b []byte) {
		n.t, n.refusals = t, nil
		envelope, err := envelopes.With(n.table, layers[max(0, min(layer, last))], func([]byte) []byte { return b })
		if err != nil {
			t.Skip() // it can't be marshalled
		}
		before, _ := n.transaction("either", puts(t, "before"), n.table.Peer1)
		after, _ := n.transaction("either", puts(t, "after"), n.table.Peer1)
		codes := n.commit(before, envelope, after)
		if len(codes) != 3 || codes[0] != kvledger.Valid || codes[2] != kvledger.Valid {
			t.Errorf("%v", codes)
		}
		if refused := codes[1] != kvledger.Valid; len(n.refusals) > 0 != refused {
			t.Errorf("%v, but told of %v", codes, n.refusals)
		}
	})
}
