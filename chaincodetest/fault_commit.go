package chaincodetest

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// faultyStore is a peer's store, whose commits may go wrong.
type faultyStore struct {
	*memory.Store
	mspID  string
	faults *faults
}

// Commit implements store.Store.
func (s *faultyStore) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.faults.beforeCommit(ctx, s.mspID); err != nil {
		return err
	}
	return s.Store.Commit(ctx, b)
}

// beforeCommit is called before a peer of an organization commits something.
func (f *faults) beforeCommit(ctx context.Context, mspID string) error {
	switch i := f.nextCommit(mspID); {
	case i == nil:
		return nil
	case i.Fail != "":
		return errors.New(i.Fail)
	case i.Lose:
		return f.hang(ctx, i)
	default:
		return pause(ctx, i.Delay)
	}
}

// nextCommit returns the fault that a commit meets, or nil.
func (f *faults) nextCommit(mspID string) *injected {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.all {
		if i.Commit && (i.MSPID == "" || i.MSPID == mspID) && (i.Nth == 0 || i.seen < i.Nth) && i.happens() {
			return i
		}
	}
	return nil
}

// hang returns when the fault is removed. Whoever waits for a commit, and who comes meanwhile, finds that the time is up.
func (f *faults) hang(ctx context.Context, i *injected) error {
	f.count(1)
	defer f.count(-1)
	select {
	case <-i.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *faults) count(change int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hanging += change; f.hanging > 0 {
		for w := range f.waiting {
			w.expire()
		}
	}
}

// await returns a context for somebody who waits for a commit. It ends when a commit hangs. leave must be called.
func (f *faults) await() (within *expiring, leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	within = newExpiring(context.Background())
	if f.hanging > 0 {
		within.expire()
	}
	if f.waiting == nil {
		f.waiting = map[*expiring]bool{}
	}
	f.waiting[within] = true
	return within, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.waiting, within)
		within.expire()
	}
}

// commits reports whether commits go wrong, as far as is known.
func (f *faults) commits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.all {
		if i.Commit && (i.Nth == 0 || i.seen < i.Nth || i.Lose) {
			return true
		}
	}
	return false
}

// settle waits until the peers have committed what they couldn't, and tells the transactions.
func settle(n *Net) {
	n.t.Helper()
	if n.faults.commits() {
		return // another fault holds them up
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeLeft(n.t))
	defer cancel()
	err := n.backend.settle(ctx)
	for _, tx := range n.takeLost() {
		if err == nil {
			err = tx.find(ctx)
		}
	}
	if err != nil {
		n.t.Errorf("chaincodetest: after a commit went wrong: %v", err)
	}
}

// find looks for the transaction, of which nobody knew what became of it.
func (tx *Tx) find(ctx context.Context) error {
	l, err := tx.net.backend.ledger(ctx, tx.call.channel, "")
	if err != nil {
		return err
	}
	_, code, err := l.TransactionCode(ctx, tx.ID)
	if errors.Is(err, kvledger.ErrNotFound) {
		return nil // it isn't committed, as it says
	}
	if err == nil {
		tx.committed, tx.code, tx.lost = true, code, nil
	}
	return err
}

// noteLost notes a transaction of which nobody knows what becomes of it.
func (c *core) noteLost(tx *Tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = append(c.lost, tx)
}

func (c *core) takeLost() []*Tx {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.lost
	c.lost = nil
	return all
}
