// Package copying is a store for tests whose every read makes a copy, as one on disk does. The one in memory returns the same
// bytes to all, so a read would cost nothing.
package copying

import (
	"bytes"
	"context"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Store copies whatever is read of another one, and asks for room before that, as store.Snapshot says. For what is absent it
// asks for none.
type Store struct{ store.Store }

// Snapshot implements store.Store.
func (s Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	inner, err := s.Store.Snapshot(ctx)
	return snapshot{inner}, err
}

type snapshot struct{ store.Snapshot }

func (s snapshot) Get(ctx context.Context, key string) ([]byte, error) {
	values, err := s.GetMany(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

func (s snapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Snapshot.GetMany(ctx, keys)
	for i, v := range values {
		if v == nil {
			continue
		}
		if err := ledger.Reserve(ctx, len(v)); err != nil {
			return nil, err
		}
		values[i] = bytes.Clone(v)
	}
	return values, err
}

func (s snapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return iterator{s.Snapshot.Scan(lo, hi, o), o.Reserve}
}

type iterator struct {
	store.Iterator
	reserve bool
}

func (it iterator) Next(ctx context.Context) (string, []byte, bool, error) {
	key, value, ok, err := it.Iterator.Next(ctx)
	if ok && it.reserve {
		err = ledger.Reserve(ctx, len(value))
	}
	if !ok || err != nil {
		return key, nil, false, err
	}
	return key, bytes.Clone(value), true, nil
}
