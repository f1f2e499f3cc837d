package postgres_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storebench"
)

// BenchmarkLedger measures a store on a server that syncs.
func BenchmarkLedger(b *testing.B) {
	storebench.Config{Open: func(b *testing.B) store.Store { return openStore(b, config()) }}.Run(b)
}
