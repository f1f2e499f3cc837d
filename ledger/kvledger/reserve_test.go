package kvledger_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/copying"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

var errNoRoom = errors.New("there is no room")

// answerRoom is the ledger.Reserver of an answer. It notes how much is on the heap when a large value asks for room.
type answerRoom struct {
	sum, live int
	full      bool
}

func (r *answerRoom) Reserve(_ context.Context, n int) error {
	r.sum += n
	if n > 1<<20 {
		r.live = max(r.live, heapInUse())
	}
	if r.full {
		return errNoRoom
	}
	return nil
}

// F152: a transaction that waits for room for a large result of a query, or for a large value of a key's history, doesn't hold
// it meanwhile.
func TestLargeResultsWait(t *testing.T) {
	const size = 4 << 20
	l := open(t, kvledger.NewProvider(copying.Store{Store: openStore(t)}), "ch")
	defineIndexes(t, l, `["n"]`)
	large := fmt.Sprintf(`{"n":1,"text":"%s"}`, strings.Repeat("x", size))
	commitResults(t, l, results(t, l, putBoth("k1", large), putBoth("k2", `{"n":1,"text":"y"}`), putBoth("k3", `{"n":2}`)))
	for name, test := range map[string]struct {
		want int // results
		open func(sim *kvledger.Simulator) (any, error)
	}{
		"history": {1, func(sim *kvledger.Simulator) (any, error) { return sim.GetHistoryForKey(t.Context(), ns, "k1") }},
		"query": {2, func(sim *kvledger.Simulator) (any, error) {
			return sim.ExecuteQuery(t.Context(), ns, `{"selector":{"n":{"$lt":2}},"use_index":"no"}`, ledger.Page{})
		}},
		"query without an index": {2, func(sim *kvledger.Simulator) (any, error) {
			return sim.ExecuteQuery(t.Context(), ns, `{"selector":{"text":{"$gt":0}}}`, ledger.Page{})
		}},
		"query of fields": {2, func(sim *kvledger.Simulator) (any, error) {
			return sim.ExecuteQuery(t.Context(), ns, `{"selector":{"n":1},"fields":["text"]}`, ledger.Page{})
		}},
		"query of small fields": {2, func(sim *kvledger.Simulator) (any, error) {
			return sim.ExecuteQuery(t.Context(), ns, `{"selector":{"n":1},"fields":["n"]}`, ledger.Page{})
		}},
		"skipped": {1, func(sim *kvledger.Simulator) (any, error) {
			return sim.ExecuteQuery(t.Context(), ns, `{"selector":{"n":1},"skip":1}`, ledger.Page{})
		}},
		"private query": {2, func(sim *kvledger.Simulator) (any, error) {
			return sim.ExecuteQueryOnPrivateData(t.Context(), ns, coll, `{"selector":{"n":1}}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sim := newSimulator(t, l, "tx")
			before := heapInUse()
			r := &answerRoom{}
			it, err := test.open(sim)
			if err != nil {
				t.Fatal(err)
			}
			n, sum, err := readAll(ledger.WithReserver(t.Context(), r), it)
			if err != nil || n != test.want || r.sum < sum || r.sum > sum+1000 {
				t.Errorf("%d results of %d bytes, for which %d are reserved, %v; want %d results", n, sum, r.sum, err, test.want)
			}
			if held := r.live - before; r.live > 0 && held > size/4 {
				t.Errorf("it holds %d bytes when it waits", held)
			}
			if (r.live > 0) != (sum > size) {
				t.Errorf("%d bytes were read, and the reader has waited with %d on the heap", sum, r.live)
			}
			if it, err = test.open(sim); err != nil {
				t.Fatal(err)
			}
			if _, _, err := readAll(ledger.WithReserver(t.Context(), &answerRoom{full: true}), it); !errors.Is(err, errNoRoom) {
				t.Errorf("without room: %v", err)
			}
		})
	}
}

// readAll reads an iterator to its end, and returns how many results there were and how large they were.
func readAll(ctx context.Context, it any) (n, sum int, err error) {
	for {
		var value []byte
		switch it := it.(type) {
		case ledger.Iterator:
			kv, err := it.Next(ctx)
			if kv == nil || err != nil {
				return n, sum, err
			}
			value = kv.Value
		case ledger.HistoryIterator:
			m, err := it.Next(ctx)
			if m == nil || err != nil {
				return n, sum, err
			}
			value = m.Value
		}
		n++
		sum += len(value)
	}
}

// A document with more values than a query decodes is committed, and is no result, whether or not there is an index.
func TestDocumentOfManyValues(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, putBoth("few", `{"n":1}`)))
	many := `{"n":1,"a":[` + strings.Repeat("0,", 1_000_000) + `0]}`
	for _, fields := range [][]string{{}, {`["n"]`}} {
		defineIndexes(t, l, fields...)
		if codes := commitResults(t, l, results(t, l, putBoth("many", many))); codes[0] != valid {
			t.Errorf("the transaction is %s", codes[0])
		}
		if got := find(t, l, `{"selector":{"n":1}}`); got != "few" {
			t.Errorf("with the indexes %q it finds %q", fields, got)
		}
		commitResults(t, l, results(t, l, putBoth("many", `{"n":1}`)))
		if got := find(t, l, `{"selector":{"n":1}}`); got != "few many" {
			t.Errorf("with the indexes %q it finds %q after the document is small", fields, got)
		}
	}
	sim := newSimulator(t, l, "tx")
	query := `{"selector":{"n":{"$eq":[` + strings.Repeat("0,", 250_000) + `0]}}}`
	if _, err := sim.ExecuteQuery(t.Context(), ns, query, ledger.Page{}); err == nil || !strings.Contains(err.Error(), "more than 250000") {
		t.Errorf("a query of many values: %v", err)
	}
}
