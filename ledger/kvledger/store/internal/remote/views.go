package remote

import (
	"context"
	"sync"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Views gives a store's views to those who ask for snapshots. A view is what an engine needs to read at one head: an open
// transaction, or a revision.
//
// A view is expensive, but a snapshot must be cheap, because every simulation takes one. So snapshots share views. All who
// ask at the same time get the same view. Those who ask later get it, too, if the head has not moved since. A snapshot must
// never be older than the question for it. So the head is read anew for each round of askers, but only once.
//
// Views counts who holds a view. V is what an engine knows a view by: a pointer.
type Views[V comparable] struct {
	current  func(context.Context) (V, error)
	unused   func(V)
	life     *Lifetime
	openings *Combiner[*opening[V]]

	mu     sync.Mutex
	held   map[V]int // by how many; it may be none for a while
	newest V         // the view that was opened last, or the zero V if that is held by nobody or has failed
}

// opening is someone who waits for a view.
type opening[V comparable] struct {
	done chan struct{} // closed when view or err is set
	err  error

	view  V    // guarded by Views.mu, as are given and left
	given bool // view is set
	left  bool // nobody waits any more
}

// NewViews returns the views of a store. It calls current for a view of what is committed now. That may be an earlier view,
// which current then holds once more. It calls unused when nobody holds a view any more, in whatever goroutine that happens.
func NewViews[V comparable](life *Lifetime, current func(context.Context) (V, error), unused func(V)) *Views[V] {
	vs := &Views[V]{current: current, unused: unused, life: life, held: map[V]int{}}
	vs.openings = NewCombiner(life.Start, vs.open)
	return vs
}

// Current returns a view that is not older than the call, for a snapshot. The caller holds it, and must call Release. If ctx
// ends before, the request goes on for the others who wait for it.
func (vs *Views[V]) Current(ctx context.Context) (V, error) {
	var none V
	if err := ctx.Err(); err != nil {
		return none, err
	}
	o := &opening[V]{done: make(chan struct{})}
	if !vs.openings.Add(o) {
		return none, store.ErrClosed
	}
	select {
	case <-o.done:
		return o.view, vs.life.Failure(o.err, "open snapshot")
	case <-ctx.Done():
	}
	vs.mu.Lock()
	o.left = true
	given := o.given
	vs.mu.Unlock()
	if given { // it came at the same time
		vs.Release(o.view)
	}
	return none, ctx.Err()
}

// open serves all who wait for a view.
func (vs *Views[V]) open(all []*opening[V]) {
	ctx, cancel := vs.life.Limited()
	defer cancel()
	v, err := vs.current(ctx)
	vs.mu.Lock()
	for _, o := range all {
		o.err = err
		if err == nil && !o.left {
			o.view, o.given = v, true
			vs.held[v]++
		}
		close(o.done)
	}
	vs.mu.Unlock()
	if err == nil {
		vs.Release(v)
	}
}

// Add makes a view known, which the caller holds. Nobody else gets it yet.
func (vs *Views[V]) Add(v V) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.held[v] = 1
}

// SetNewest makes a view the one that Newest returns.
func (vs *Views[V]) SetNewest(v V) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.newest = v
}

// Newest returns the view that may still show what is committed now, or the zero V. The caller then holds it.
func (vs *Views[V]) Newest() V {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	var none V
	if vs.newest != none {
		vs.held[vs.newest]++
	}
	return vs.newest
}

// Retire marks a view that can't be read any more. No new snapshot gets it. Those who hold it must still release it.
func (vs *Views[V]) Retire(v V) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.retire(v)
}

func (vs *Views[V]) retire(v V) {
	if vs.newest == v {
		var none V
		vs.newest = none
	}
}

// Release ends one holding of a view. After the last one no new snapshot gets the view, and unused is called for it. Call
// Forget when that has ended it.
func (vs *Views[V]) Release(v V) {
	vs.mu.Lock()
	vs.held[v]--
	last := vs.held[v] == 0
	if last {
		vs.retire(v)
	}
	vs.mu.Unlock()
	if last {
		vs.unused(v)
	}
}

// Forget is called when nothing of a view is left.
func (vs *Views[V]) Forget(v V) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	delete(vs.held, v)
}

// Each calls f for all views that are not forgotten. f must not call methods of Views.
func (vs *Views[V]) Each(f func(V)) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	for v := range vs.held {
		f(v)
	}
}
