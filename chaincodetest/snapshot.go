package chaincodetest

import (
	"context"
	"time"
)

// Snapshot is all that the ledgers of a network had at some moment, of every channel, with the chaincodes and the clock.
type Snapshot struct {
	of       *core
	restore  func(context.Context) error
	deployed map[string]*deployment
	fixed    time.Time
	offset   time.Duration
	txs      int // that there were
}

// Snapshot notes the state of the ledgers. That takes no time, however much they have. Snapshots may be nested, and be reverted
// to any number of times and in any order.
func (n *Net) Snapshot() *Snapshot {
	n.t.Helper()
	restore, err := n.backend.save(context.Background())
	if err != nil {
		n.fatal("take a snapshot: %v", err)
	}
	s := &Snapshot{of: n.core, restore: restore, deployed: n.deployed.all(), txs: n.count()}
	n.clock.mu.Lock()
	defer n.clock.mu.Unlock()
	s.fixed, s.offset = n.clock.fixed, n.clock.offset
	return s
}

// Revert makes the ledgers, the chaincodes and the clock what they were when Snapshot was called. A transaction that was simulated before, and
// not committed yet, is validated against what is there then. Chaincode that keeps something in its own memory still has it, unless it was
// deployed after the snapshot. No transaction may be running: those of a parallel test would lose what they have committed.
//
//	defer net.Revert(net.Snapshot()) // what follows is undone
func (n *Net) Revert(s *Snapshot) {
	n.t.Helper()
	if s == nil || s.of != n.core {
		n.fatal("revert: the snapshot is of another network")
		return
	}
	if n.notes.busy() {
		n.fatal("revert: transactions of the network are running: parallel tests that revert need networks of their own")
		return
	}
	if err := s.restore(context.Background()); err != nil {
		n.fatal("revert: %v", err)
	}
	n.deployed.setAll(s.deployed)
	n.recent.forget(s.txs)
	n.clock.mu.Lock()
	defer n.clock.mu.Unlock()
	n.clock.fixed, n.clock.offset = s.fixed, s.offset
}
