package etcd_test

import (
	"flag"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

var (
	rounds = flag.Int("rounds", 0, "how many blocks each concurrent submitter commits; 0 is few")
	seed   = flag.Uint64("seed", 0, "what the submitters choose by; 0 is a new one each time")
)

func TestLedger(t *testing.T) {
	open := func(t *testing.T) store.Store { return openStore(t, config()) }
	kvledgertest.Config{Open: open, Rounds: *rounds, Seed: *seed}.Run(t)
}
