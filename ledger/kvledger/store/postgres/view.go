package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// view is what the snapshots on one head share: a transaction that reads.
type view struct {
	store *Store
	conn  *pgxpool.Conn
	head  store.Head
	reads *remote.Combiner[*read]
	err   error // why it can't be read any more; belongs to the combiner's goroutine
}

// Snapshot implements store.Store.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v, err := s.views.Current(ctx)
	switch {
	case err == nil:
		return &snapshot{view: v}, nil
	case ctx.Err() != nil && len(s.slots) == cap(s.slots):
		return nil, s.exhausted(ctx)
	}
	return nil, err
}

func (s *Store) exhausted(ctx context.Context) error {
	return errors.Wrapf(ctx.Err(), "wait for a connection: snapshots are open on %d heads, Config.MaxConns allows no more", cap(s.slots))
}

// currentView returns the newest view, if nothing was committed since, or opens one. It has to be released.
func (s *Store) currentView(ctx context.Context) (*view, error) {
	if s.unsettled.Load() {
		if _, err := s.settle(ctx); err != nil {
			return nil, err
		}
	}
	if v := s.views.Newest(); v != nil {
		var blocks, epoch int64
		err := s.pool.QueryRow(ctx, s.sql.readHead).Scan(&blocks, &epoch)
		if err == nil && v.head == (store.Head{Blocks: uint64(blocks), Epoch: uint64(epoch)}) {
			return v, nil
		}
		s.views.Release(v)
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
	v := &view{store: s, conn: conn, head: head}
	v.reads = remote.NewCombiner(s.life.Start, v.do)
	s.views.Add(v)
	s.views.SetNewest(v)
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

// unused ends the view when nobody holds it any more. The combiner may still have reads for which nobody waits any more, and
// the end comes after them. If the store is closed, Close ends the connection.
func (v *view) unused() {
	v.reads.Add(&read{end: true, done: make(chan struct{})})
}

// end gives the connection back. Nothing follows it.
func (v *view) end() {
	s := v.store
	if v.err == nil {
		ctx, cancel := s.life.Limited()
		defer cancel()
		// Release closes a connection where this has failed.
		_, _ = v.conn.Exec(ctx, rollback)
	}
	s.views.Forget(v)
	v.conn.Release()
	<-s.slots
}

// fail notes that a view's connection or transaction has ended. No new snapshot gets the view.
func (v *view) fail(err error) {
	v.err = err
	v.store.views.Retire(v)
}
