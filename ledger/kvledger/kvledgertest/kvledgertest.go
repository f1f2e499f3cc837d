// Package kvledgertest is the suite that every engine should pass with package kvledger over it. Package storetest, which
// tests an engine by itself, comes first.
package kvledgertest

import (
	"math/rand/v2"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

// Config says what is tested, and how much.
type Config struct {
	// Open returns an empty store, and gives what it has to release to t.Cleanup, the store too. It is required.
	Open func(t *testing.T) store.Store
	// Rounds is how many blocks each of the concurrent submitters commits; 0 is 25. More make a longer test.
	Rounds int
	// Seed is what the submitters choose by; 0 is a new one each time. A failure says which it was: with the same one
	// each submitter chooses the same again, though not at the same time.
	Seed uint64
}

// Run tests ledgers in the stores that open returns: what Config.Run does where open is all that is configured.
func Run(t *testing.T, open func(t *testing.T) store.Store) { Config{Open: open}.Run(t) }

// Run tests ledgers in the engine's stores: that they do what package ledger says, that channels in one store don't see one
// another, that private data expires and indexes are kept as definitions say, and that what many submitters commit at the
// same time is what they would have committed one after the other.
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
	t.Run("channels", func(t *testing.T) { testChannels(t, c.Open(t)) })
	t.Run("definitions", func(t *testing.T) { testDefinitions(t, c.Open(t)) })
	t.Run("indexes", func(t *testing.T) { testIndexes(t, c.Open(t)) })
	t.Run("submitters", func(t *testing.T) { testSubmitters(t, c) })
}
