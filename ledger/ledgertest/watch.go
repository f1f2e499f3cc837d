package ledgertest

import (
	"context"
	"sync"

	"github.com/ccpeer/ccpeer/ledger"
)

// simulator passes calls on to the simulator that it wraps, and watches who makes them.
type simulator struct {
	f     *Faulty
	inner ledger.Simulator
	txID  string

	mu     sync.Mutex // protects the fields below
	active Method     // the method that is being called, of the simulator or of one of its iterators
	open   int        // how many iterators are open
	done   bool
}

var _ ledger.Simulator = (*simulator)(nil)

// Unwrap returns the simulator that is wrapped, whose ledger can tell what was simulated.
func (s *simulator) Unwrap() ledger.Simulator { return s.inner }

// enter notes that a method is being called. It returns true if the caller must call leave. If another call is under way,
// that is a violation, and enter goes on watching the other call.
func (s *simulator) enter(method Method) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		s.f.violation("txid %q: %s was called after the simulator's Done", s.txID, method)
	}
	if s.active != "" {
		s.f.violation("txid %q: %s was called while %s had not returned", s.txID, method, s.active)
		return false
	}
	s.active = method
	return true
}

func (s *simulator) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = ""
}

func (s *simulator) call(ctx context.Context, method Method, inner func() error) error {
	if s.enter(method) {
		defer s.leave()
	}
	return s.f.call(ctx, method, inner)
}

// value calls a method that returns something beside an error.
func value[T any](ctx context.Context, s *simulator, method Method, get func() (T, error)) (T, error) {
	var got, none T
	err := s.call(ctx, method, func() (err error) {
		got, err = get()
		return err
	})
	if err != nil {
		return none, err
	}
	return got, nil
}

func (s *simulator) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	return value(ctx, s, GetState, func() ([]byte, error) { return s.inner.GetState(ctx, namespace, key) })
}

func (s *simulator) SetState(ctx context.Context, namespace, key string, value []byte) error {
	return s.call(ctx, SetState, func() error { return s.inner.SetState(ctx, namespace, key, value) })
}

func (s *simulator) DeleteState(ctx context.Context, namespace, key string) error {
	return s.call(ctx, DeleteState, func() error { return s.inner.DeleteState(ctx, namespace, key) })
}

func (s *simulator) GetStateRange(ctx context.Context, namespace string, r ledger.Range) (ledger.Iterator, error) {
	it, err := opened(ctx, s, GetStateRange, func() (results[ledger.KV], error) {
		return s.inner.GetStateRange(ctx, namespace, r)
	})
	if it == nil {
		return nil, err
	}
	return it, nil
}

func (s *simulator) Done() {
	if s.enter(Done) {
		defer s.leave()
	}
	s.mu.Lock()
	first := !s.done
	s.done = true
	if s.open > 0 {
		s.f.violation("txid %q: Done was called with %d iterators open", s.txID, s.open)
	}
	s.mu.Unlock()
	if first {
		s.f.count(func(c *Counts) { c.Done++ })
	}
	defer s.inner.Done()
	_ = s.f.call(context.Background(), Done, func() error { return nil })
}

// results is any kind of iterator, by what it yields.
type results[T any] interface {
	Next(ctx context.Context) (*T, error)
	Close()
}

// iterator passes calls on to the iterator that it wraps, and watches who makes them.
type iterator[T any] struct {
	sim    *simulator
	inner  results[T]
	closed bool // protected by sim.mu
}

var (
	_ ledger.Iterator        = (*iterator[ledger.KV])(nil)
	_ ledger.HistoryIterator = (*iterator[ledger.KeyModification])(nil)
	_ ledger.Keeper          = (*iterator[ledger.KV])(nil)
)

// opened calls the method that opens an iterator. The result is nil if the fault or the simulator made it nil.
func opened[T any](ctx context.Context, s *simulator, method Method, open func() (results[T], error)) (*iterator[T], error) {
	var inner results[T]
	err := s.call(ctx, method, func() (err error) {
		inner, err = open()
		return err
	})
	if inner == nil {
		return nil, err
	}
	if err != nil {
		inner.Close()
		return nil, err
	}
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	s.f.count(func(c *Counts) { c.Iterators++ })
	return &iterator[T]{sim: s, inner: inner}, nil
}

func (it *iterator[T]) Next(ctx context.Context) (*T, error) {
	it.wantOpen(Next)
	return value(ctx, it.sim, Next, func() (*T, error) { return it.inner.Next(ctx) })
}

// Kept is what the wrapped iterator says that it keeps, and 0 if it says nothing.
func (it *iterator[T]) Kept() int {
	it.wantOpen("Kept")
	if k, ok := it.inner.(ledger.Keeper); ok {
		return k.Kept()
	}
	return 0
}

// wantOpen notes a violation if the iterator is closed already.
func (it *iterator[T]) wantOpen(method Method) {
	it.sim.mu.Lock()
	closed := it.closed
	it.sim.mu.Unlock()
	if closed {
		it.sim.f.violation("txid %q: %s was called on a closed iterator", it.sim.txID, method)
	}
}

func (it *iterator[T]) Close() {
	if it.sim.enter(Close) {
		defer it.sim.leave()
	}
	it.sim.mu.Lock()
	first := !it.closed
	it.closed = true
	if first {
		it.sim.open--
	}
	it.sim.mu.Unlock()
	if first {
		it.sim.f.count(func(c *Counts) { c.Closed++ })
	} else {
		it.sim.f.violation("txid %q: an iterator was closed twice", it.sim.txID)
	}
	defer it.inner.Close()
	_ = it.sim.f.call(context.Background(), Close, func() error { return nil })
}
