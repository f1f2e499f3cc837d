package main

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLedger runs the suite of all ledgers.
func TestLedger(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Fixture {
		l := NewLedger()
		return ledgertest.Fixture{
			Ledger: l,
			Commit: func(_ context.Context, tx ledgertest.Tx) (bool, error) {
				return l.Commit(tx.Simulator, tx.ID, tx.Timestamp), nil
			},
			Validates: true,
		}
	})
}

// A ledger commits what was simulated on it, and nothing else.
func TestCommitOfAnotherLedger(t *testing.T) {
	one, two := NewLedger(), NewLedger()
	sim, err := one.NewSimulator(t.Context(), "tx")
	if err != nil {
		t.Fatal(err)
	}
	if two.Commit(sim, "tx", time.Now()) || two.Commit(nil, "tx", time.Now()) || two.height != 0 {
		t.Error("committed")
	}
}

// Example runs the program.
func Example() {
	main()
	// Output:
	// tx1 ["Open" "ann" "100"]: 200 "", committed
	// tx2 ["Open" "bob" "20"]: 200 "", committed
	// tx3 ["Pay" "ann" "bob" "30"]: 200 "", committed
	// tx4 ["Pay" "bob" "ann" "500"]: 500 "bob, who has 50, cannot pay 500 to ann", not committed, as the chaincode refuses it
	// tx5 ["Pay" "ann" "bob" "70"]: 200 "", committed
	// tx6 ["Pay" "ann" "bob" "60"]: 200 "", not committed, as what it has read has changed
	// tx7 ["List"]: 200 "ann 0, bob 120", committed
	// tx8 ["History" "ann"]: 200 "0 since tx5, 70 since tx3, 100 since tx1", committed
}
