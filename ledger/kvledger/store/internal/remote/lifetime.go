package remote

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Lifetime is the life of a store, while it is open. It knows who is at work in it, and allows one commit at a time, until
// it is closed. All methods are safe for concurrent use.
type Lifetime struct {
	timeout time.Duration

	ctx    context.Context // of everything that no single caller may end; it ends with the store
	cancel context.CancelFunc

	committing chan struct{} // holds one token while a batch is being committed

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // goroutines and calls; none is added when closed is set
}

// NewLifetime returns the Lifetime of a store that is open. The store gives timeout to everything that it does in its own
// time.
func NewLifetime(timeout time.Duration) *Lifetime {
	l := &Lifetime{timeout: timeout, committing: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Done is closed when the store is.
func (l *Lifetime) Done() <-chan struct{} { return l.ctx.Done() }

// Ended reports whether Done is closed.
func (l *Lifetime) Ended() bool { return l.ctx.Err() != nil }

// Start runs f in a goroutine. If the store is closed, it does nothing and returns false.
func (l *Lifetime) Start(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.running.Go(f)
	return true
}

// Limited returns the context of something that may take as long as the timeout, whatever becomes of its caller.
func (l *Lifetime) Limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(l.ctx, l.timeout)
}

// Call runs f in the caller's time. f may take no longer than the timeout, nor longer than the store is open.
func (l *Lifetime) Call(ctx context.Context, what string, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return store.ErrClosed
	}
	l.running.Add(1)
	l.mu.Unlock()
	defer l.running.Done()
	limited, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	err := f(limited)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return l.Failure(err, what)
}

// Failure returns the error of something that ends with the store, or nil if there is none. If the store's end is the
// reason, that is ErrClosed.
func (l *Lifetime) Failure(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case l.Ended():
		return store.ErrClosed
	}
	return errors.Wrap(err, what)
}

// Committing waits until nobody else is committing. It returns the context of the commit, and a function that ends the
// commit. A commit that has begun goes on, whatever becomes of its caller, because half of it may be done already. So ctx
// counts only until then.
func (l *Lifetime) Committing(ctx context.Context) (limited context.Context, end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	select {
	case l.committing <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if l.isClosed() {
		<-l.committing
		return nil, nil, store.ErrClosed
	}
	limited, cancel := l.Limited()
	return limited, func() {
		cancel()
		<-l.committing
	}, nil
}

func (l *Lifetime) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Close ends the Lifetime. It waits for a commit that has begun, ends everything else, and returns when nothing is at work
// any more. If the Lifetime was closed before, it returns ErrClosed.
func (l *Lifetime) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return store.ErrClosed
	}
	l.closed = true
	l.mu.Unlock()
	l.committing <- struct{}{}
	defer func() { <-l.committing }()
	l.cancel()
	l.running.Wait()
	return nil
}
