package etcd

import (
	"context"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// sharing is how long a view is given to those who ask for a snapshot, if the head is the same. What they look up at
// the same time is then one request. A longer time would make snapshots older for compaction than they have to be.
const sharing = time.Second

// view is what the snapshots on one revision share.
type view struct {
	store  *Store
	at     record
	opened time.Time
	gets   combiner[*lookup]

	revision int64 // until it is known, one that is not higher; guarded by store.mu until then
	refs     int   // guarded by store.mu
}

// opening is someone who waits for a snapshot.
type opening struct {
	done chan struct{} // closed when view or err is set
	err  error

	view *view // guarded by store.mu, as is left
	left bool  // nobody waits any more
}

// Snapshot implements store.Store.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	o := &opening{done: make(chan struct{})}
	if !s.openings.add(o) {
		return nil, store.ErrClosed
	}
	select {
	case <-o.done:
		if o.err != nil {
			return nil, s.failure(o.err, "open snapshot")
		}
		return &snapshot{view: o.view}, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	o.left = true
	v := o.view
	s.mu.Unlock()
	if v != nil { // it came at the same time
		v.release()
	}
	return nil, ctx.Err()
}

// open serves all who wait for a snapshot. What it gives them is not older than their asking.
func (s *Store) open(all []*opening) {
	ctx, cancel := s.limited()
	defer cancel()
	v, err := s.currentView(ctx)
	s.mu.Lock()
	for _, o := range all {
		o.err = err
		if err == nil && !o.left {
			o.view = v
			v.refs++
		}
		close(o.done)
	}
	s.mu.Unlock()
	if err == nil {
		v.release()
	}
}

// currentView reads the head, and returns the newest view, if that is on it, or a new one. It has to be released.
func (s *Store) currentView(ctx context.Context) (*view, error) {
	v := s.addView()
	if err := s.settle(ctx); err != nil {
		v.release()
		return nil, err
	}
	at, revision, err := s.readHead(ctx)
	if err != nil {
		v.release()
		return nil, err
	}
	s.mu.Lock()
	newest := s.newest
	if newest != nil && newest.at.revision == at.revision && time.Since(newest.opened) < sharing {
		newest.refs++
		s.mu.Unlock()
		v.release()
		return newest, nil
	}
	v.at, v.revision = at, revision
	s.newest = v
	s.mu.Unlock()
	return v, nil
}

// addView returns a view whose revision is not known yet. What is known keeps the compactor from being faster.
func (s *Store) addView() *view {
	v := &view{store: s, opened: time.Now(), refs: 1}
	v.gets = combiner[*lookup]{start: s.start, do: v.lookUp}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.revision = s.seen
	s.views[v] = struct{}{}
	return v
}

// release gives up one use of the view, and forgets it after the last one.
func (v *view) release() {
	s := v.store
	s.mu.Lock()
	defer s.mu.Unlock()
	v.refs--
	if v.refs > 0 {
		return
	}
	delete(s.views, v)
	if s.newest == v {
		s.newest = nil
	}
}
