package chaincodetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// patience is how often a transaction runs beside the blocks of others before it makes them wait.
const patience = 3

// How often a transaction runs. What is found only when two runs happen to differ, such as the order of a map, is looked for when a
// function first succeeds, and when it first fails. Go's map with two keys begins with the second one in one of eight loops, so of 32
// runs that take its order, two differ in 98 of 100 cases. They take 2 ms in the test's process. Later a function runs as often as it
// must for its variables, which differ from run to run, and for its clock.
const (
	firstRuns  = 32
	laterRuns  = 2
	longEnough = 200 * time.Millisecond // no run begins after that, if there were enough for the clock
)

// runner runs a transaction.
type runner struct{ tx *Tx }

// run runs the transaction so that it can be committed. Each organization's peer may have to run it, and then it runs
// again, to be compared, unless nobody wants to know. The first run counts.
//
// All runs must see the same state. Peers commit a block one after the other, and another goroutine of the test may commit one at any
// moment. So runs that differ while that happens say nothing, and are repeated: in the end while nothing is committed.
func (r runner) run(ctx context.Context) {
	tx := r.tx
	if tx.net.settings.nondeterministic && len(tx.net.settings.organizations) == 1 { // there is nothing that could differ
		tx.run(ctx)
		tx.net.faults.touched(tx.ID)
		return
	}
	for range patience {
		if r.try(ctx) {
			return
		}
	}
	tx.net.turn.Lock()
	defer tx.net.turn.Unlock()
	r.try(ctx)
}

// try runs the transaction, and compares. It reports whether that counts.
func (r runner) try(ctx context.Context) (counts bool) {
	tx := r.tx
	before, err := tx.net.heights(ctx, tx.call.channel)
	if err != nil {
		tx.outcome, tx.conversation = outcome{err: err}, &conversation{}
		return true
	}
	tx.divergence = nil
	tx.run(ctx)
	differ := tx.outcome.betweenPeers(tx.chaincode)
	if len(differ) == 0 && r.isCompared() {
		differ = r.again(ctx)
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
func (r runner) isCompared() bool {
	tx := r.tx
	touched := tx.net.faults.touched(tx.ID)
	return !tx.net.settings.nondeterministic && !touched && tx.outcome.err == nil && tx.conversation.fallen() == nil
}

// again runs the transaction as often as it has to, and returns in what a run differs from the first one, or nothing.
func (r runner) again(ctx context.Context) []string {
	tx := r.tx
	times, first := tx.net.runs.count(tx)
	if d := tx.net.settings.apart; d > 0 && first {
		<-time.After(d - time.Duration(time.Now().UnixNano())%d)
	}
	back, err := tx.net.others.Forward()
	if err != nil {
		return []string{err.Error()}
	}
	defer back()
	for i, began := 1, time.Now(); i < times; i++ {
		if i >= laterRuns && tx.net.runs.each == 0 && time.Since(began) > longEnough {
			break
		}
		if lines := r.compare(ctx, ordinal(i+1)); len(lines) > 0 {
			return lines
		}
	}
	tx.net.runs.note(tx)
	return nil
}

// compare runs the transaction once more, and returns in what that differs from the first run, or nothing.
func (r runner) compare(ctx context.Context, name string) []string {
	tx := r.tx
	next, conversation := tx.once(ctx, tx.net.backend.repeat, &conversation{deaf: true})
	if next.err != nil {
		return []string{fmt.Sprintf("the %s run failed: %v", name, next.err)}
	}
	first := tx.outcome
	first.by, next.by = "first", name
	lines := divergence(first, next, tx.chaincode)
	if fall := conversation.fallen(); fall != nil && len(lines) > 0 {
		lines = append(lines, fmt.Sprintf("the %s run: %s", name, fall.Text()))
	}
	return lines
}

// ordinal returns a number as it is said: second, third, 4th, 22nd.
func ordinal(n int) string {
	switch {
	case n == 2:
		return "second"
	case n == 3:
		return "third"
	case n/10%10 != 1 && n%10 >= 1 && n%10 <= 3:
		return fmt.Sprintf("%d%s", n, [...]string{"st", "nd", "rd"}[n%10-1])
	}
	return fmt.Sprintf("%dth", n)
}

// runs says how often transactions run.
type runs struct {
	each int // if not 0, each of them that often

	mu    sync.Mutex
	known map[function]bool // that have run as often as a first one does
}

// function is one that has succeeded, or has failed. Both are looked at closely once.
type function struct {
	deployment *deployment
	name       string
	failed     bool
}

func functionOf(tx *Tx) function {
	return function{tx.net.deployed.find(tx.chaincode), tx.function, tx.failure() != ""}
}

// count is how often a transaction runs, and whether its function is looked at closely.
func (r *runs) count(tx *Tx) (times int, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = !r.known[functionOf(tx)]
	switch {
	case r.each != 0:
		return r.each, first
	case first:
		return firstRuns, true
	default:
		return laterRuns, false
	}
}

// note notes that a transaction has run as often as it had to.
func (r *runs) note(tx *Tx) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[function]bool{}
	}
	r.known[functionOf(tx)] = true
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
