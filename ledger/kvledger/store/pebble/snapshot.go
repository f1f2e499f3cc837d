package pebble

import (
	"context"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// uses counts the users of something that is released after the last use. Pebble panics if something closed is used.
type uses struct{ n atomic.Int64 }

func (u *uses) init() { u.n.Store(1) }

// acquire adds a use, unless there has been the last one.
func (u *uses) acquire() bool {
	for {
		n := u.n.Load()
		if n == 0 {
			return false
		}
		if u.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// drop ends a use, and says whether it was the last one.
func (u *uses) drop() bool { return u.n.Add(-1) == 0 }

// view is the database after a commit. All snapshots that are taken before the next one share it.
type view struct {
	uses
	store    *Store
	head     store.Head
	snapshot *pebble.Snapshot
}

func (v *view) release() error {
	if !v.drop() {
		return nil
	}
	err := v.snapshot.Close()
	if v.store.views.Add(-1) > 0 {
		return err
	}
	if closeErr := v.store.closeDatabase(); err == nil {
		err = closeErr
	}
	return err
}

// snapshot is one use of a view. It counts its own uses so that snapshots don't contend for the view's count.
type snapshot struct {
	uses
	view   *view
	closed atomic.Bool
}

var _ store.Snapshot = (*snapshot)(nil)

func newSnapshot(v *view) *snapshot {
	s := &snapshot{view: v}
	s.init()
	return s
}

func (s *snapshot) Head() store.Head { return s.view.head }

func (s *snapshot) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() || !s.acquire() {
		return nil, store.ErrClosed
	}
	defer s.release()
	return s.get(key)
}

func (s *snapshot) get(key string) ([]byte, error) {
	value, closer, err := s.view.snapshot.Get(encodeKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.readError(err)
	}
	value = append([]byte{}, value...) // not nil, also if it is empty
	if err := closer.Close(); err != nil {
		return nil, s.readError(err)
	}
	return value, nil
}

func (s *snapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if s.closed.Load() || !s.acquire() {
		return nil, store.ErrClosed
	}
	defer s.release()
	values := make([][]byte, len(keys))
	for i, key := range keys {
		err := ctx.Err()
		if err == nil {
			values[i], err = s.get(key)
		}
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (s *snapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	it := &iterator{snapshot: s, lo: lo, hi: hi, options: o}
	switch {
	case s.closed.Load() || !s.acquire():
		it.end, it.closed = store.ErrClosed, true
	case hi != "" && lo >= hi:
		it.end = errEnd
	}
	return it
}

func (s *snapshot) Close() {
	if !s.closed.Swap(true) {
		s.release()
	}
}

func (s *snapshot) release() {
	if s.drop() {
		s.view.store.logged(s.view.release())
	}
}

func (s *snapshot) readError(err error) error {
	return errors.Wrapf(damage(err), "read data folder %s", s.view.store.dir)
}
