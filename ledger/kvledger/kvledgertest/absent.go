package kvledgertest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// lookedUp counts the keys that are looked up in a store many at once.
type lookedUp struct {
	store.Store
	keys atomic.Int64
}

func (s *lookedUp) Snapshot(ctx context.Context) (store.Snapshot, error) {
	inner, err := s.Store.Snapshot(ctx)
	return &lookedUpSnapshot{inner, &s.keys}, err
}

type lookedUpSnapshot struct {
	store.Snapshot
	keys *atomic.Int64
}

func (s *lookedUpSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	s.keys.Add(int64(len(keys)))
	return s.Snapshot.GetMany(ctx, keys)
}

// testAbsent commits what has read very many absent keys and then some large values, and what adds many documents and replaces
// large ones that have an index. Large values are read a few at a time. That must not make the ledger look up the absent
// keys before them again and again.
func testAbsent(t *testing.T, inner store.Store) {
	const absent, large = 20_000, 6
	s := &lookedUp{Store: inner}
	l := OpenLedger(t, s, "mychannel")
	index, err := kvledger.ParseIndex([]byte(bySize))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Define(t.Context(), ns, kvledger.Definition{Indexes: []kvledger.Index{index}}); err != nil {
		t.Fatal(err)
	}
	keys := make([]string, absent, absent+large)
	for i := range absent {
		keys[i] = fmt.Sprintf("k%06d", i)
	}
	document := fmt.Sprintf(`{"size":1,"text":"%s"}`, strings.Repeat("x", 1<<20))
	for i := range large { // one by one, since an engine may limit a batch
		keys = append(keys, fmt.Sprintf("large%d", i))
		commitStates(t, l, keys[absent+i], nil, keys[absent+i:], document)
	}
	for txID, keys := range map[string]struct{ reads, writes []string }{
		"reads": {keys, []string{"result"}}, "replaces": {nil, keys[absent-1000:]},
	} {
		s.keys.Store(0)
		commitStates(t, l, txID, keys.reads, keys.writes, `{"size":1}`)
		if n, most := s.keys.Load(), 6*int64(len(keys.reads)+len(keys.writes)); n > most {
			t.Errorf("a block that %s large values after absent keys looks up %d keys, want %d at most", txID, n, most)
		}
	}
}

// commitStates commits a transaction that reads and writes.
func commitStates(t *testing.T, l *kvledger.Ledger, txID string, reads, writes []string, value string) {
	t.Helper()
	sim, err := Simulate(t.Context(), l, txID)
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	if _, err := sim.GetStateMultipleKeys(t.Context(), ns, reads); err != nil {
		t.Fatal(err)
	}
	for _, key := range writes {
		if err := sim.SetState(t.Context(), ns, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := kvledger.TransactionOf(t.Context(), sim, txID, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if code, err := l.CommitTx(t.Context(), tx); code != kvledger.Valid || err != nil {
		t.Fatal(code, err)
	}
}
