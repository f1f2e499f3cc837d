package kvledgertest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// replay executes what was committed on a model, in the order of the ledger's blocks.
type replay struct {
	model  *model
	acked  map[string][]*block // by what they hold
	order  []*block
	counts map[kvledger.ValidationCode]int
}

func newReplay(blocks []*block) *replay {
	r := &replay{model: newModel(), acked: map[string][]*block{}, counts: map[kvledger.ValidationCode]int{}}
	for _, b := range blocks {
		var s strings.Builder
		for _, tx := range b.transactions {
			s.WriteString(signature(tx.id, tx.at, tx.code, tx.results.RWSet))
		}
		r.acked[s.String()] = append(r.acked[s.String()], b)
	}
	return r
}

func signature(txID string, at time.Time, code kvledger.ValidationCode, rwset []byte) string {
	return fmt.Sprintf("%s %d %d %x;", txID, at.UnixNano(), code, rwset)
}

func (r *replay) run(t *testing.T, ledgers []*kvledger.Ledger) {
	r.readBlocks(t, ledgers[0])
	if t.Failed() {
		return
	}
	for n, b := range r.order {
		for i, tx := range b.transactions {
			r.transaction(t, tx, kvledger.Version{Block: uint64(n), Tx: uint64(i)})
			r.counts[tx.code]++
		}
	}
	for _, l := range ledgers {
		r.compare(t, l)
	}
	t.Logf("%d blocks, with codes %v", len(r.order), r.counts)
	for _, code := range []kvledger.ValidationCode{
		kvledger.Valid, kvledger.MVCCReadConflict, kvledger.PhantomReadConflict, kvledger.DuplicateTxID,
	} {
		if r.counts[code] == 0 {
			t.Errorf("no transaction is %v: the test tests too little", code)
		}
	}
}

// readBlocks finds the order of the acknowledged blocks. Each must be there once, and no other block. A block that was
// acknowledged before another was begun must come before it.
func (r *replay) readBlocks(t *testing.T, l *kvledger.Ledger) {
	t.Helper()
	height, err := l.Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	began := uint64(0) // the latest of the blocks so far
	for n := range height {
		committed, err := l.Block(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		var s strings.Builder
		for _, tx := range committed.Transactions {
			s.WriteString(signature(tx.TxID, tx.Timestamp, tx.Code, tx.RWSet))
		}
		candidates := r.acked[s.String()]
		if len(candidates) == 0 {
			t.Errorf("block %d is not one that was acknowledged: %.300s", n, s.String())
			continue
		}
		b := candidates[0]
		r.acked[s.String()] = candidates[1:]
		if b.acked < began {
			t.Errorf("block %d was acknowledged before one of those before it was begun", n)
		}
		began = max(began, b.began)
		r.order = append(r.order, b)
	}
	for s, left := range r.acked {
		if len(left) > 0 {
			t.Errorf("a block was acknowledged, and is not there: %.300s", s)
		}
	}
}

// transaction checks the next transaction, and lets it take effect.
func (r *replay) transaction(t *testing.T, tx *transaction, at kvledger.Version) {
	t.Helper()
	lowest, highest := r.window(tx)
	agreed, explained := false, false
	for height := lowest; height <= highest; height++ {
		if r.model.agrees(tx.looks, kvledger.Version{Block: height}) {
			agreed = true
			explained = explained || r.model.validate(tx, height, at) == tx.code
		}
	}
	switch {
	case !agreed:
		t.Errorf("what was seen was never there at once, between height %d and %d, in block %d: %v", lowest, highest, at.Block, tx)
	case !explained:
		t.Errorf("the code should be another one, in block %d, simulated at height %d to %d: %v", at.Block, lowest, highest, tx)
	}
	r.model.txIDs[tx.id] = true
	if tx.code != kvledger.Valid {
		return
	}
	for _, l := range tx.looks {
		if want := r.model.answer(l, at); l.isNoted() && l.got != want {
			t.Errorf("%v is valid in block %d, where it should have been %.200q: %v", l, at.Block, want, tx)
		}
	}
	r.model.apply(tx, at)
}

// window returns how many blocks a simulator has seen, at least and at most. It has seen all that were acknowledged before
// it was asked for, and none that was begun after it had ended.
func (r *replay) window(tx *transaction) (lowest, highest uint64) {
	highest = math.MaxUint64
	for n, b := range r.order {
		if b.acked < tx.began {
			lowest = uint64(n) + 1
		}
		if b.began > tx.ended {
			highest = min(highest, uint64(n))
		}
	}
	return lowest, min(highest, uint64(len(r.order)))
}

// compare asks a ledger for everything that there is.
func (r *replay) compare(t *testing.T, l *kvledger.Ledger) {
	t.Helper()
	sim, err := Simulate(t.Context(), l, "compare")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	end := kvledger.Version{Block: uint64(len(r.order))}
	for _, l := range everything(r.model) {
		if got, err := l.ask(t.Context(), sim); err != nil || got != r.model.answer(l, end) {
			t.Errorf("in the end, %v is %.300q, %v, want %.300q", l, got, err, r.model.answer(l, end))
		}
	}
	r.compareTransactions(t, l)
}

// compareTransactions asks for every transaction by its ID. If several have the same ID, it stands for the first one.
func (r *replay) compareTransactions(t *testing.T, l *kvledger.Ledger) {
	t.Helper()
	seen := map[string]bool{}
	for n, b := range r.order {
		for i, tx := range b.transactions {
			if seen[tx.id] {
				continue
			}
			seen[tx.id] = true
			got, err := l.Transaction(t.Context(), tx.id)
			if err != nil {
				t.Errorf("read transaction: %v", err)
				continue
			}
			at := kvledger.Version{Block: uint64(n), Tx: uint64(i)}
			if got.Version != at || got.Code != tx.code || string(got.RWSet) != string(tx.results.RWSet) || !got.Timestamp.Equal(tx.at) {
				t.Errorf("transaction %s is %v at %v, want %v at %v", tx.id, got.Code, got.Version, tx.code, at)
			}
		}
	}
}
