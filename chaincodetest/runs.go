package chaincodetest

import (
	"context"
	"slices"
)

// patience is how often a transaction runs beside the blocks of others before it makes them wait.
const patience = 3

// runAsSubmitted runs the transaction so that it can be committed. Each organization's peer may have to run it, and then it runs
// again, to be compared, unless nobody wants to know. The first run counts.
//
// All runs must see the same state. Peers commit a block one after the other, and another goroutine of the test may commit one at any
// moment. So runs that differ while that happens say nothing, and are repeated: in the end while nothing is committed.
func (tx *Tx) runAsSubmitted(ctx context.Context) {
	for range patience {
		if tryRuns(ctx, tx) {
			return
		}
	}
	tx.net.turn.Lock()
	defer tx.net.turn.Unlock()
	tryRuns(ctx, tx)
}

// tryRuns runs the transaction, and compares. It reports whether that counts.
func tryRuns(ctx context.Context, tx *Tx) (counts bool) {
	before, err := tx.net.heights(ctx, tx.call.channel)
	if err != nil {
		tx.outcome, tx.conversation = outcome{err: err}, &conversation{}
		return true
	}
	tx.divergence = nil
	tx.run(ctx)
	differ := tx.outcome.betweenPeers(tx.chaincode)
	if len(differ) == 0 && isCompared(tx) {
		differ = again(ctx, tx)
	}
	if len(differ) == 0 {
		return true
	}
	after, err := tx.net.heights(ctx, tx.call.channel)
	if err == nil && (!slices.Equal(before, after) || slices.Min(before) != slices.Max(before)) {
		return false
	}
	if !tx.net.settings.nondeterministic {
		tx.divergence = differ
	}
	return true
}

// isCompared reports whether the transaction is to run again, and what comes of that is to be compared. If it didn't come to its end,
// there is nothing to compare, and a fault is meant for one run only.
func isCompared(tx *Tx) bool {
	touched := tx.net.faults.touched(tx.ID)
	return !tx.net.settings.nondeterministic && !touched && tx.outcome.err == nil && tx.conversation.fallen() == nil
}

// again runs the transaction once more, and returns in what that differs from the first run, or nothing.
func again(ctx context.Context, tx *Tx) []string {
	second, conversation := tx.once(ctx)
	if second.err != nil {
		return []string{"the second run failed: " + second.err.Error()}
	}
	first := tx.outcome
	first.by, second.by = "first", "second"
	lines := divergence(first, second, tx.chaincode)
	if fall := conversation.fallen(); fall != nil && len(lines) > 0 {
		lines = append(lines, "the second run: "+fall.Text())
	}
	return lines
}

// heights is how many blocks each peer has of the channel. It tells whether two runs have seen the same state.
func (c *core) heights(ctx context.Context, channel string) ([]uint64, error) {
	var all []uint64
	for _, mspID := range c.settings.organizations {
		l, err := c.backend.ledger(ctx, channel, mspID)
		if err != nil {
			return nil, err
		}
		height, err := l.Height(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, height)
	}
	return all, nil
}
