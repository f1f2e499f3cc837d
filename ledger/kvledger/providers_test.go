package kvledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// TestTwoProviders has one provider of a store commit blocks while another one redefines the namespace, as two processes
// would: whoever is slower finds that the head has moved, and begins again.
func TestTwoProviders(t *testing.T) {
	s := openStore(t)
	commits, defines := open(t, kvledger.NewProvider(s), "c"), open(t, kvledger.NewProvider(s), "c")
	random := rand.New(rand.NewPCG(1, 2))
	var ops []op
	for i := range 1500 { // more than one step of building goes through
		ops = append(ops, put(fmt.Sprint("k", i), fmt.Sprintf(`{"n":%d,"m":1}`, i%3)))
	}
	commitResults(t, commits, results(t, commits, ops...))
	var definitions []kvledger.Definition
	for range 8 {
		definitions = append(definitions, randomDefinition(t, random))
	}
	done := make(chan error)
	go func() {
		for _, d := range definitions {
			if err := defines.Define(t.Context(), ns, d); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for block := 0; ; block++ {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			newAudit(t, s).check()
			return
		default:
			b := randomBlock(t, random, commits, block)[0]
			if _, err := commits.Commit(t.Context(), b); err != nil {
				t.Error(err)
			}
		}
	}
}

// busyStore is a store to which others commit so often that who has read more than 100 pairs is always too late.
type busyStore struct {
	store.Store
	read, late int
}

func (s *busyStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s.read = 0
	inner, err := s.Store.Snapshot(ctx)
	return &busySnapshot{inner, s}, err
}

func (s *busyStore) Commit(ctx context.Context, b *store.Batch) error {
	if s.read <= 100 {
		return s.Store.Commit(ctx, b)
	}
	if s.late++; s.late == 1000 {
		return errDisk // enough
	}
	return store.ErrHeadMoved
}

type busySnapshot struct {
	store.Snapshot
	store *busyStore
}

func (s *busySnapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return &busyIterator{s.Snapshot.Scan(lo, hi, o), s.store}
}

type busyIterator struct {
	store.Iterator
	store *busyStore
}

func (it *busyIterator) Next(ctx context.Context) (string, []byte, bool, error) {
	it.store.read++
	return it.Iterator.Next(ctx)
}

// TestDefineWhereOthersAreQuicker builds an index and drops it, in steps for which there is time.
func TestDefineWhereOthersAreQuicker(t *testing.T) {
	s := &busyStore{Store: openStore(t)}
	l := open(t, kvledger.NewProvider(s), "c")
	var ops []op
	for i := range 1500 {
		ops = append(ops, put(fmt.Sprint("k", i), `{"n":1}`))
	}
	commit(t, l, simulate(t, l, ops...))
	for _, test := range []struct {
		fields []string
		want   int
	}{{[]string{`["n"]`}, 1500}, {nil, 0}} {
		defineIndexes(t, l, test.fields...)
		a := newAudit(t, s)
		a.check()
		if got := len(a.pairs["i"]); got != test.want {
			t.Errorf("with the indexes %q there are %d entries, want %d", test.fields, got, test.want)
		}
	}
	if s.late == 0 {
		t.Error("no step was too late")
	}
}
