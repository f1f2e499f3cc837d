//go:build linux

package hostile_test

import (
	"bytes"
	"context"

	"github.com/ccpeer/ccpeer/ledger"
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

// copied returns a copy of a value, for which there is room in the answer.
func copied(ctx context.Context, value []byte) ([]byte, error) {
	if err := ledger.Reserve(ctx, len(value)); err != nil {
		return nil, err
	}
	return bytes.Clone(value), nil
}

func (s copyingSnapshot) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.Snapshot.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return copied(ctx, value)
}

func (s copyingSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Snapshot.GetMany(ctx, keys)
	for i := range values {
		if err == nil {
			values[i], err = copied(ctx, values[i])
		}
	}
	return values, err
}

func (s copyingSnapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return copyingIterator{s.Snapshot.Scan(lo, hi, o), o.Reserve}
}

type copyingIterator struct {
	store.Iterator
	reserve bool
}

func (i copyingIterator) Next(ctx context.Context) (string, []byte, bool, error) {
	key, value, ok, err := i.Iterator.Next(ctx)
	if err != nil || !ok {
		return key, value, ok, err
	}
	if !i.reserve {
		return key, bytes.Clone(value), ok, nil
	}
	value, err = copied(ctx, value)
	return key, value, ok && err == nil, err
}
