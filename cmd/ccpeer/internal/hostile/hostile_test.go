//go:build linux

// Package hostile_test does to a peer over Pebble what internal/hostile does. It is here because this module has both. Its long
// form is make hostile's, too ("CCPEER_LONG").
package hostile_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/internal/hostile"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

func TestMain(m *testing.M) {
	// The cache comes on top of what the attacks are about, so it is small.
	hostile.Main(m, func(dir string) (store.Store, error) {
		return pebble.Open(pebble.Config{Dir: dir, CacheSize: 16 << 20})
	})
}

// F94: the same over Pebble.
func TestHostileChaincode(t *testing.T) { hostile.RunOnDisk(t) }
