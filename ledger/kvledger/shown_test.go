package kvledger_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
)

// F154: errors repeat only the beginning of what chaincode chose, however long it is.
func TestLongNamesInErrors(t *testing.T) {
	l := openMemory(t)
	defineIndexes(t, l, `["n"]`)
	const size = 1 << 20
	long := strings.Repeat("k", size)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	sim := newSimulator(t, l, "tx")
	next := func(it ledger.Iterator, err error) error {
		if err == nil {
			defer it.Close()
			_, err = it.Next(cancelled)
		}
		return err
	}
	state := func(_ []byte, err error) error { return err }
	metadata := func(_ map[string][]byte, err error) error { return err }
	for name, err := range map[string]error{
		"get":                   state(sim.GetState(cancelled, ns, long)),
		"get of bad UTF-8":      state(sim.GetState(t.Context(), ns, long+"\xff")),
		"get of quotes":         state(sim.GetState(cancelled, ns, strings.Repeat("\x01", size))),
		"put of bad UTF-8":      sim.SetState(t.Context(), ns, long+"\xff", []byte("v")),
		"namespace":             state(sim.GetState(t.Context(), long+"\x00", "k")),
		"range":                 next(sim.GetStateRange(t.Context(), ns, ledger.Range{Start: long, End: long + "l"})),
		"range of bad UTF-8":    next(sim.GetStateRange(t.Context(), ns, ledger.Range{End: long + "\xff"})),
		"metadata":              metadata(sim.GetStateMetadata(cancelled, ns, long)),
		"undefined collection":  state(sim.GetPrivateData(t.Context(), ns, long, "k")),
		"bad collection":        state(sim.GetPrivateData(t.Context(), ns, long+"\xff", "k")),
		"collection with a nul": state(sim.GetPrivateData(t.Context(), ns, long+"\x00", "k")),
		"private":               state(sim.GetPrivateData(cancelled, ns, coll, long)),
		"private hash":          state(sim.GetPrivateDataHash(cancelled, ns, coll, long)),
		"private metadata":      metadata(sim.GetPrivateDataMetadata(cancelled, ns, coll, long)),
	} {
		if err == nil || len(err.Error()) > 1500 || !strings.Contains(err.Error(), "...") {
			t.Errorf("%s: %.2000v", name, err)
		}
	}
	it, err := sim.GetHistoryForKey(t.Context(), ns, long)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := it.Next(cancelled); err == nil || len(err.Error()) > 1500 {
		t.Errorf("history: %.2000v", err)
	}
	// What is short is whole, and has Fabric's text.
	short := strings.Repeat("c", 128)
	want := "collection [" + short + "] not defined in the collection config for chaincode [" + ns + "]"
	if _, err := sim.GetPrivateData(t.Context(), ns, short, "k"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
