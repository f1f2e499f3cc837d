package kvledger_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// faultyStore is a store of which the call after some others fails, and which counts what is open.
type faultyStore struct {
	store.Store
	left                 int // calls that succeed; negative is all
	snapshots, iterators int
	t                    *testing.T
}

func (s *faultyStore) call() error {
	s.left--
	if s.left == -1 {
		return errDisk
	}
	return nil
}

func (s *faultyStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	if err := s.call(); err != nil {
		return nil, err
	}
	inner, err := s.Store.Snapshot(ctx)
	s.snapshots++
	return &faultySnapshot{Snapshot: inner, store: s}, err
}

func (s *faultyStore) Commit(ctx context.Context, b *store.Batch) error {
	if err := s.call(); err != nil {
		return err
	}
	return s.Store.Commit(ctx, b)
}

type faultySnapshot struct {
	store.Snapshot
	store     *faultyStore
	iterators int
}

func (s *faultySnapshot) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.store.call(); err != nil {
		return nil, err
	}
	return s.Snapshot.Get(ctx, key)
}

func (s *faultySnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	if err := s.store.call(); err != nil {
		return nil, err
	}
	return s.Snapshot.GetMany(ctx, keys)
}

func (s *faultySnapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	s.iterators++
	s.store.iterators++
	return &faultyIterator{Iterator: s.Snapshot.Scan(lo, hi, o), of: s}
}

func (s *faultySnapshot) Close() {
	if s.iterators != 0 {
		s.store.t.Errorf("a snapshot is closed before %d of its iterators", s.iterators)
	}
	s.store.snapshots--
	s.Snapshot.Close()
}

type faultyIterator struct {
	store.Iterator
	of     *faultySnapshot
	closed bool
}

func (it *faultyIterator) Next(ctx context.Context) (string, []byte, bool, error) {
	if it.closed {
		it.of.store.t.Error("Next of an iterator that is closed")
	}
	if err := it.of.store.call(); err != nil {
		return "", nil, false, err
	}
	return it.Iterator.Next(ctx)
}

func (it *faultyIterator) Close() {
	if !it.closed {
		it.closed = true
		it.of.iterators--
		it.of.store.iterators--
	}
	it.Iterator.Close()
}

// calls are all that a ledger does with a store.
func calls(t *testing.T) map[string]func(context.Context, *kvledger.Ledger, *kvledger.Provider) error {
	l, d := openExpiring(t, memory.New())
	due := results(t, l, put("a", `{"n":2}`), putPrivate("b", `{"n":1}`), setPrivateMetadata("c", "a=1"), purge("d"), scan("", "", -1))
	return map[string]func(context.Context, *kvledger.Ledger, *kvledger.Provider) error{
		"Commit": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.CommitTx(ctx, kvledger.Transaction{TxID: "due", RWSet: due.RWSet}))
		},
		"Define": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			other := d
			other.Indexes = d.Indexes[1:]
			if err := l.Define(ctx, ns, other); err != nil {
				return err
			}
			return l.Define(ctx, ns, d)
		},
		"Block": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.Block(ctx, 0))
		},
		"Transaction": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.Transaction(ctx, "0"))
		},
		"TransactionCode": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return third(l.TransactionCode(ctx, "0"))
		},
		"KeyState": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.KeyState(ctx, ns, "a"))
		},
		"PrivateKeyState": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.PrivateKeyState(ctx, ns, coll, "a"))
		},
		"Definition": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.Definition(ctx, ns))
		},
		"Explain": func(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
			return second(l.Explain(ctx, ns, coll, `{"selector":{"n":1}}`))
		},
		"Channels": func(ctx context.Context, _ *kvledger.Ledger, p *kvledger.Provider) error {
			return second(p.Channels(ctx))
		},
		"Open": func(ctx context.Context, _ *kvledger.Ledger, p *kvledger.Provider) error {
			return second(p.Open(ctx, "c"))
		},
		"queries": askEverything,
	}
}

// TestEveryFault has each call of the store fail, one after the other, in all that a ledger does. The failure is returned,
// nothing stays open, and what is done again afterwards ends as if nothing had been.
func TestEveryFault(t *testing.T) {
	for name, do := range calls(t) {
		t.Run(name, func(t *testing.T) {
			inner := memory.New()
			openExpiring(t, inner)
			faults := 0
			for ; ; faults++ {
				s := &faultyStore{Store: inner, left: -1, t: t}
				p := kvledger.NewProvider(s)
				l := open(t, p, "c")
				s.left = faults
				err := do(t.Context(), l, p)
				if s.snapshots != 0 || s.iterators != 0 {
					t.Errorf("fault %d: %d snapshots and %d iterators are open", faults, s.snapshots, s.iterators)
				}
				newAudit(t, inner).check()
				if s.left >= 0 {
					if err != nil {
						t.Errorf("without a fault: %v", err)
					}
					break
				}
				if !errors.Is(err, errDisk) {
					t.Fatalf("fault %d: the error is %v", faults, err)
				}
			}
			if faults == 0 {
				t.Error("the store is not used")
			}
		})
	}
}

// openExpiring opens a ledger with documents and values of which the next block makes some expire.
func openExpiring(t *testing.T, s store.Store) (*kvledger.Ledger, kvledger.Definition) {
	t.Helper()
	l := open(t, kvledger.NewProvider(s), "c")
	defineIndexes(t, l, `["n"]`, `["n","m"]`)
	d, err := l.Definition(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	d.Collections = []ledger.CollectionConfig{{Name: coll, BlockToLive: 1}}
	if err := l.Define(t.Context(), ns, *d); err != nil {
		t.Fatal(err)
	}
	for block, ops := range [][]op{
		{put("a", `{"n":1}`), putPrivate("a", `{"n":1}`), putPrivate("c", `{"n":1}`), putPrivate("d", `{"n":1,"m":2}`)},
		{put("b", `{"n":1}`)},
	} {
		r := results(t, l, ops...)
		tx := kvledger.Transaction{TxID: fmt.Sprint(block), RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet}
		if code, err := l.CommitTx(t.Context(), tx); code != valid || err != nil {
			t.Fatal(code, err)
		}
	}
	return l, *d
}

// askEverything opens all kinds of iterators in one simulation, and reads each to its end, or until one fails.
func askEverything(ctx context.Context, l *kvledger.Ledger, _ *kvledger.Provider) error {
	sim, err := kvledgertest.Simulate(ctx, l, "tx")
	if err != nil {
		return err
	}
	defer sim.Done()
	for _, openOne := range []func() (ledger.Iterator, error){
		func() (ledger.Iterator, error) { return sim.GetStateRange(ctx, ns, ledger.Range{}) },
		func() (ledger.Iterator, error) { return sim.GetPrivateDataRange(ctx, ns, coll, ledger.Range{}) },
		func() (ledger.Iterator, error) {
			return sim.ExecuteQuery(ctx, ns, `{"selector":{"n":1}}`, ledger.Page{})
		},
		func() (ledger.Iterator, error) {
			return sim.ExecuteQuery(ctx, ns, `{"selector":{"m":{"$exists":false}}}`, ledger.Page{Size: 1})
		},
		func() (ledger.Iterator, error) {
			return sim.ExecuteQueryOnPrivateData(ctx, ns, coll, `{"selector":{"n":1}}`)
		},
	} {
		it, err := openOne()
		if err != nil {
			return err
		}
		for more := true; more; {
			kv, err := it.Next(ctx)
			if err != nil {
				return err
			}
			more = kv != nil
		}
	}
	return nil
}
