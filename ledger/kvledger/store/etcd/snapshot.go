package etcd

import (
	"context"
	"sync/atomic"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// ErrCompacted says that the servers have forgotten what a snapshot sees. It must have been open for long.
var ErrCompacted = errors.New("the snapshot is older than what the etcd servers have retained")

const (
	// maxOps is how many operations a request of lookups has: as many as servers allow unless they are told otherwise.
	maxOps = 128
	// maxRequests is how many of them one GetMany makes at a time.
	maxRequests = 16
)

// snapshot is one caller's use of a view.
type snapshot struct {
	view   *view
	closed atomic.Bool
}

var _ store.Snapshot = (*snapshot)(nil)

// lookup is one key that is looked up together with others.
type lookup struct {
	key   string
	value []byte
	left  int // not 0: the value is not there yet, because all of them together are so many bytes
	err   error
	done  chan struct{} // closed when the rest is there
}

func (s *snapshot) Head() store.Head { return s.view.at.Head }

// Get has the key looked up. If ctx ends before, the request goes on for the others who share it.
func (s *snapshot) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := &lookup{key: key, done: make(chan struct{})}
	if s.closed.Load() || !s.view.gets.Add(l) {
		return nil, store.ErrClosed
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if l.err != nil {
		return nil, s.view.store.life.Failure(l.err, "read snapshot")
	}
	value := []([]byte){l.value}
	err := s.finish(ctx, &part{keys: []string{key}, values: value, left: l.left})
	return value[0], err
}

// lookUp serves all who want to look something up. If their values are too large together, each has to read its own.
func (v *view) lookUp(all []*lookup) {
	ctx, cancel := v.store.life.Limited()
	defer cancel()
	at := make(map[string]int, len(all))
	var keys []string
	for _, l := range all {
		if _, known := at[l.key]; !known {
			at[l.key] = len(keys)
			keys = append(keys, l.key)
		}
	}
	parts := partsOf(keys)
	err := v.store.getParts(ctx, v.revision.Load(), parts)
	for _, l := range all {
		if l.err = err; err == nil {
			i := at[l.key]
			p := parts[i/maxOps]
			l.value, l.left = p.values[i%maxOps], p.left
			if l.left > 0 && len(p.keys) > 1 {
				l.left = unknown
			}
		}
		close(l.done)
	}
}

func (s *snapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if s.closed.Load() {
		return nil, store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	values := make([][]byte, 0, len(keys))
	parts := partsOf(keys)
	for len(parts) > 0 {
		some := parts[:min(maxRequests, len(parts))]
		parts = parts[len(some):]
		err := s.view.store.life.Call(ctx, "read snapshot", func(ctx context.Context) error {
			return s.view.store.getParts(ctx, s.view.revision.Load(), some)
		})
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			if err := s.finish(ctx, p); err != nil {
				return nil, err
			}
			values = append(values, p.values...)
		}
	}
	return values, nil
}

func (s *snapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return newIterator(s, lo, hi, o)
}

func (s *snapshot) Close() {
	if !s.closed.Swap(true) {
		s.view.store.views.Release(s.view)
	}
}

// get sets the values of up to maxOps keys.
func (s *Store) get(ctx context.Context, revision int64, keys []string, values [][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	return s.read(ctx, revision, func(ctx context.Context, options ...clientv3.OpOption) error {
		if len(keys) == 1 {
			resp, err := s.client.Get(ctx, s.keys.lo+keys[0], options...)
			if err == nil {
				values[0] = valueOf(resp.Kvs)
			}
			return err
		}
		ops := make([]clientv3.Op, len(keys))
		for i, key := range keys {
			ops[i] = clientv3.OpGet(s.keys.lo+key, options...)
		}
		resp, err := s.client.Txn(ctx).Then(ops...).Commit()
		if err != nil {
			return err
		}
		for i, r := range resp.Responses {
			values[i] = valueOf(r.GetResponseRange().Kvs)
		}
		return nil
	})
}

// read has any server read at a revision. One that is behind is made to wait until it is not, which asks its leader.
func (s *Store) read(ctx context.Context, revision int64, f func(context.Context, ...clientv3.OpOption) error) error {
	at := clientv3.WithRev(revision)
	err := s.retry(ctx, func(ctx context.Context) error {
		err := f(ctx, at, clientv3.WithSerializable())
		if errors.Is(err, rpctypes.ErrFutureRev) {
			err = f(ctx, at)
		}
		return err
	})
	if errors.Is(err, rpctypes.ErrCompacted) {
		return ErrCompacted
	}
	return err
}

// valueOf returns the value of the pair that was found, which is not nil, or nil.
func valueOf(kvs []*mvccpb.KeyValue) []byte {
	switch {
	case len(kvs) == 0:
		return nil
	case kvs[0].Value == nil:
		return []byte{}
	}
	return kvs[0].Value
}
