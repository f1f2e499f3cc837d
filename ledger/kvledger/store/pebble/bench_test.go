package pebble_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storebench"
)

// BenchmarkLedger measures a store on the disk, with syncing.
func BenchmarkLedger(b *testing.B) {
	open := func(b *testing.B) store.Store { return openStore(b, pebble.Config{Dir: b.TempDir()}) }
	storebench.Config{Open: open, Keys: 200000}.Run(b)
}

// BenchmarkCommit measures what a commit costs beside the disk, with few and with many tables.
func BenchmarkCommit(b *testing.B) {
	for name, before := range map[string]uint64{"new": 0, "filled": 20000} {
		b.Run(name, func(b *testing.B) {
			s := openStore(b, pebble.Config{Dir: "data", FS: vfs.NewMem(), CacheSize: 8 << 20})
			for n := range before {
				if err := commitNext(b.Context(), s, n); err != nil {
					b.Fatal(err)
				}
			}
			n := before
			b.ReportAllocs()
			for b.Loop() {
				if err := commitNext(b.Context(), s, n); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}
