package pebble_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

func openLedger(t testing.TB, cfg pebble.Config) *kvledger.Ledger {
	t.Helper()
	return kvledgertest.OpenLedger(t, openStore(t, cfg), "mychannel")
}

func TestLedger(t *testing.T) {
	open := func(t *testing.T) store.Store { return openStore(t, small(t.TempDir())) }
	kvledgertest.Config{Open: open, Rounds: *rounds, Seed: *seed}.Run(t)
}

// A ledger's state and history are there, and its blocks go on, when its store is opened again.
func TestLedgerReopened(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for block := range 3 {
		t.Run(fmt.Sprint(block), func(t *testing.T) {
			l := openLedger(t, small(dir))
			if height, err := l.Height(t.Context()); height != uint64(block) || err != nil {
				t.Errorf("height is %d, %v, want %d", height, err, block)
			}
			sim, err := kvledgertest.Simulate(t.Context(), l, "tx")
			if err != nil {
				t.Fatal(err)
			}
			defer sim.Done()
			value, err := sim.GetState(t.Context(), "asset", "k")
			if want := fmt.Sprintf("%.*s", block, "abc"); string(value) != want || err != nil {
				t.Errorf("state is %q, %v, want %q", value, err, want)
			}
			history, err := sim.GetHistoryForKey(t.Context(), "asset", "k")
			if err != nil {
				t.Fatal(err)
			}
			defer history.Close()
			entries := 0
			for entry, err := history.Next(t.Context()); entry != nil; entry, err = history.Next(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				entries++
			}
			if entries != block {
				t.Errorf("the history has %d entries, want %d", entries, block)
			}
			writer, err := kvledgertest.Simulate(t.Context(), l, "tx")
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Done()
			if err := writer.SetState(t.Context(), "asset", "k", append(value, "abc"[block])); err != nil {
				t.Fatal(err)
			}
			tx := ledgertest.Tx{ID: fmt.Sprintf("tx%d", block), Timestamp: at, Simulator: writer}
			if code, err := kvledgertest.Commit(t.Context(), l, tx); code != kvledger.Valid || err != nil {
				t.Errorf("commit: %v, %v", code, err)
			}
		})
	}
}
