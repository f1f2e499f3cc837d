package kvledger_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// manyAlike commits documents of a size that have the same first bytes of an index's column, and returns their keys in the order
// of the whole column, which is not that of the keys.
func manyAlike(t testing.TB, l *kvledger.Ledger, n, size int) (keys []string) {
	t.Helper()
	defineIndexes(t, l, `["s"]`)
	long := strings.Repeat("x", size)
	var ops []op
	for i := range n {
		key := fmt.Sprintf("k%04d", (i*7)%n)
		ops = append(ops, put(key, fmt.Sprintf(`{"s":"%s%04d"}`, long, i)))
		keys = append(keys, key)
	}
	commitResults(t, l, results(t, l, ops...))
	return keys
}

// TestRunIsBounded reads documents of 100 KiB that an index can't order, with the memory that a few of them take: 120 of them to
// the end, and a page of 1 of 240. The long form has more, since each pass goes through all of them.
//
// F99
func TestRunIsBounded(t *testing.T) {
	const size, most = 100 << 10, 16 << 20
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc) //nolint:gosec // a heap is not that large
	}
	documents := 120
	if os.Getenv(longForm) != "" {
		documents = 500
	}
	for page, n := range map[int32]int{0: documents, 1: 2 * documents} {
		l := openMemory(t)
		want := manyAlike(t, l, n, size)
		sim := newSimulator(t, l, "tx")
		before := heap()
		it, err := sim.ExecuteQuery(t.Context(), ns, `{"selector":{},"sort":["s"]}`, ledger.Page{Size: page})
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; page == 0 && i < n || i < int(page); i++ {
			kv, err := it.Next(t.Context())
			if err != nil || kv == nil || kv.Key != want[i] {
				t.Fatalf("page of %d: result %d is %v, %v, want %s", page, i, kv, err, want[i])
			}
			if i%30 > 0 {
				continue
			}
			if grown := heap() - before; grown > most {
				t.Errorf("page of %d: %d MiB are held at result %d", page, grown>>20, i)
			}
		}
		if kv, err := it.Next(t.Context()); kv != nil || err != nil {
			t.Errorf("page of %d: one more is %v, %v", page, kv, err)
		}
		runtime.KeepAlive(it)
		sim.Done()
	}
}

// publicKeys returns the keys that a query finds in the public state.
func publicKeys(t *testing.T, l *kvledger.Ledger, query string) string {
	t.Helper()
	sim := newSimulator(t, l, "tx")
	defer sim.Done()
	it, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	return keysOf(t, it)
}

// TestRunInParts reads such documents by pages, and backwards, from a bookmark, with a bound and without some of them.
func TestRunInParts(t *testing.T) {
	const n = 10 // in three parts, since four of them have room
	l := openMemory(t)
	keys := manyAlike(t, l, n, 500<<10)
	backwards := make([]string, n)
	for i, key := range keys {
		backwards[n-1-i] = key
	}
	for query, want := range map[string][]string{
		`{"selector":{},"sort":["s"]}`:                                keys,
		`{"selector":{},"sort":["s"],"skip":3}`:                       keys[3:],
		`{"selector":{},"sort":[{"s":"desc"}]}`:                       backwards,
		`{"selector":{"_id":{"$ne":"` + keys[4] + `"}},"sort":["s"]}`: append(append([]string{}, keys[:4]...), keys[5:]...),
	} {
		if got := publicKeys(t, l, query); got != strings.Join(want, " ") {
			t.Errorf("%s finds %s, want %s", query, got, want)
		}
		if strings.Contains(query, "skip") {
			continue // is for each page
		}
		for _, size := range []int32{4} {
			if got := pagesOf(t, l, query, size); got != strings.Join(want, " ") {
				t.Errorf("%s by pages of %d finds %s, want %s", query, size, got, want)
			}
		}
	}
}
