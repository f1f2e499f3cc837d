package kvledger_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// slowRegex takes a minute or so for slowDocument.
const slowRegex = `(a?){50}(a?){40}b`

func slowDocument() string { return `{"a":"` + strings.Repeat("a", 2<<20) + `","n":1}` }

// TestQueryStops ends a query while it matches a document. It is back long before it would have been done.
//
// F97
func TestQueryStops(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, put("k", slowDocument())))
	sim := newSimulator(t, l, "tx")
	it, err := sim.ExecuteQuery(t.Context(), ns, `{"selector":{"a":{"$regex":"`+slowRegex+`"}}}`, ledger.Page{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if kv, err := it.Next(ctx); kv != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", kv, err)
	}
	if _, err := it.Next(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after that: %v", err)
	}
	// What is refused says why, also here.
	large := `{"selector":{"a":{"$regex":"` + strings.Repeat("x", 9000) + `"}}}`
	if _, err := sim.ExecuteQuery(t.Context(), ns, large, ledger.Page{}); err == nil || !strings.Contains(err.Error(), "9000 bytes long") {
		t.Error(err)
	}
}

// TestBookmarkStops ends the making of a bookmark. There is an error then, and no bookmark: "nil" would begin again.
//
// F97
func TestBookmarkStops(t *testing.T) {
	l := openMemory(t)
	defineIndexes(t, l, `["a"]`)
	commitResults(t, l, results(t, l, put("k", slowDocument())))
	sim := newSimulator(t, l, "tx")
	it, err := sim.ExecuteQuery(t.Context(), ns, `{"selector":{},"sort":["a"]}`, ledger.Page{Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if kv, err := it.Next(t.Context()); kv == nil || err != nil {
		t.Fatalf("%v, %v", kv, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if bookmark, err := it.Bookmark(ctx); bookmark != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%.100q, %v", bookmark, err)
	}
	if bookmark, err := it.Bookmark(t.Context()); len(bookmark) < 2<<20 || err != nil {
		t.Errorf("later: %.100q, %v", bookmark, err)
	}
}

// TestIndexStops ends what keeps an index while it matches a document with the index's filter: defining it, and a commit.
func TestIndexStops(t *testing.T) {
	l := openMemory(t)
	commitResults(t, l, results(t, l, put("k", slowDocument())))
	x, err := kvledger.ParseIndex(fmt.Appendf(nil, `{"index":{"fields":["n"],"partial_filter_selector":{"a":{"$regex":"%s"}}}}`, slowRegex))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := l.Define(ctx, ns, kvledger.Definition{Indexes: []kvledger.Index{x}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("define: %v", err)
	}
	rwset := simulate(t, l, put("other", slowDocument()))
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	block := kvledger.Block{Transactions: []kvledger.Transaction{{TxID: "slow", RWSet: rwset}}}
	if codes, err := l.Commit(ctx, block); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("commit: %v, %v", codes, err)
	}
}

// endingContext ends after it was asked some times whether it has.
type endingContext struct {
	context.Context
	asked, most int
}

func (c *endingContext) Err() error {
	if c.asked++; c.most > 0 && c.asked > c.most {
		return context.Canceled
	}
	return nil
}

// TestCommitStops ends a commit of very many reads and writes wherever it looks at its context. Each time nothing is committed. It
// looks at least once for each thousand keys that a step goes through.
//
// F97
func TestCommitStops(t *testing.T) {
	const keys = 5000
	l := openMemory(t)
	var puts []op
	for i := range keys {
		puts = append(puts, put(fmt.Sprintf("k%05d", i), "value"))
	}
	commitResults(t, l, results(t, l, puts...))
	sim := newSimulator(t, l, "many")
	for i := range keys {
		key := fmt.Sprintf("k%05d", i)
		if _, err := sim.GetState(t.Context(), ns, key); err != nil {
			t.Fatal(err)
		}
		if err := sim.SetState(t.Context(), ns, key, []byte("other")); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := kvledger.TransactionOf(t.Context(), sim, "many", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	height, err := l.Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The store looks for each key that it reads, which is nothing new. All looks after those are the ledger's own.
	ctx := &endingContext{Context: t.Context(), most: 1}
	for ; ; ctx.most = max(ctx.most+1, keys) {
		ctx.asked = 0
		_, err := l.Commit(ctx, kvledger.Block{Transactions: []kvledger.Transaction{tx}})
		if err == nil {
			break
		}
		if now, heightErr := l.Height(t.Context()); !errors.Is(err, context.Canceled) || now != height || heightErr != nil {
			t.Fatalf("after %d looks: %v; height %d, %v", ctx.most, err, now, heightErr)
		}
	}
	// Four steps go through all keys: judging, applying, noting and the history.
	if least := keys + 4*keys/1024; ctx.asked < least {
		t.Errorf("%d looks, want %d", ctx.asked, least)
	}
}
