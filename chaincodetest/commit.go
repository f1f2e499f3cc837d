package chaincodetest

import (
	"context"
	"slices"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// Commit commits transactions that were simulated, in this order, as one block. Each may be invalid, because one before it has
// changed what it has read: Tx.Code says so, and OK fails.
//
//	tx1, tx2 := alice.Simulate("basic", "Take", "a1"), bob.Simulate("basic", "Take", "a1")
//	net.Commit(tx1, tx2)
//	tx1.OK()
//	tx2.Fails("MVCC_READ_CONFLICT")
func (n *Net) Commit(txs ...*Tx) {
	n.t.Helper()
	for i, tx := range txs {
		switch {
		case tx.net.core != n.core || tx.call.channel != n.channel:
			n.fatal("Commit: %s is of another network or channel", tx.name())
		case tx.verb == "evaluated":
			n.fatal("Commit: %s was only evaluated: use Simulate", tx.name())
		case slices.Contains(txs[:i], tx):
			n.fatal("Commit: %s is there twice", tx.name())
		case tx.committed:
			n.fatal("Commit: %s is committed already", tx.name())
		case tx.failure() != "":
			tx.asked.Store(true)
			tx.fail("it can't be committed, because it failed: " + tx.failure())
		}
	}
	n.commit(txs...)
}

// commit commits transactions that have succeeded so far.
func (n *Net) commit(txs ...*Tx) {
	n.t.Helper()
	block := make([]outcome, len(txs))
	for i, tx := range txs {
		block[i] = tx.outcome
	}
	n.turn.RLock()
	codes, err := n.backend.commit(context.Background(), n.channel, block)
	n.turn.RUnlock()
	if err != nil {
		n.fatal("commit %d transactions: %v", len(txs), err)
		return
	}
	for i, tx := range txs {
		tx.committed, tx.code = true, codes[i]
		if tx.code != kvledger.Valid {
			tx.asked.Store(false) // what was asked before is how the simulation ended
			n.noteUnasked(tx)
		}
	}
}
