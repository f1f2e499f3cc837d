package kvledger_test

import (
	"crypto/sha256"
	"reflect"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// TestPrivateKeyState reads a key of a collection as people see it, with the value and without.
func TestPrivateKeyState(t *testing.T) {
	l := openMemory(t)
	hash := func(value string) []byte {
		h := sha256.Sum256([]byte(value))
		return h[:]
	}
	commitResults(t, l, results(t, l, putPrivate("k", "v"), putPrivate("old", "1"), putPrivate("gone", "v")))
	commitResults(t, l, unknown(results(t, l, putPrivate("old", "2"), putPrivate("never given", "v"))),
		results(t, l, setPrivateMetadata("k", "a=1"), purge("gone")))
	none := map[string][]byte{}
	for key, want := range map[string]*kvledger.PrivateKeyState{
		"k": {
			Hash: hash("v"), Version: kvledger.Version{Block: 1, Tx: 1}, Metadata: map[string][]byte{"a": []byte("1")},
			HasValue: true, Value: []byte("v"),
		},
		"old":         {Hash: hash("2"), Version: kvledger.Version{Block: 1}, Metadata: none},
		"never given": {Hash: hash("v"), Version: kvledger.Version{Block: 1}, Metadata: none},
		"gone":        nil, "never": nil, "": nil, "\xff": nil,
	} {
		s, err := l.PrivateKeyState(t.Context(), ns, coll, key)
		if err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("key %q: %+v, %v, want %+v", key, s, err, want)
		}
	}
	if s, err := l.PrivateKeyState(t.Context(), ns, "another", "k"); s != nil || err != nil {
		t.Errorf("in another collection: %+v, %v", s, err)
	}
}

type wrapper struct{ ledger.Simulator }

func (w wrapper) Unwrap() ledger.Simulator { return w.Simulator }

// TestResultsOf takes results through what wraps a simulator.
func TestResultsOf(t *testing.T) {
	l := openMemory(t)
	sim, err := l.NewSimulator(t.Context(), "tx")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	if r, err := kvledger.ResultsOf(t.Context(), wrapper{wrapper{sim}}); err != nil || r.RWSet == nil {
		t.Errorf("got %+v, %v", r, err)
	}
	if r, err := kvledger.ResultsOf(t.Context(), wrapper{struct{ ledger.Simulator }{sim}}); err == nil {
		t.Errorf("of a simulator that hides what it wraps it is %+v", r)
	}
}
