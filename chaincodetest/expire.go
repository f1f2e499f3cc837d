package chaincodetest

import (
	"context"
	"sync"
)

// expiring is a context whose time is up when somebody says so. Transactions end with it as they do at their deadline.
type expiring struct {
	context.Context
	once sync.Once
	done chan struct{}
}

// newExpiring returns a context with the values of another one, which must not end.
func newExpiring(ctx context.Context) *expiring {
	return &expiring{Context: ctx, done: make(chan struct{})}
}

func (e *expiring) expire() { e.once.Do(func() { close(e.done) }) }

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
