package pebble_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

func TestMain(m *testing.M) {
	for variable, write := range map[string]func(dir string) error{storeVar: writeForEver, ledgerVar: commitForEver} {
		if dir := os.Getenv(variable); dir != "" {
			os.Exit(playWriter(dir, write))
		}
	}
	goleak.VerifyTestMain(m)
}

// small is a configuration whose tables are small, so that tests soon have several.
func small(dir string) pebble.Config { return pebble.Config{Dir: dir, CacheSize: 8 << 20} }

func openStore(t testing.TB, cfg pebble.Config) *pebble.Store {
	t.Helper()
	s, err := pebble.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func snapshot(t testing.TB, s store.Store) store.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// first is a batch for an empty store: a key k with the value v.
func first() *store.Batch {
	return &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{{Key: "k", Value: []byte("v")}}}
}
