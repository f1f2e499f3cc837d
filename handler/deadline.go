package handler

import (
	"context"
	"sync"
	"time"

	"github.com/ccpeer/ccpeer/ledger"
)

// deadline is the context of a transaction. It ends when its Execute calls end.
//
// A context of the standard library costs each transaction a timer, a channel, and a place among its parent's children. None
// of these is needed here. Execute waits in a select anyway, and there it watches the clock and the caller's context itself.
// So this context starts no timer and never registers with its parent. It makes its channel only when a ledger or a hook
// asks for it.
type deadline struct {
	parent context.Context
	endsAt time.Time
	worker *worker // which has the room of the answer, and counts what the transaction costs; nil before the first request

	mu   sync.Mutex
	done chan struct{} // made when somebody first asks for it
	err  error
}

var _ context.Context = (*deadline)(nil)

func (d *deadline) init(parent context.Context, timeout time.Duration) {
	d.parent = parent
	d.endsAt = time.Now().Add(timeout)
	if at, ok := parent.Deadline(); ok && at.Before(d.endsAt) {
		d.endsAt = at
	}
}

// Deadline implements context.Context. It is the caller's deadline or the end of the time that the handler allows, whichever
// is sooner.
func (d *deadline) Deadline() (time.Time, bool) { return d.endsAt, true }

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

// Value implements context.Context. A ledger finds in it the room for its answer, and who counts what the transaction costs.
func (d *deadline) Value(key any) any {
	if d.worker != nil {
		switch key.(type) {
		case ledger.ReserverKey:
			return &d.worker.room
		case ledger.ChargerKey:
			return charger{d.worker}
		}
	}
	return d.parent.Value(key)
}

// end ends the context with the error that Err returns from now on. It is called once.
func (d *deadline) end(cause error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = cause
	if d.done != nil {
		close(d.done)
	}
}
