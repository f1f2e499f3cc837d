package etcd

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Store is a store.Store in a cluster. It must be made by Open.
type Store struct {
	client  *clientv3.Client
	keys    layout
	timeout time.Duration
	log     *zap.Logger

	ctx    context.Context // of everything; it ends with the store
	cancel context.CancelFunc

	committing chan struct{} // holds one token while a batch is being committed
	openings   combiner[*opening]

	// left counts the commits that have left a request behind, which may still be carried out, and settled is how many
	// of them it was when all were known not to be any more.
	left, settled atomic.Uint64

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // goroutines and calls; none is added when closed is set
	known   record         // the head as it was last read or written: perhaps not any more
	seen    int64          // the highest revision of the cluster that is known
	views   map[*view]struct{}
	newest  *view // the view that was opened last, unless it is closed
}

var _ store.Store = (*Store)(nil)

func newStore(cfg Config, client *clientv3.Client) *Store {
	s := &Store{
		client: client, keys: newLayout(cfg.Prefix), timeout: cfg.Timeout, log: cfg.Logger,
		committing: make(chan struct{}, 1), views: map[*view]struct{}{},
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

// call runs f in the caller's time: no longer than Config.Timeout, nor than the store is open.
func (s *Store) call(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	err := f(limited)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return s.failure(err, "read snapshot")
}

// failure returns the error, if there is one, of something that ends with the store.
func (s *Store) failure(err error, what string) error {
	if err != nil && s.ctx.Err() != nil {
		return store.ErrClosed
	}
	return errors.Wrap(err, what)
}

// note keeps what is known of the head, and of the cluster's revision.
func (s *Store) note(r record, revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.seen = r, max(s.seen, revision)
}

func (s *Store) knownHead() record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
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
	return errors.Wrap(s.client.Close(), "close connections")
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
