package kvledgertest_test

import (
	"context"
	"flag"
	"runtime"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

var (
	rounds = flag.Int("rounds", 0, "how many blocks each submitter commits; 0 is the suite's default")
	seed   = flag.Uint64("seed", 0, "what the submitters choose by; 0 is a new one each time")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openStore(t *testing.T) store.Store {
	s := memory.New()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return yielding{s}
}

// yielding lets others run before a commit, so that they collide on any machine: a store in memory is too quick otherwise.
type yielding struct{ store.Store }

func (s yielding) Commit(ctx context.Context, b *store.Batch) error {
	runtime.Gosched()
	return s.Store.Commit(ctx, b)
}

func TestRun(t *testing.T) {
	kvledgertest.Config{Open: openStore, Rounds: *rounds, Seed: *seed}.Run(t)
}
