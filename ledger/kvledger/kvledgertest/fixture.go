package kvledgertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

// OpenLedger opens the ledger of a channel, for a test that needs one over a store. The ledger has a provider of its own.
func OpenLedger(t testing.TB, s store.Store, channelID string) *kvledger.Ledger {
	t.Helper()
	l, err := kvledger.NewProvider(s).Open(t.Context(), channelID)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Simulate returns a simulator as its own type, so that a test can use all its methods without asking for each.
func Simulate(ctx context.Context, l *kvledger.Ledger, txID string) (*kvledger.Simulator, error) {
	sim, err := l.NewSimulator(ctx, txID)
	if err != nil {
		return nil, err
	}
	return sim.(*kvledger.Simulator), nil
}

// Commit commits what a simulator has simulated, as a block of its own.
func Commit(ctx context.Context, l *kvledger.Ledger, tx ledgertest.Tx) (kvledger.ValidationCode, error) {
	results, err := kvledger.ResultsOf(ctx, tx.Simulator)
	if err != nil {
		return kvledger.InvalidOtherReason, err
	}
	return l.CommitTx(ctx, kvledger.Transaction{
		TxID: tx.ID, Timestamp: tx.Timestamp, RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet,
	})
}

// Fixture returns a ledger in the form that package ledgertest needs.
func Fixture(l *kvledger.Ledger) ledgertest.Fixture {
	return ledgertest.Fixture{
		Ledger:    l,
		Validates: true,
		Query:     func(field, value string) string { return fmt.Sprintf(`{"selector":{%q:%q}}`, field, value) },
		Commit: func(ctx context.Context, tx ledgertest.Tx) (bool, error) {
			code, err := Commit(ctx, l, tx)
			return code == kvledger.Valid, err
		},
	}
}
