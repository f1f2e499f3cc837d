package postgres

import (
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// Store is a store.Store in a database. It must be made by Open.
type Store struct {
	pool *pgxpool.Pool
	sql  statements

	life  *remote.Lifetime
	views *remote.Views[*view]

	unsettled atomic.Bool   // a commit has left open what is durable
	slots     chan struct{} // holds a token for each view
}

var _ store.Store = (*Store)(nil)

func newStore(cfg Config, pool *pgxpool.Pool, q statements) *Store {
	s := &Store{
		pool: pool, sql: q, life: remote.NewLifetime(cfg.Timeout), slots: make(chan struct{}, cfg.MaxConns-otherConns),
	}
	s.views = remote.NewViews(s.life, s.currentView, (*view).unused)
	return s
}

// Close implements store.Store. It waits for a commit that has begun, and closes all connections. A snapshot should be
// closed before. If one is still open, it returns ErrClosed from then on.
func (s *Store) Close() error {
	if err := s.life.Close(); err != nil {
		return err
	}
	s.views.Each(func(v *view) { v.conn.Release() })
	s.pool.Close()
	return nil
}
