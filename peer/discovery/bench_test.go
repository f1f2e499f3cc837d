package discovery_test

import (
	"fmt"
	"testing"
)

// BenchmarkDiscover is what fabric-network asks before a transaction, of five organizations with two peers each.
func BenchmarkDiscover(b *testing.B) {
	mspIDs := []string{"A", "B", "C", "D", "E"}
	w := newWorld(b, mspIDs...)
	for _, id := range mspIDs {
		w.add("peer0."+id, "asset")
		w.add("peer1."+id, "asset")
	}
	w.define("asset", "OutOf(3, 'A.peer', 'B.peer', 'C.peer', 'D.peer', 'E.peer')")
	s, request := w.service(), w.sign(config(), peersFor(), endorsers(calls("asset")))
	b.ReportAllocs()
	for b.Loop() {
		w.asked = nil
		r, err := s.Discover(b.Context(), request)
		if err != nil || len(r.GetResults()[2].GetCcQueryRes().GetContent()[0].GetLayouts()) != 10 {
			b.Fatal(fmt.Sprint(r, err))
		}
	}
}
