package postgres

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Store is a store.Store in a database. It must be made by Open.
type Store struct {
	pool    *pgxpool.Pool
	sql     statements
	timeout time.Duration

	ctx    context.Context // of everything that no single caller may end; it ends with the store
	cancel context.CancelFunc

	committing chan struct{} // holds one token while a batch is being committed
	unsettled  atomic.Bool   // a commit has left open what is durable
	openings   combiner[*opening]
	slots      chan struct{} // holds a token for each view

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // goroutines; none is added when closed is set
	views   map[*view]struct{}
	newest  *view // the view that was opened last, unless it is closed or has failed
}

var _ store.Store = (*Store)(nil)

func newStore(cfg Config, pool *pgxpool.Pool, q statements) *Store {
	s := &Store{
		pool: pool, sql: q, timeout: cfg.Timeout,
		committing: make(chan struct{}, 1), slots: make(chan struct{}, cfg.MaxConns-otherConns), views: map[*view]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.openings = combiner[*opening]{start: s.start, do: s.open}
	return s
}

// start runs f in a goroutine, unless the store is closed.
func (s *Store) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(f)
	return true
}

// limited returns the context of something that may take as long as Config.Timeout, whatever becomes of its caller.
func (s *Store) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, s.timeout)
}

// Close implements store.Store: it waits for a commit that has begun, and closes all connections. A snapshot that is
// still open, against the rule, returns ErrClosed from then on.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.committing <- struct{}{}
	defer func() { <-s.committing }()
	s.cancel()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.views {
		v.conn.Release()
	}
	s.pool.Close()
	return nil
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
