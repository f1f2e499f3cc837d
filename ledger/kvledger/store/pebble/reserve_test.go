package pebble_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storetest"
)

func TestReserve(t *testing.T) {
	storetest.RunReserve(t, func(t *testing.T) store.Store {
		s, err := pebble.Open(small(t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
