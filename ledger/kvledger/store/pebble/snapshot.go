package pebble

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
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
	return s.get(ctx, key)
}

// largeBytes is from what size on a value is let go while its reader waits for room.
const largeBytes = 64 << 10

// get reads a value. It asks for room before it copies the value. Pebble has a large value in memory as long as it is not
// closed, so that it is closed meanwhile and read again.
func (s *snapshot) get(ctx context.Context, key string) ([]byte, error) {
	value, closer, err := s.open(key)
	if closer == nil {
		return nil, err
	}
	if n := len(value); n > largeBytes {
		if err := closer.Close(); err != nil {
			return nil, s.readError(err)
		}
		if err := ledger.Reserve(ctx, n); err != nil {
			return nil, err
		}
		if value, closer, err = s.open(key); closer == nil {
			return nil, err
		}
	} else if err := ledger.Reserve(ctx, n); err != nil {
		_ = closer.Close() // the transaction fails anyway
		return nil, err
	}
	value = append([]byte{}, value...) // not nil, also if it is empty
	if err := closer.Close(); err != nil {
		return nil, s.readError(err)
	}
	return value, nil
}

// open finds a value, which is there until the closer is closed. There is no closer if there is no value.
func (s *snapshot) open(key string) ([]byte, io.Closer, error) {
	value, closer, err := s.view.snapshot.Get(encodeKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, s.readError(err)
	}
	return value, closer, nil
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
			values[i], err = s.get(ctx, key)
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
