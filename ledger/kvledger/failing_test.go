package kvledger_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

var errDisk = errors.New("disk on fire")

// failingStore is a store of which one method fails.
type failingStore struct {
	store.Store
	method string
}

func (s *failingStore) err(method string) error {
	if s.method == method {
		return errDisk
	}
	return nil
}

func (s *failingStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := s.err("Snapshot"); err != nil {
		return nil, err
	}
	inner, err := s.Store.Snapshot(ctx)
	return &failingSnapshot{inner, s}, err
}

func (s *failingStore) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.err("Commit"); err != nil {
		return err
	}
	return s.Store.Commit(ctx, b)
}

type failingSnapshot struct {
	store.Snapshot
	store *failingStore
}

func (s *failingSnapshot) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.store.err("Get"); err != nil {
		return nil, err
	}
	return s.Snapshot.Get(ctx, key)
}

func (s *failingSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if err := s.store.err("GetMany"); err != nil {
		return nil, err
	}
	return s.Snapshot.GetMany(ctx, keys)
}

func (s *failingSnapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return &failingIterator{s.Snapshot.Scan(lo, hi, o), s.store}
}

type failingIterator struct {
	store.Iterator
	store *failingStore
}

func (it *failingIterator) Next(ctx context.Context) (string, []byte, bool, error) {
	if err := it.store.err("Next"); err != nil {
		return "", nil, false, err
	}
	return it.Iterator.Next(ctx)
}

// TestFailingStore has every method of the store fail. What depends on it fails too, with the cause, and nothing is
// committed; afterwards all is as before.
func TestFailingStore(t *testing.T) {
	s := &failingStore{Store: memory.New()}
	l := open(t, kvledger.NewProvider(s), "c")
	fill(t, l, 120)
	ctx := t.Context()
	few, many := simulate(t, l, get("k0001"), scan("k", "l", 5)), simulate(t, l, scan("k", "l", -1), put("k0001", "x"))
	for _, method := range []string{"Snapshot", "Get", "GetMany", "Next", "Commit"} {
		t.Run(method, func(t *testing.T) {
			sim := newSimulator(t, l, "tx")
			s.method = method
			defer func() { s.method = "" }()
			want := func(what string, err error, fails bool) {
				t.Helper()
				if errors.Is(err, errDisk) != fails {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := l.Height(ctx)
			want("Height", err, method == "Snapshot" || method == "Get")
			_, err = sim.GetState(ctx, ns, "k0001")
			want("GetState", err, method == "Get")
			it, err := sim.GetStateRange(ctx, ns, all)
			if err != nil {
				t.Fatal(err)
			}
			_, err = it.Next(ctx)
			want("Next", err, method == "Next")
			history, err := sim.GetHistoryForKey(ctx, ns, "k0001")
			if err != nil {
				t.Fatal(err)
			}
			_, err = history.Next(ctx)
			want("history's Next", err, method == "Next")
			for name, call := range reads(t, sim, "k0001") {
				one := name == "GetState" || name == "GetPrivateDataHash"
				// The first use of a collection reads its definition.
				defines := method == "Get" && strings.Contains(name, "Private")
				want(name, call(), defines || (one && method == "Get") || (!one && method == "GetMany" && !strings.Contains(name, "Range")))
			}
			if method == "Get" {
				return // a commit reads many at once
			}
			for _, rwset := range [][]byte{few, many} {
				_, err = l.CommitTx(ctx, kvledger.Transaction{TxID: "tx", RWSet: rwset})
				want("CommitTx", err, true)
			}
		})
	}
	if value := state(t, l, "k0001"); value != "v" {
		t.Errorf("k0001 is %q: a block was committed that failed", value)
	}
	if got := commit(t, l, few, many); got[0] != valid || got[1] != valid {
		t.Errorf("afterwards: %v", got)
	}
}
