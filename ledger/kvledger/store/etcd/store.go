package etcd

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// Store is a store.Store in a cluster. It must be made by Open.
type Store struct {
	client  *clientv3.Client
	keys    layout
	request time.Duration // how long one request to one server may take
	log     *zap.Logger

	life  *remote.Lifetime
	views *remote.Views[*view]

	// A commit may leave a request behind that may still be carried out. left counts these commits. settled is the value
	// that left had when all of them were known to be over.
	left, settled atomic.Uint64

	mu    sync.Mutex
	known record // the head as it was last read or written: perhaps not any more
	seen  int64  // the highest revision of the cluster that is known
}

var _ store.Store = (*Store)(nil)

func newStore(cfg Config, client *clientv3.Client) *Store {
	s := &Store{
		client: client, keys: newLayout(cfg.Prefix), request: cfg.Timeout / tries, log: cfg.Logger,
		life: remote.NewLifetime(cfg.Timeout),
	}
	s.views = remote.NewViews(s.life, s.currentView, func(v *view) { s.views.Forget(v) })
	return s
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

func (s *Store) knownRevision() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// Close implements store.Store. It waits for a commit that has begun, and closes all connections. A snapshot should be
// closed before. If one is still open, it returns ErrClosed from then on.
func (s *Store) Close() error {
	if err := s.life.Close(); err != nil {
		return err
	}
	if err := s.client.Close(); err != nil {
		return errors.Wrap(err, "close connections")
	}
	return nil
}
