package kvledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// presentStore asks for room for the values that are there, and for nothing else, as Pebble does. It counts the keys that are
// looked up many at once.
type presentStore struct {
	store.Store
	calls, keys int
}

func (s *presentStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	inner, err := s.Store.Snapshot(ctx)
	return &presentSnapshot{inner, s}, err
}

type presentSnapshot struct {
	store.Snapshot
	store *presentStore
}

func (s *presentSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	s.store.calls++
	s.store.keys += len(keys)
	values, err := s.Snapshot.GetMany(ctx, keys)
	for _, v := range values {
		if v == nil {
			continue
		}
		if err := ledger.Reserve(ctx, len(v)); err != nil {
			return nil, err
		}
	}
	return values, err
}

// F150: a commit that has read very many absent keys, and then large values, looks up each key a few times, and not once for
// each of the others. kvledgertest has the same for every store, and for documents that are replaced.
func TestCommitOfAbsentReads(t *testing.T) {
	const absent = 100_000
	for _, large := range []struct{ n, size int }{{2, 8 << 20}, {64, 1 << 20}} {
		t.Run(fmt.Sprintf("%d of %d bytes", large.n, large.size), func(t *testing.T) {
			s := &presentStore{Store: memory.New()}
			t.Cleanup(func() { _ = s.Close() })
			l := open(t, kvledger.NewProvider(s), "ch")
			keys := make([]string, absent, absent+large.n)
			for i := range absent {
				keys[i] = fmt.Sprintf("k%06d", i)
			}
			for i := range large.n {
				keys = append(keys, fmt.Sprintf("z%02d", i))
				commit(t, l, simulate(t, l, put(keys[absent+i], string(make([]byte, large.size)))))
			}
			rwset := simulate(t, l, getMany(keys...), put("result", "x"))
			s.keys, s.calls = 0, 0
			if codes := commit(t, l, rwset); codes[0] != valid {
				t.Errorf("the transaction is %s", codes[0])
			}
			t.Logf("%d keys are looked up in %d calls", s.keys, s.calls)
			if s.keys > 6*len(keys) || s.calls > 100 {
				t.Errorf("%d keys are looked up in %d calls, want each a few times", s.keys, s.calls)
			}
		})
	}
}
