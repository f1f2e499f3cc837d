package kvledgertest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// bySize is an index, and sorted a query that is refused without it.
const (
	bySize = `{"index":{"fields":["size"]},"ddoc":"sizes","name":"bySize","type":"json"}`
	sorted = `{"selector":{"size":{"$gt":-1}},"sort":["size"]}`
)

// testIndexes changes documents in the public state and in a collection. Some of them are there before they are indexed.
// Queries that need an index must then yield what is there, in its order.
func testIndexes(t *testing.T, s store.Store) {
	l := OpenLedger(t, s, "mychannel")
	docs := map[string]int{}
	for n := range 30 {
		docs[fmt.Sprintf("k%02d", n)] = n * 7 % 10
	}
	commitDocuments(t, l, "first", docs)
	if keys, err := querySorted(t.Context(), l, 0); err == nil {
		t.Errorf("without an index, a sorted query yields %q", keys)
	}
	index, err := kvledger.ParseIndex([]byte(bySize))
	if err != nil {
		t.Fatal(err)
	}
	d := kvledger.Definition{
		Collections: []ledger.CollectionConfig{{Name: coll}},
		Indexes:     []kvledger.Index{index, index.In(coll)},
	}
	if err := l.Define(t.Context(), ns, d); err != nil {
		t.Fatal(err)
	}
	wantSorted(t, l, docs)
	changes := map[string]int{"k00": 100, "k03": 5, "k05": -1, "k06": -1, "new": 0}
	commitDocuments(t, l, "second", changes)
	for key, size := range changes {
		if docs[key] = size; size < 0 {
			delete(docs, key)
		}
	}
	for _, l := range []*kvledger.Ledger{l, OpenLedger(t, s, "mychannel")} {
		wantSorted(t, l, docs)
	}
}

// commitDocuments writes documents of these sizes. -1 deletes one.
func commitDocuments(t *testing.T, l *kvledger.Ledger, txID string, docs map[string]int) {
	t.Helper()
	sim, err := Simulate(t.Context(), l, txID)
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	for key, size := range docs {
		for _, private := range []bool{false, true} {
			value := fmt.Sprintf(`{"size":%d}`, size)
			if size < 0 {
				value = ""
			}
			if err := set(t.Context(), sim, place{private, key}, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	results, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx := kvledger.Transaction{TxID: txID, RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet}
	if code, err := l.CommitTx(t.Context(), tx); code != kvledger.Valid || err != nil {
		t.Fatal(code, err)
	}
}

func wantSorted(t *testing.T, l *kvledger.Ledger, docs map[string]int) {
	t.Helper()
	want := slices.SortedFunc(maps.Keys(docs), func(a, b string) int {
		return cmp.Or(cmp.Compare(docs[a], docs[b]), cmp.Compare(a, b))
	})
	for _, pageSize := range []int32{0, 1, 7, 1000} {
		if got, err := querySorted(t.Context(), l, pageSize); err != nil || !slices.Equal(got, want) {
			t.Errorf("by pages of %d, the sorted query yields %q, %v, want %q", pageSize, got, err, want)
		}
	}
	if got, err := queryPrivate(t.Context(), l); err != nil || !slices.Equal(got, want) {
		t.Errorf("the sorted query of private data yields %q, %v, want %q", got, err, want)
	}
}

// querySorted returns the keys of a query's results, page by page. Without pages it returns all at once.
func querySorted(ctx context.Context, l *kvledger.Ledger, pageSize int32) ([]string, error) {
	sim, err := Simulate(ctx, l, "query")
	if err != nil {
		return nil, err
	}
	defer sim.Done()
	var all []string
	for page := (ledger.Page{Size: pageSize}); ; {
		it, err := sim.ExecuteQuery(ctx, ns, sorted, page)
		if err != nil {
			return nil, err
		}
		keys, err := keysOf(ctx, it)
		all = append(all, keys...)
		if pageSize > 0 && err == nil {
			page.Bookmark, err = it.Bookmark(ctx)
		}
		it.Close()
		if err != nil || pageSize == 0 || len(keys) < int(pageSize) {
			return all, err
		}
	}
}

func queryPrivate(ctx context.Context, l *kvledger.Ledger) ([]string, error) {
	sim, err := Simulate(ctx, l, "query")
	if err != nil {
		return nil, err
	}
	defer sim.Done()
	it, err := sim.ExecuteQueryOnPrivateData(ctx, ns, coll, sorted)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	return keysOf(ctx, it)
}

func keysOf(ctx context.Context, it ledger.Iterator) ([]string, error) {
	var keys []string
	for {
		kv, err := it.Next(ctx)
		if kv == nil || err != nil {
			return keys, err
		}
		keys = append(keys, kv.Key)
	}
}
