// Package kvledgertest is the suite that every engine should pass with package kvledger over it. Let an engine pass package
// storetest first, which tests it by itself.
package kvledgertest

import (
	"math/rand/v2"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

// Config says what is tested, and how much.
type Config struct {
	// Open returns an empty store. It releases the store, and everything else, by t.Cleanup. It is required.
	Open func(t *testing.T) store.Store
	// Rounds is how many blocks each of the concurrent submitters commits. 0 is 25. A higher figure makes a longer test.
	Rounds int
	// Seed is the seed of the submitters' choices. 0 is a new one each time. A failure says which it was. With the same seed
	// each submitter makes the same choices again, though not at the same time.
	Seed uint64
}

// Run tests ledgers in the stores that open returns. It is Config.Run with nothing but Open configured.
func Run(t *testing.T, open func(t *testing.T) store.Store) { Config{Open: open}.Run(t) }

// Run tests ledgers in the engine's stores. They must do what package ledger says. Blocks must be
// found, and their hashes form a chain. Channels in one store must not see one
// another. Private data must expire, and indexes must be kept, as definitions say. Absent keys must cost little. What many submitters commit at the same
// time must be what they would have committed one after the other.
func (c Config) Run(t *testing.T) {
	if c.Rounds == 0 {
		c.Rounds = 25
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	t.Run("ledger", func(t *testing.T) {
		ledgertest.Run(t, func(t *testing.T) ledgertest.Fixture {
			return Fixture(OpenLedger(t, c.Open(t), "mychannel"))
		})
	})
	t.Run("blocks", func(t *testing.T) { testBlocks(t, c.Open(t)) })
	t.Run("channels", func(t *testing.T) { testChannels(t, c.Open(t)) })
	t.Run("definitions", func(t *testing.T) { testDefinitions(t, c.Open(t)) })
	t.Run("indexes", func(t *testing.T) { testIndexes(t, c.Open(t)) })
	t.Run("absent keys", func(t *testing.T) { testAbsent(t, c.Open(t)) })
	t.Run("submitters", func(t *testing.T) { testSubmitters(t, c) })
}
