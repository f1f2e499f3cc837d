package pebble

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// maxBatch is how many bytes a batch may have. Pebble panics at 4 GiB, and needs several times a batch's size.
const maxBatch = 1 << 30

// flushTimeout is how long Close waits until what is not in tables is written there.
const flushTimeout = 10 * time.Second

// Store is a store.Store in a folder. It must be made by Open.
type Store struct {
	fs      vfs.FS
	dir     string
	minFree int64
	log     *zap.Logger
	guard   *guard

	db         *pebble.DB
	committing chan struct{} // holds one token while a batch is being committed, or the store closed

	// current is what new snapshots see: what the last commit has synced, where the database itself shows what is
	// yet to be synced. It is nil once the store is closed.
	current atomic.Pointer[view]
	views   atomic.Int64 // how many there are; the last one closes the database
}

var _ store.Store = (*Store)(nil)

// Snapshot implements store.Store. It never waits.
func (s *Store) Snapshot(context.Context) (store.Snapshot, error) {
	for {
		now := s.current.Load()
		if now == nil {
			return nil, store.ErrClosed
		}
		// What was being committed when the store failed may be on the disk or not.
		if err := s.guard.failed(); err != nil {
			return nil, err
		}
		if now.acquire() { // else a commit has replaced it since
			return newSnapshot(now), nil
		}
	}
}

// Commit implements store.Store. A batch may have up to 1 GiB. Once it has begun, a commit is finished, whatever becomes of
// ctx.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.committing <- struct{}{}:
		defer func() { <-s.committing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := s.current.Load()
	if now == nil {
		return store.ErrClosed
	}
	if err := s.guard.failed(); err != nil {
		return err
	}
	if now.head != b.Prev {
		return store.ErrHeadMoved
	}
	if err := s.checkFree(); err != nil {
		return err
	}
	if err := s.apply(b); err != nil {
		return err
	}
	s.publish(b.Next)
	return nil
}

// checkFree refuses a commit while that is still only an error. Once Pebble can't write a file any more, it can only fail.
func (s *Store) checkFree() error {
	if s.minFree < 0 {
		return nil
	}
	usage, err := s.fs.GetDiskUsage(s.dir)
	switch {
	case errors.Is(err, vfs.ErrUnsupported):
		return nil
	case err != nil:
		return errors.Wrap(err, "get free space of disk")
	case usage.AvailBytes < uint64(s.minFree):
		return errors.Errorf("the disk of data folder %s is nearly full: %d bytes are free, %d are needed",
			s.dir, usage.AvailBytes, s.minFree)
	}
	return nil
}

// apply writes a batch, and returns when it is synced.
func (s *Store) apply(b *store.Batch) (err error) {
	size := headSize
	for _, w := range b.Writes {
		size += len(w.Key) + len(w.Value) + 16 // for their lengths
	}
	if size > maxBatch {
		return errors.Errorf("the batch has %d bytes, at most %d are possible", size, maxBatch)
	}
	batch := s.db.NewBatchWithSize(size)
	defer func() {
		if closeErr := batch.Close(); err == nil && closeErr != nil {
			err = errors.Wrap(closeErr, "close batch")
		}
	}()
	if err := fill(batch, b); err != nil {
		return errors.Wrap(err, "encode batch")
	}
	if err := s.db.Apply(batch, pebble.Sync); err != nil {
		s.guard.fail(err)
	}
	return s.guard.failed()
}

func fill(batch *pebble.Batch, b *store.Batch) error {
	for _, w := range b.Writes {
		var op *pebble.DeferredBatchOp
		if w.Value == nil {
			op = batch.DeleteDeferred(1 + len(w.Key))
		} else {
			op = batch.SetDeferred(1+len(w.Key), len(w.Value))
			copy(op.Value, w.Value)
		}
		op.Key[0] = keyTag
		copy(op.Key[1:], w.Key)
		if err := op.Finish(); err != nil {
			return err
		}
	}
	return batch.Set(headKey, encodeHead(b.Next), nil)
}

// publish makes what the database has now visible to new snapshots. No commit may be under way.
func (s *Store) publish(head store.Head) {
	s.views.Add(1)
	v := &view{store: s, head: head, snapshot: s.db.NewSnapshot()}
	v.init()
	if old := s.current.Swap(v); old != nil {
		s.logged(old.release())
	}
}

// Close implements store.Store. It waits for a commit that has begun, and releases the folder. Snapshots should be closed
// before. If some are open, the error says so. They stay readable, and the folder is released when the last one is closed.
func (s *Store) Close() error {
	s.committing <- struct{}{}
	defer func() { <-s.committing }()
	last := s.current.Swap(nil)
	if last == nil {
		return store.ErrClosed
	}
	if err := last.release(); err != nil {
		return errors.Wrapf(err, "close data folder %s", s.dir)
	}
	if s.views.Load() > 0 {
		return errors.Errorf("close data folder %s: snapshots are open, it is released when they are closed", s.dir)
	}
	return nil
}

// closeDatabase leaves everything in tables, and nothing in the log. Damage to tables is easier to tell, and tables need no
// replay. Nothing is lost without that. So it is left out if it could fail, or take for ever.
func (s *Store) closeDatabase() error {
	if s.guard.failed() == nil && s.checkFree() == nil {
		flushed, err := s.db.AsyncFlush()
		if err != nil {
			s.logged(errors.Wrap(err, "begin to write tables"))
			return s.db.Close()
		}
		select {
		case <-flushed:
		case <-time.After(flushTimeout):
			s.log.Warn("the store is closed without its log being written to tables", zap.Duration("timeout", flushTimeout))
		}
	}
	return s.db.Close()
}

// logged is for errors that come where there is nobody to return them to.
func (s *Store) logged(err error) {
	if err != nil {
		s.log.Error("close a snapshot or the store", zap.Error(err))
	}
}
