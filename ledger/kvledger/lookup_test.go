package kvledger_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// reservingStore asks for room before each value that it reads, as a store does that copies values. It notes how much is
// read at once.
type reservingStore struct {
	store.Store
	most  int // bytes at once
	calls int
	kept  int // bytes on the heap between two calls, at most
}

func (s *reservingStore) Snapshot(ctx context.Context) (store.Snapshot, error) {
	inner, err := s.Store.Snapshot(ctx)
	return &reservingSnapshot{Snapshot: inner, store: s}, err
}

type reservingSnapshot struct {
	store.Snapshot
	store *reservingStore
}

func (s *reservingSnapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values, err := s.Snapshot.GetMany(ctx, keys)
	var heap runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	s.store.kept = max(s.store.kept, int(heap.HeapAlloc)) //nolint:gosec // far from the limit
	read := 0
	s.store.calls++
	for i, v := range values {
		if v == nil {
			continue // as Pebble does
		}
		if err := ledger.Reserve(ctx, len(v)); err != nil {
			return nil, err
		}
		read += len(v)
		values[i] = bytes.Clone(v)
		s.store.most = max(s.store.most, read)
	}
	return values, err
}

// F132: a query reads large documents by an index a few at a time, and small ones all at once.
func TestIndexOfLargeDocuments(t *testing.T) {
	for name, test := range map[string]struct{ size, most, calls int }{
		"small":                 {100, 1 << 20, 2},
		"of half a MiB":         {512 << 10, 4 << 20, 40},
		"larger than the limit": {5 << 20, 6 << 20, 30},
	} {
		t.Run(name, func(t *testing.T) {
			s := &reservingStore{Store: memory.New()}
			t.Cleanup(func() { _ = s.Close() })
			l, err := kvledger.NewProvider(s).Open(t.Context(), "ch")
			if err != nil {
				t.Fatal(err)
			}
			n := min(100, max(2, 8<<20/test.size))
			for i := range n {
				document := fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", test.size))
				commitResults(t, l, results(t, l, put(fmt.Sprintf("k%03d", i), document)))
			}
			defineIndexes(t, l, `["n"]`)
			s.most, s.calls, s.kept = 0, 0, 0
			before := heapInUse()
			it, err := newSimulator(t, l, "tx").ExecuteQuery(t.Context(), ns, `{"selector":{"n":{"$gte":0}},"sort":["n"]}`, ledger.Page{})
			if err != nil {
				t.Fatal(err)
			}
			defer it.Close()
			for i := range n {
				kv, err := it.Next(t.Context())
				if err != nil || kv == nil || kv.Key != fmt.Sprintf("k%03d", i) || len(kv.Value) < test.size {
					t.Fatalf("result %d: %.100v, %v", i, kv, err)
				}
			}
			if kv, err := it.Next(t.Context()); kv != nil || err != nil {
				t.Errorf("one more: %.100v, %v", kv, err)
			}
			kept := s.kept - before
			t.Logf("%d documents: %d bytes at once, %d calls, %d bytes kept between them", n, s.most, s.calls, kept)
			if s.most > test.most || s.calls > test.calls || kept > 1<<20 {
				t.Errorf("%d bytes at once in %d calls, want %d in %d at most; %d kept between them", s.most, s.calls, test.most, test.calls, kept)
			}
		})
	}
}

// F133: a commit looks at the versions of what was read. It doesn't keep the values, however large they are.
func TestCommitOfLargeReads(t *testing.T) {
	s := &reservingStore{Store: memory.New()}
	t.Cleanup(func() { _ = s.Close() })
	l, err := kvledger.NewProvider(s).Open(t.Context(), "ch")
	if err != nil {
		t.Fatal(err)
	}
	const n, size = 100, 512 << 10
	value, steps := strings.Repeat("x", size), []op{put("result", "x")}
	for i := range n {
		key := fmt.Sprintf("k%03d", i)
		commitResults(t, l, results(t, l, put(key, value)))
		steps = append(steps, get(key))
	}
	rwset := simulate(t, l, steps...)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s.most, s.calls, s.kept = 0, 0, 0
	if codes := commit(t, l, rwset); codes[0] != valid {
		t.Errorf("the transaction is %s", codes[0])
	}
	kept := s.kept - int(before.HeapAlloc) //nolint:gosec // far from the limit
	t.Logf("%d bytes at once in %d calls, %d kept", s.most, s.calls, kept)
	if s.most > 4<<20 || s.calls > 40 || kept > 16<<20 {
		t.Errorf("%d bytes at once in %d calls, %d kept", s.most, s.calls, kept)
	}
	// A key that has changed is noticed all the same.
	changing := simulate(t, l, get("k099"), put("result", "y"))
	if codes := commit(t, l, simulate(t, l, put("k099", value+"y")), changing); codes[1] != kvledger.MVCCReadConflict {
		t.Errorf("the transaction is %s, want a conflict", codes[1])
	}
}

// F134: a commit that replaces large documents reads the old ones a few at a time, for their indexes.
func TestCommitOverLargeDocuments(t *testing.T) {
	s := &reservingStore{Store: memory.New()}
	t.Cleanup(func() { _ = s.Close() })
	l, err := kvledger.NewProvider(s).Open(t.Context(), "ch")
	if err != nil {
		t.Fatal(err)
	}
	defineIndexes(t, l, `["n"]`)
	const n, size = 16, 512 << 10
	var deletes []op
	for i := range n {
		key := fmt.Sprintf("k%03d", i)
		commitResults(t, l, results(t, l, put(key, fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", size)))))
		deletes = append(deletes, del(key))
	}
	rwset := simulate(t, l, deletes...)
	s.most = 0
	if codes := commit(t, l, rwset); codes[0] != valid {
		t.Errorf("the transaction is %s", codes[0])
	}
	if s.most > 4<<20 {
		t.Errorf("%d bytes at once", s.most)
	}
	it, err := newSimulator(t, l, "tx").ExecuteQuery(t.Context(), ns, `{"selector":{"n":{"$gte":0}},"sort":["n"]}`, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if kv, err := it.Next(t.Context()); kv != nil || err != nil {
		t.Errorf("the index still has %.100v, %v", kv, err)
	}
}

// F151: nothing is kept of an iterator that is closed, neither what it has read and not yielded, nor that it was there.
func TestClosedIteratorsKeepNothing(t *testing.T) {
	s := &reservingStore{Store: memory.New()}
	t.Cleanup(func() { _ = s.Close() })
	l := open(t, kvledger.NewProvider(s), "ch")
	defineIndexes(t, l, `["n"]`)
	for i := range 8 {
		document := fmt.Sprintf(`{"n":%d,"text":"%s"}`, i, strings.Repeat("x", 512<<10))
		commitResults(t, l, results(t, l, put(fmt.Sprint("k", i), document)))
	}
	sim := newSimulator(t, l, "tx")
	const byIndex = `{"selector":{"n":{"$gte":0}}}`
	before := heapInUse()
	it, err := sim.ExecuteQuery(t.Context(), ns, byIndex, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if kv, err := it.Next(t.Context()); kv == nil || err != nil {
		t.Fatal(kv, err)
	}
	open := heapInUse() - before
	it.Close()
	if closed := heapInUse() - before; open < 2<<20 || closed > 1<<20 {
		t.Errorf("an iterator that has read ahead keeps %d bytes, and %d when it is closed", open, closed)
	}
	runtime.KeepAlive(it)

	for name, open := range map[string]func() (interface{ Close() }, error){
		"query by index": func() (interface{ Close() }, error) { return sim.ExecuteQuery(t.Context(), ns, byIndex, ledger.Page{}) },
		"query": func() (interface{ Close() }, error) {
			return sim.ExecuteQuery(t.Context(), ns, `{"selector":{}}`, ledger.Page{})
		},
		"private query": func() (interface{ Close() }, error) {
			return sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, byIndex)
		},
		"private range": func() (interface{ Close() }, error) {
			return sim.GetPrivateDataRange(t.Context(), ns, coll, ledger.Range{})
		},
		"history": func() (interface{ Close() }, error) { return sim.GetHistoryForKey(t.Context(), ns, "k0") },
	} {
		before := heapInUse()
		for range 5000 {
			it, err := open()
			if err != nil {
				t.Fatal(name, err)
			}
			it.Close()
		}
		if kept := heapInUse() - before; kept > 200<<10 {
			t.Errorf("5000 iterators of a %s that are closed keep %d bytes", name, kept)
		}
	}
	runtime.KeepAlive(sim)
}
