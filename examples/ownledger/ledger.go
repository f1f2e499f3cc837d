package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ccpeer/ccpeer/ledger"
)

// Ledger is one channel's state: every value that every key has had, in a map. It is made with NewLedger.
type Ledger struct {
	mu     sync.RWMutex
	height int                  // how many transactions have been committed
	state  map[stateKey][]value // of each key the oldest first, at least one
}

var _ ledger.Ledger = (*Ledger)(nil)

type stateKey struct{ namespace, key string }

// value is what a transaction wrote to a key, and which one it was. One without bytes is a delete.
type value struct {
	bytes     []byte
	height    int
	txID      string
	timestamp time.Time
}

// NewLedger returns an empty ledger.
func NewLedger() *Ledger { return &Ledger{state: make(map[stateKey][]value)} }

// NewSimulator implements ledger.Ledger. What is committed later has a greater height, so that a number is a snapshot.
func (l *Ledger) NewSimulator(context.Context, string) (ledger.Simulator, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return &simulator{ledger: l, height: l.height, reads: make(map[stateKey]bool), writes: make(map[stateKey][]byte)}, nil
}

// Commit commits what a transaction wrote, if nothing that it read has changed since, and says whether it did. The
// simulator must be one of this ledger's. That a peer calls it, and how, is between the two of them.
func (l *Ledger) Commit(sim ledger.Simulator, txID string, timestamp time.Time) bool {
	s, ok := sim.(*simulator)
	if !ok || s.ledger != l {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, values := range l.state {
		if values[len(values)-1].height > s.height && s.hasRead(at) {
			return false
		}
	}
	l.height++
	for at, bytes := range s.writes {
		l.state[at] = append(l.state[at], value{bytes, l.height, txID, timestamp})
	}
	return true
}

// simulator is a view of the state at a height. It keeps what a transaction reads, and what it writes.
type simulator struct {
	ledger *Ledger
	height int
	reads  map[stateKey]bool
	ranges []readRange
	writes map[stateKey][]byte
}

var _ ledger.Simulator = (*simulator)(nil)

type readRange struct {
	namespace string
	ledger.Range
}

func (r readRange) has(at stateKey) bool {
	return at.namespace == r.namespace && at.key >= r.Start && (r.End == "" || at.key < r.End)
}

func (s *simulator) hasRead(at stateKey) bool {
	return s.reads[at] || slices.ContainsFunc(s.ranges, func(r readRange) bool { return r.has(at) })
}

// seen returns what a key had been given when the simulator was made. The ledger must be locked.
func (s *simulator) seen(at stateKey) []value {
	values := s.ledger.state[at]
	for len(values) > 0 && values[len(values)-1].height > s.height {
		values = values[:len(values)-1]
	}
	return values
}

// get returns the last of what seen returns, or nil if the key was absent.
func (s *simulator) get(at stateKey) []byte {
	if values := s.seen(at); len(values) > 0 {
		return values[len(values)-1].bytes
	}
	return nil
}

// GetState implements ledger.Simulator.
func (s *simulator) GetState(_ context.Context, namespace, key string) ([]byte, error) {
	at := stateKey{namespace, key}
	s.reads[at] = true
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	return s.get(at), nil
}

// SetState implements ledger.Simulator.
func (s *simulator) SetState(_ context.Context, namespace, key string, bytes []byte) error {
	if len(bytes) == 0 {
		bytes = nil
	}
	s.writes[stateKey{namespace, key}] = bytes
	return nil
}

// DeleteState implements ledger.Simulator.
func (s *simulator) DeleteState(ctx context.Context, namespace, key string) error {
	return s.SetState(ctx, namespace, key, nil)
}

// GetStateRange implements ledger.Simulator.
func (s *simulator) GetStateRange(_ context.Context, namespace string, r ledger.Range) (ledger.Iterator, error) {
	read := readRange{namespace, r}
	s.ranges = append(s.ranges, read)
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	var found iterator
	for at := range s.ledger.state {
		if bytes := s.get(at); bytes != nil && read.has(at) {
			found = append(found, &ledger.KV{Namespace: namespace, Key: at.key, Value: bytes})
		}
	}
	slices.SortFunc(found, func(a, b *ledger.KV) int { return cmp.Compare(a.Key, b.Key) })
	return &found, nil
}

// Done implements ledger.Simulator. There is nothing to release.
func (s *simulator) Done() {}

// iterator is what is left of a range.
type iterator []*ledger.KV

var _ ledger.Iterator = (*iterator)(nil)

// Next implements ledger.Iterator.
func (it *iterator) Next(context.Context) (*ledger.KV, error) {
	if len(*it) == 0 {
		return nil, nil
	}
	kv := (*it)[0]
	*it = (*it)[1:]
	return kv, nil
}

// Close implements ledger.Iterator.
func (it *iterator) Close() {}
