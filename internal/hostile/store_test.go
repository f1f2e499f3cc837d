//go:build linux

package hostile_test

import (
	"bytes"
	"context"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// copying is a store whose every read makes a copy, as one on disk does. The one in memory returns the same bytes to all, so
// a read would cost nothing.
type copying struct{ store.Store }

func (s copying) Snapshot(ctx context.Context) (store.Snapshot, error) {
	snapshot, err := s.Store.Snapshot(ctx)
	return copyingSnapshot{snapshot}, err
}

type copyingSnapshot struct{ store.Snapshot }

func (s copyingSnapshot) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.Snapshot.Get(ctx, key)
	return bytes.Clone(value), err
}

func (s copyingSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Snapshot.GetMany(ctx, keys)
	for i, v := range values {
		values[i] = bytes.Clone(v)
	}
	return values, err
}

func (s copyingSnapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return copyingIterator{s.Snapshot.Scan(lo, hi, o)}
}

type copyingIterator struct{ store.Iterator }

func (i copyingIterator) Next(ctx context.Context) (string, []byte, bool, error) {
	key, value, ok, err := i.Iterator.Next(ctx)
	return key, bytes.Clone(value), ok, err
}
