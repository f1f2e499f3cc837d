package kvledger_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// model is the state as a serial execution would have it, and says which transactions are valid by what they have
// observed. Every value that is written is another one, so an equal value is an unchanged one. Keys that begin with k
// have no metadata, those that begin with z and p have, and those that begin with p are in a collection.
type model struct {
	state    map[string]string
	metadata map[string]string
	history  map[string][]string // newest first; "" is a delete
	touched  map[string]bool     // by this block
}

// observed is what a transaction saw, and what it wrote.
type observed struct {
	txID     string
	results  *kvledger.Results
	reads    map[string]string // value and metadata
	ranges   []observedRange
	writes   map[string]string
	metadata map[string]string
}

type observedRange struct {
	start, end string
	pairs      []string
	ended      bool
}

func (m *model) validate(tx observed) kvledger.ValidationCode {
	if m.changed(tx, false) {
		return mvcc
	}
	for _, r := range tx.ranges {
		if !slices.Equal(m.pairs(r), r.pairs) {
			return phantom
		}
	}
	if m.changed(tx, true) {
		return mvcc
	}
	m.apply(tx)
	return valid
}

// changed says whether one of the private keys or of the others that the transaction read has changed.
func (m *model) changed(tx observed, private bool) bool {
	for key, seen := range tx.reads {
		if isPrivate(key) == private && (m.touched[key] || m.state[key]+m.metadata[key] != seen) {
			return true
		}
	}
	return false
}

func (m *model) apply(tx observed) {
	for key, value := range tx.writes {
		m.touched[key] = true
		m.history[key] = append([]string{value}, m.history[key]...)
		m.state[key] = value
		if value == "" {
			delete(m.state, key)
			delete(m.metadata, key)
		}
	}
	for key, value := range tx.metadata {
		if m.state[key] != "" {
			m.touched[key] = true
			m.metadata[key] = value
		}
	}
}

func isPrivate(key string) bool { return key[0] == 'p' }

// pairs reads a range as far as the transaction did.
func (m *model) pairs(r observedRange) []string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(m.state)) {
		if key >= r.start && key < r.end && (r.ended || len(pairs) < len(r.pairs)) {
			pairs = append(pairs, key+"="+m.state[key])
		}
	}
	return pairs
}

// TestAgainstModel has submitters simulate at random while their transactions are committed in blocks, and checks
// every code, the state and the history against the model.
func TestAgainstModel(t *testing.T) {
	const submitters, each = 6, 150
	l := openMemory(t)
	submitted := make(chan observed)
	var wg sync.WaitGroup
	for n := range submitters {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for i := range each {
				tx, err := randomSimulation(t.Context(), l, random, fmt.Sprintf("t%d.%d", n, i))
				if err != nil {
					t.Error(err)
				}
				submitted <- tx
			}
		})
	}
	go func() { wg.Wait(); close(submitted) }()
	m := &model{state: map[string]string{}, metadata: map[string]string{}, history: map[string][]string{}}
	random, counts := rand.New(rand.NewPCG(2, 0)), map[kvledger.ValidationCode]int{}
	for block := range blocks(submitted, random) {
		commitAndCompare(t, l, m, block, counts)
	}
	t.Logf("codes: %v", counts)
	for _, code := range codes(valid, mvcc, phantom) {
		if counts[code] == 0 {
			t.Errorf("no transaction was %v: the test tests too little", code)
		}
	}
	if len(m.metadata) == 0 {
		t.Error("no metadata is left: the test tests too little")
	}
	compareState(t, l, m)
}

// blocks collects transactions in blocks of random size.
func blocks(submitted <-chan observed, random *rand.Rand) func(yield func([]observed) bool) {
	return func(yield func([]observed) bool) {
		var block []observed
		for tx := range submitted {
			if block = append(block, tx); random.IntN(5) == 0 {
				yield(block)
				block = nil
			}
		}
		yield(block)
	}
}

func commitAndCompare(t *testing.T, l *kvledger.Ledger, m *model, block []observed, counts map[kvledger.ValidationCode]int) {
	t.Helper()
	var b kvledger.Block
	for _, tx := range block {
		b.Transactions = append(b.Transactions, kvledger.Transaction{
			TxID: tx.txID, RWSet: tx.results.RWSet, PrivateRWSet: tx.results.PrivateRWSet,
		})
	}
	got, err := l.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	m.touched = map[string]bool{}
	for i, tx := range block {
		want := m.validate(tx)
		counts[want]++
		if got[i] != want {
			t.Errorf("%s is %v, want %v: %+v", tx.txID, got[i], want, tx)
		}
	}
}

func compareState(t *testing.T, l *kvledger.Ledger, m *model) {
	t.Helper()
	sim := newSimulator(t, l, "read")
	r, err := observeRange(t.Context(), sim, "", "l", -1)
	if err != nil || !slices.Equal(r.pairs, m.pairs(r)) {
		t.Errorf("state is %q, %v, want %q", r.pairs, err, m.pairs(r))
	}
	for key, want := range m.history {
		if got, err := observe(t.Context(), sim, key); err != nil || got != m.state[key]+m.metadata[key] {
			t.Errorf("%s is %q, %v, want %q, %q", key, got, err, m.state[key], m.metadata[key])
		}
		if isPrivate(key) {
			want = nil
		}
		it, err := sim.GetHistoryForKey(t.Context(), ns, key)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			mod, err := it.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if mod == nil {
				break
			}
			got = append(got, string(mod.Value))
		}
		it.Close()
		if !slices.Equal(got, want) {
			t.Errorf("history of %s is %q, want %q", key, got, want)
		}
	}
}

// TestConcurrentCommitters adds to a counter through two providers of one store: no addition is lost, whoever's.
func TestConcurrentCommitters(t *testing.T) {
	const committers, each = 6, 40
	s := memory.New()
	ledgers := []*kvledger.Ledger{open(t, kvledger.NewProvider(s), "c"), open(t, kvledger.NewProvider(s), "c")}
	var wg sync.WaitGroup
	for n := range committers {
		wg.Go(func() {
			l := ledgers[n%len(ledgers)]
			for done, try := 0, 0; done < each; try++ {
				code, err := increment(t.Context(), l, fmt.Sprintf("t%d.%d", n, try))
				if err != nil || (code != valid && code != mvcc) {
					t.Errorf("increment: %v, %v", code, err)
					return
				}
				if code == valid {
					done++
				}
			}
		})
	}
	wg.Wait()
	if got := state(t, ledgers[0], "counter"); got != strconv.Itoa(committers*each) {
		t.Errorf("counter is %s, want %d", got, committers*each)
	}
}

func increment(ctx context.Context, l *kvledger.Ledger, txID string) (kvledger.ValidationCode, error) {
	sim, err := l.NewSimulator(ctx, txID)
	if err != nil {
		return 0, err
	}
	defer sim.Done()
	value, err := sim.GetState(ctx, ns, "counter")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi("0" + string(value))
	if err != nil {
		return 0, errors.Wrap(err, "parse counter")
	}
	if err := sim.SetState(ctx, ns, "counter", []byte(strconv.Itoa(n+1))); err != nil {
		return 0, err
	}
	return commitSimulation(ctx, l, txID, time.Time{}, sim)
}
