package postgres_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storetest"
)

func TestReserve(t *testing.T) {
	storetest.RunReserve(t, func(t *testing.T) store.Store { return open(t, config()) })
}
