package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// view is what the snapshots on one head share: a transaction that reads.
type view struct {
	store *Store
	conn  *pgxpool.Conn
	head  store.Head
	reads combiner[*read]
	err   error // why it can't be read any more; belongs to the combiner's goroutine

	refs int // guarded by store.mu
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
	if len(s.slots) == cap(s.slots) {
		return nil, s.exhausted(ctx)
	}
	return nil, ctx.Err()
}

func (s *Store) exhausted(ctx context.Context) error {
	return errors.Wrapf(ctx.Err(), "wait for a connection: snapshots are open on %d heads, Config.MaxConns allows no more", cap(s.slots))
}

// failure returns the error of something that was done in the store's own time.
func (s *Store) failure(err error, what string) error {
	if s.ctx.Err() != nil {
		return store.ErrClosed
	}
	return errors.Wrap(err, what)
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

// currentView returns the newest view, if nothing was committed since, or opens one. It has to be released.
func (s *Store) currentView(ctx context.Context) (*view, error) {
	if s.unsettled.Load() {
		if _, err := s.settle(ctx); err != nil {
			return nil, err
		}
	}
	if v := s.newestView(); v != nil {
		var blocks, epoch int64
		err := s.pool.QueryRow(ctx, s.sql.readHead).Scan(&blocks, &epoch)
		if err == nil && v.head == (store.Head{Blocks: uint64(blocks), Epoch: uint64(epoch)}) {
			return v, nil
		}
		v.release()
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, s.exhausted(ctx)
	}
	v, err := s.openView(ctx)
	if err != nil {
		<-s.slots
	}
	return v, err
}

// newestView returns the view that may be the current one, which has to be released, or nil.
func (s *Store) newestView() *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest != nil {
		s.newest.refs++
	}
	return s.newest
}

// openView begins a transaction. It tries a second time because the first connection may have been to a server that
// has gone since it was last used.
func (s *Store) openView(ctx context.Context) (*view, error) {
	conn, head, err := s.begin(ctx)
	if err != nil && transient(err) {
		s.pool.Reset()
		conn, head, err = s.begin(ctx)
	}
	if err != nil {
		return nil, err
	}
	v := &view{store: s, conn: conn, head: head, refs: 1}
	v.reads = combiner[*read]{start: s.start, do: v.do}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views[v] = struct{}{}
	s.newest = v
	return v, nil
}

func (s *Store) begin(ctx context.Context) (*pgxpool.Conn, store.Head, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, store.Head{}, err
	}
	var blocks, epoch int64
	b := new(pgx.Batch)
	b.Queue(begin)
	b.Queue(s.sql.readHead).QueryRow(func(row pgx.Row) error { return row.Scan(&blocks, &epoch) })
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		conn.Release() // which closes it, if it is in a transaction
		return nil, store.Head{}, err
	}
	return conn, store.Head{Blocks: uint64(blocks), Epoch: uint64(epoch)}, nil
}

// release gives up one use of the view, and ends it after the last one.
func (v *view) release() {
	s := v.store
	s.mu.Lock()
	v.refs--
	last := v.refs == 0
	if last && s.newest == v {
		s.newest = nil
	}
	s.mu.Unlock()
	if last {
		// Behind reads that nobody waits for any more. When the store is closed, Close sees to the connection.
		v.reads.add(&read{end: true, done: make(chan struct{})})
	}
}

// end gives the connection back. Nothing follows it.
func (v *view) end() {
	s := v.store
	if v.err == nil {
		ctx, cancel := s.limited()
		defer cancel()
		// Release closes a connection where this has failed.
		_, _ = v.conn.Exec(ctx, rollback)
	}
	s.mu.Lock()
	delete(s.views, v)
	s.mu.Unlock()
	v.conn.Release()
	<-s.slots
}

// fail is for a view whose connection or transaction has come to an end: no new snapshot may get it.
func (v *view) fail(err error) {
	v.err = err
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	if v.store.newest == v {
		v.store.newest = nil
	}
}
