package kvledger_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/copying"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// budget is a ledger.Charger with so much room.
type budget struct{ left, charged int }

func (b *budget) Charge(n int) error {
	if n > b.left {
		return errors.Errorf("%d bytes are too much", n)
	}
	b.left -= n
	b.charged += n
	return nil
}

// metadataSetters set metadata in the public state, and in a collection.
var metadataSetters = map[string]func(ctx context.Context, s *kvledger.Simulator, key string) error{
	"public": func(ctx context.Context, s *kvledger.Simulator, key string) error {
		return s.SetStateMetadata(ctx, ns, key, metadataOf([]string{"a=1"}))
	},
	"private": func(ctx context.Context, s *kvledger.Simulator, key string) error {
		return s.SetPrivateDataMetadata(ctx, ns, coll, key, metadataOf([]string{"a=1"}))
	},
}

// heapAllocated is how many bytes were ever allocated.
func heapAllocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// F167: a transaction is charged for the values that its commit writes again because of metadata, without reading them.
func TestMetadataIsCharged(t *testing.T) {
	const n, size = 30, 1 << 20
	l := open(t, kvledger.NewProvider(copying.Store{Store: openStore(t)}), "ch")
	for i := range n {
		commitResults(t, l, results(t, l, putBoth(fmt.Sprint("k", i), strings.Repeat("v", size))))
	}
	commitResults(t, l, results(t, l, putBoth("small", "v")))
	for name, set := range metadataSetters {
		t.Run(name, func(t *testing.T) {
			sim := newSimulator(t, l, "tx")
			b := &budget{left: 25*size + size/2}
			ctx := ledger.WithCharger(t.Context(), b)
			before := heapAllocated()
			for i := range n {
				if err := set(ctx, sim, fmt.Sprint("k", i)); i < 25 && err != nil || i >= 25 && err == nil {
					t.Fatalf("metadata of value %d: %v", i, err)
				}
			}
			if grown := heapAllocated() - before; grown > size {
				t.Errorf("%d bytes are allocated to know the sizes", grown)
			}
			if want := 25 * size; b.charged < want || b.charged > want+100*n {
				t.Errorf("%d bytes are charged, want %d", b.charged, want)
			}
			b.charged = 0
			for _, key := range []string{"small", "absent"} {
				if err := set(ctx, sim, key); err != nil || b.charged > 10 {
					t.Errorf("%d bytes are charged for %s, %v", b.charged, key, err)
				}
			}
			results, err := sim.Results(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(results.RWSet), "a\x12\x011"); n != 27 {
				t.Errorf("metadata of %d keys is in the read/write set, want 27", n)
			}
		})
	}
}

// What the transaction has written itself is counted as a write already, and is not written twice.
func TestMetadataOfOwnWrite(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putBoth("k", strings.Repeat("v", 1<<20))))
	for name, set := range metadataSetters {
		t.Run(name, func(t *testing.T) {
			sim := newSimulator(t, l, "tx")
			for i := range 10 { // more than a simulator notes in place
				putBoth(fmt.Sprint("k", i), "v")(t, sim)
			}
			putBoth("k", "v")(t, sim)
			b := &budget{left: 1 << 30}
			if err := set(ledger.WithCharger(t.Context(), b), sim, "k"); err != nil || b.charged != 0 {
				t.Errorf("%d bytes are charged, %v", b.charged, err)
			}
		})
	}
}

// readingStore notes how much is in use at most when many values were read, and when it is given a commit, of which it keeps
// nothing.
type readingStore struct {
	heldStore
	most int
}

func (s *readingStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	inner, err := s.Store.Snapshot(ctx)
	return &readingSnapshot{inner, s}, err
}

type readingSnapshot struct {
	store.Snapshot
	store *readingStore
}

func (s *readingSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Snapshot.GetMany(ctx, keys)
	s.store.most = max(s.store.most, heapInUse())
	runtime.KeepAlive(values)
	return values, err
}

// F168: of values that expire, or whose hashes get metadata and are not those of the values, a commit keeps nothing. Of those
// that get a new version it has what it writes, and nothing else.
func TestMemoryOfRewrites(t *testing.T) {
	const n, size = 32, 1 << 20
	value := func(i int) string { return fmt.Sprint(i) + strings.Repeat("v", size) }
	fill := func(t *testing.T, l *kvledger.Ledger, put func(key, value string) op) {
		t.Helper()
		for i := range n {
			commitResults(t, l, results(t, l, put(fmt.Sprint("k", i), value(i))))
		}
	}
	each := func(t *testing.T, l *kvledger.Ledger, of func(key string) op) *kvledger.Results {
		t.Helper()
		var ops []op
		for i := range n {
			ops = append(ops, of(fmt.Sprint("k", i)))
		}
		return results(t, l, ops...)
	}
	for name, test := range map[string]struct {
		want  float64 // how often what the values have is held
		block func(t *testing.T, l *kvledger.Ledger) *kvledger.Results
	}{
		"public metadata": {1, func(t *testing.T, l *kvledger.Ledger) *kvledger.Results {
			fill(t, l, put)
			return each(t, l, func(key string) op { return setMetadata(key, "a=1") })
		}},
		"private metadata": {1, func(t *testing.T, l *kvledger.Ledger) *kvledger.Results {
			fill(t, l, putPrivate)
			return each(t, l, func(key string) op { return setPrivateMetadata(key, "a=1") })
		}},
		"private metadata of other values": {0, func(t *testing.T, l *kvledger.Ledger) *kvledger.Results {
			fill(t, l, putPrivate)
			commitResults(t, l, unknown(each(t, l, func(key string) op { return putPrivate(key, "other") })))
			return each(t, l, func(key string) op { return setPrivateMetadata(key, "a=1") })
		}},
		"what expires": {0, func(t *testing.T, l *kvledger.Ledger) *kvledger.Results {
			d := kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: coll, BlockToLive: n}}}
			if err := l.Define(t.Context(), ns, d); err != nil {
				t.Fatal(err)
			}
			commitResults(t, l, each(t, l, func(key string) op { return putPrivate(key, value(0)) }))
			for range n {
				commit(t, l)
			}
			return &kvledger.Results{}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := copying.Store{Store: openStore(t)}
			r := test.block(t, open(t, kvledger.NewProvider(s), "ch"))
			held := &readingStore{heldStore: heldStore{Store: s}}
			l := open(t, kvledger.NewProvider(held), "ch")
			before := heapInUse()
			code, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: "tx", Timestamp: time.Unix(1, 0), RWSet: r.RWSet, PrivateRWSet: r.PrivateRWSet})
			if err != nil || code != valid {
				t.Fatal(code, err)
			}
			const portion = 4 << 20
			if factor := float64(max(held.held, held.most)-before-portion) / (n * size); factor < test.want-0.25 || factor > test.want+0.25 {
				t.Errorf("the commit holds %.2f of the values, want %.0f", factor, test.want)
			}
			runtime.KeepAlive(r)
		})
	}
}
