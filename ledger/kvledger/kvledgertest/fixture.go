package kvledgertest

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
)

// fixture is a ledger as package ledgertest wants it.
func fixture(l *kvledger.Ledger) ledgertest.Fixture {
	return ledgertest.Fixture{
		Ledger:    l,
		Validates: true,
		Query:     func(field, value string) string { return fmt.Sprintf(`{"selector":{%q:%q}}`, field, value) },
		Commit: func(ctx context.Context, tx ledgertest.Tx) (bool, error) {
			results, err := tx.Simulator.(*kvledger.Simulator).Results()
			if err != nil {
				return false, err
			}
			code, err := l.CommitTx(ctx, kvledger.Transaction{
				TxID: tx.ID, Timestamp: tx.Timestamp, RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet,
			})
			return code == kvledger.Valid, err
		},
	}
}
