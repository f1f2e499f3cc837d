package pebble_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storebench"
)

// BenchmarkLedger measures a store on the disk, with syncing.
func BenchmarkLedger(b *testing.B) {
	open := func(b *testing.B) store.Store { return openStore(b, pebble.Config{Dir: b.TempDir()}) }
	storebench.Config{Open: open, Keys: 200000}.Run(b)
}
