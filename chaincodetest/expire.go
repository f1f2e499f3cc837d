package chaincodetest

import (
	"context"
	"sync"
)

// expiring is a context whose time is up when somebody says so. Transactions end with it as they do at their deadline.
type expiring struct {
	context.Context
	done chan struct{}

	mu    sync.Mutex
	over  bool
	funcs map[*func()]bool // to be called when the time is up
}

// newExpiring returns a context with the values of another one, which must not end.
func newExpiring(ctx context.Context) *expiring {
	return &expiring{Context: ctx, done: make(chan struct{})}
}

func (e *expiring) expire() {
	e.mu.Lock()
	funcs, before := e.funcs, e.over
	e.over, e.funcs = true, nil
	if !before {
		close(e.done)
	}
	e.mu.Unlock()
	for f := range funcs {
		go (*f)()
	}
}

// Done implements context.Context.
func (e *expiring) Done() <-chan struct{} { return e.done }

// Err implements context.Context.
func (e *expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// AfterFunc is what package context asks for. Without it, each context that follows from this one would have a goroutine.
func (e *expiring) AfterFunc(f func()) (stop func() bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		go f()
		return func() bool { return false }
	}
	if e.funcs == nil {
		e.funcs = map[*func()]bool{}
	}
	e.funcs[&f] = true
	return func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		waits := e.funcs[&f]
		delete(e.funcs, &f)
		return waits
	}
}
