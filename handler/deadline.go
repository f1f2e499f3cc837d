package handler

import (
	"context"
	"sync"
	"time"
)

// deadline is the context of a transaction. It ends when its Execute says so, and it is Execute that watches the
// clock and the caller's context: that spares each transaction a timer, a place among the caller's children and, as
// long as nobody waits for it, a channel.
type deadline struct {
	parent context.Context
	at     time.Time

	mu   sync.Mutex
	done chan struct{} // made when it is first asked for
	err  error
}

var _ context.Context = (*deadline)(nil)

func (d *deadline) init(parent context.Context, timeout time.Duration) {
	d.parent = parent
	d.at = time.Now().Add(timeout)
	if at, ok := parent.Deadline(); ok && at.Before(d.at) {
		d.at = at
	}
}

// Deadline implements context.Context: the caller's deadline, or the time that the handler allows, which is sooner.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.err != nil {
			close(d.done)
		}
	}
	return d.done
}

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Value implements context.Context.
func (d *deadline) Value(key any) any { return d.parent.Value(key) }

// end ends the context. It is called once.
func (d *deadline) end(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = cause
	if d.done != nil {
		close(d.done)
	}
}
