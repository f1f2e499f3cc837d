package pebble

import (
	"context"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// maxBatch is how many bytes a batch may have. Pebble panics at 4 GiB, and needs several times a batch's size.
const maxBatch = 1 << 30

// Store is a store.Store in a folder. It must be made by Open.
type Store struct {
	fs      vfs.FS
	dir     string
	minFree int64
	log     *zap.Logger
	guard   *guard

	memTableSize uint64

	db         *pebble.DB
	head       *headFile     // used by commits
	committing chan struct{} // holds one token while a batch is being committed, or the store closed
	closing    chan struct{} // closed when Close is called
	unfinished atomic.Pointer[attempt]

	// current is what new snapshots see: what the last commit has synced, where the database itself shows what is
	// yet to be synced. It is nil once the store is closed.
	current atomic.Pointer[view]
	views   atomic.Int64 // how many there are; the last one closes the database
}

var _ store.Store = (*Store)(nil)

// Snapshot implements store.Store. It waits only if a commit has returned before its end: for that end, so that the head
// tells what has become of it.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
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
