package chaincodetest

import (
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// Snapshot is all that the ledgers of a network had at some moment, of every channel, with the chaincodes and the clock.
type Snapshot struct {
	of       *core
	state    memory.State
	deployed map[string]*deployment
	fixed    time.Time
	offset   time.Duration
}

// Snapshot notes the state of the ledgers. That takes no time, however much they have. Snapshots may be nested, and be reverted
// to any number of times and in any order.
func (n *Net) Snapshot() *Snapshot {
	n.t.Helper()
	state, err := n.backend.store.Save()
	if err != nil {
		n.fatal("take a snapshot: %v", err)
	}
	n.clock.mu.Lock()
	defer n.clock.mu.Unlock()
	return &Snapshot{of: n.core, state: state, deployed: n.backend.deployments(), fixed: n.clock.fixed, offset: n.clock.offset}
}

// Revert makes the ledgers, the chaincodes and the clock what they were when Snapshot was called. A transaction that was simulated before, and
// not committed yet, is validated against what is there then. Chaincode that keeps something in its own memory still has it.
//
//	defer net.Revert(net.Snapshot()) // what follows is undone
func (n *Net) Revert(s *Snapshot) {
	n.t.Helper()
	if s == nil || s.of != n.core {
		n.fatal("revert: the snapshot is of another network")
		return
	}
	if err := n.backend.store.Restore(s.state); err != nil {
		n.fatal("revert: %v", err)
	}
	n.backend.setDeployments(s.deployed)
	n.clock.mu.Lock()
	defer n.clock.mu.Unlock()
	n.clock.fixed, n.clock.offset = s.fixed, s.offset
}
