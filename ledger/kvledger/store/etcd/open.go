package etcd

import (
	"context"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ErrForeign says that there are etcd keys under the prefix that don't belong to a store.
var ErrForeign = errors.New("what is there is not a store's")

// ErrFormat says that the store was written in a format that this version of the package doesn't know.
var ErrFormat = errors.New("the store has another format")

// Open opens the store in a cluster, or creates one there. It waits for the cluster until ctx or Config.Timeout has ended.
// If errors.Is finds ErrForeign or ErrFormat in the error, nothing was changed.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	client, err := cfg.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := newStore(cfg, client)
	limited, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	if err := s.prepare(limited); err != nil {
		_ = client.Close() // there is an error already
		return nil, errors.Wrapf(err, "open store with prefix %q", cfg.Prefix)
	}
	if cfg.Retain > 0 {
		s.life.Start(s.compactor(cfg.Retain))
	}
	return s, nil
}

// prepare finds out whether the store is there, and creates it if nothing is.
func (s *Store) prepare(ctx context.Context) error {
	// The range is empty if there is a revision 0 of all that is in it.
	nothing := clientv3.Compare(clientv3.CreateRevision(s.keys.prefix).WithRange(s.keys.prefixHi), "=", 0)
	zero := record{}.encode()
	err := s.retry(ctx, func(ctx context.Context) error {
		_, err := s.client.Txn(clientv3.WithRequireLeader(ctx)).If(nothing).Then(clientv3.OpPut(s.keys.head, zero)).Commit()
		return err
	})
	if err != nil {
		return errors.Wrap(err, "create store")
	}
	_, _, err = s.readHead(ctx)
	return err
}
