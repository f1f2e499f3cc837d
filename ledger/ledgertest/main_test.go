package ledgertest_test

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ns         = "asset"
	coll       = "secrets"
	everything = `{"selector":{}}`
)

// reference returns a ledger to wrap.
func reference(t *testing.T) ledgertest.Fixture {
	t.Helper()
	l, err := kvledger.NewProvider(memory.New()).Open(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	return ledgertest.Fixture{
		Ledger:    l,
		Validates: true,
		Commit: func(ctx context.Context, tx ledgertest.Tx) (bool, error) {
			results, err := kvledger.ResultsOf(t.Context(), tx.Simulator)
			if err != nil {
				return false, err
			}
			code, err := l.CommitTx(ctx, kvledger.Transaction{
				TxID: tx.ID, Timestamp: tx.Timestamp, RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet,
			})
			return code == kvledger.Valid, err
		},
		Query: func(field, value string) string { return fmt.Sprintf(`{"selector":{%q:%q}}`, field, value) },
	}
}

// full is a simulator with all optional interfaces.
type full = ledgertest.Everything

func newFaulty(t *testing.T) *ledgertest.Faulty { return ledgertest.NewFaulty(reference(t).Ledger) }

func newSimulator(t *testing.T, l ledger.Ledger) ledger.Simulator {
	t.Helper()
	sim, err := l.NewSimulator(t.Context(), "tx")
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

func openRange(t *testing.T, sim ledger.Simulator) ledger.Iterator {
	t.Helper()
	it, err := sim.GetStateRange(t.Context(), ns, ledger.Range{})
	if err != nil {
		t.Fatal(err)
	}
	return it
}
