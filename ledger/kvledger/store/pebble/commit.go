package pebble

import (
	"context"
	"sync/atomic"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// attempt is a commit that has begun. It goes on by itself if the disk doesn't answer, and its caller doesn't wait longer.
type attempt struct {
	done   chan struct{} // closed at the end; err is set then
	err    error
	stalls atomic.Bool // it waits for tables
}

// givenUp says what a caller no longer waits for.
func (a *attempt) givenUp(ctx context.Context, dir string) error {
	what := "log"
	if a.stalls.Load() {
		what = "tables"
	}
	return errors.Wrapf(ctx.Err(), "wait until the disk has written the %s of data folder %s", what, dir)
}

// Commit implements store.Store. A batch may have up to 1 GiB. Commit returns when ctx ends, even if the disk doesn't answer
// then. The batch may still be written after that. Until that is settled, Snapshot waits, and so does the next Commit.
//
// As long as tables can't be written, nothing is committed. The error says why. While a merge of tables that has failed is tried
// again, Commit waits for it, and fails only if it fails again.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.committing <- struct{}{}:
	case <-s.closing:
		return store.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	a := &attempt{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer func() { <-s.committing }()
		a.err = s.commit(ctx, a, b)
	}()
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
	}
	s.unfinished.Store(a)
	select {
	case <-a.done: // both at once
		return a.err
	default:
		return a.givenUp(ctx, s.dir)
	}
}

// settle waits for a commit whose caller has gone.
func (s *Store) settle(ctx context.Context) error {
	a := s.unfinished.Load()
	if a == nil {
		return nil
	}
	select {
	case <-a.done:
		return nil
	case <-s.closing:
		return store.ErrClosed
	case <-ctx.Done():
		return errors.Wrap(ctx.Err(), "wait for an earlier commit, which the disk has not answered")
	}
}

func (s *Store) commit(ctx context.Context, a *attempt, b *store.Batch) error {
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
	if err := s.waitForTables(ctx, a); err != nil {
		return err
	}
	if err := s.apply(b); err != nil {
		return err
	}
	s.head.note(b.Next)
	s.publish(now, b.Next)
	return nil
}

// waitForTables returns when there is room for what a batch leaves to be written to tables, or says why there won't be. If a
// merge has failed and is tried again, its end tells whether tables can be written, so it is waited for.
func (s *Store) waitForTables(ctx context.Context, a *attempt) error {
	before := s.guard.tables.failedMerges()
	for {
		now := s.guard.tables.chances(before)
		switch {
		case now.err != nil:
			return errors.Wrapf(now.err, "write tables of data folder %s: "+
				"see that the disk is writable and has room, and commit again", s.dir)
		case now.retried:
		case now.room:
			return nil
		default:
			m := s.db.Metrics()
			if m.MemTable.Size <= maxMemTables*s.memTableSize && m.Levels[0].Sublevels < maxSublevels {
				s.guard.tables.hasRoom(now.changed)
				return nil
			}
		}
		a.stalls.Store(true)
		select {
		case <-now.changed:
		case <-s.closing:
			return store.ErrClosed
		case <-ctx.Done():
			return a.givenUp(ctx, s.dir)
		}
		a.stalls.Store(false)
	}
}

// publish makes what the database has now visible to new snapshots, in place of what they saw before.
func (s *Store) publish(before *view, head store.Head) {
	s.views.Add(1)
	v := &view{store: s, head: head, snapshot: s.db.NewSnapshot()}
	v.init()
	if !s.current.CompareAndSwap(before, v) { // Close has come meanwhile, and releases the one before
		before = v
	}
	if before != nil {
		s.logged(before.release())
	}
}
