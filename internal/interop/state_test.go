package interop_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// collections are the names of those that tests use.
var collections = [...]string{secret, "shared"}

// state says what is committed: keys, values and metadata, and of private data also the hash that the public knows.
func (p player) state() []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(p.ledgers)) {
		sim, err := p.ledgers[name].NewSimulator(p.t.Context(), "state")
		if err != nil {
			p.t.Fatal(err)
		}
		defer sim.Done()
		s := sim.(*kvledger.Simulator)
		for _, namespace := range []string{"a", "b"} {
			it, err := s.GetStateRange(p.t.Context(), namespace, ledger.Range{})
			for _, kv := range readAll(p.t, it, err) {
				m, err := s.GetStateMetadata(p.t.Context(), namespace, kv.Key)
				lines = append(lines, fmt.Sprintf("committed %s %s %q %q%s", name, namespace, kv.Key, kv.Value, p.metadata(m, err)))
			}
			for _, collection := range collections {
				lines = append(lines, p.privateState(s, name, namespace, collection)...)
			}
		}
	}
	return lines
}

func (p player) privateState(s *kvledger.Simulator, name, namespace, collection string) []string {
	it, err := s.GetPrivateDataRange(p.t.Context(), namespace, collection, ledger.Range{})
	var lines []string
	for _, kv := range readAll(p.t, it, err) {
		hash, err := s.GetPrivateDataHash(p.t.Context(), namespace, collection, kv.Key)
		if err != nil {
			p.t.Fatal(err)
		}
		m, err := s.GetPrivateDataMetadata(p.t.Context(), namespace, collection, kv.Key)
		lines = append(lines, fmt.Sprintf("committed %s %s/%s %q %q hash %x%s",
			name, namespace, collection, kv.Key, kv.Value, hash, p.metadata(m, err)))
	}
	return lines
}

// readAll reads an iterator to its end.
func readAll(t testing.TB, it ledger.Iterator, err error) []*ledger.KV {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var all []*ledger.KV
	for {
		kv, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if kv == nil {
			return all
		}
		all = append(all, kv)
	}
}

func (p player) metadata(m map[string][]byte, err error) string {
	if err != nil {
		p.t.Fatal(err)
	}
	text := ""
	for _, name := range slices.Sorted(maps.Keys(m)) {
		text += fmt.Sprintf(" %s=%q", name, m[name])
	}
	return text
}
