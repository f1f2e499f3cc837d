package pebble_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// TestMemoryOfCommit holds the factor in docs/protocol.md: how much is held for a commit, as a multiple of what was written.
// kvledger's test says how much of that is its own. Pebble has what it is given once more, and what it writes to tables meanwhile.
func TestMemoryOfCommit(t *testing.T) {
	t.Run("with an envelope", func(t *testing.T) { testMemoryOfCommit(t, true, 13) })
	t.Run("without", func(t *testing.T) { testMemoryOfCommit(t, false, 14) })
}

func testMemoryOfCommit(t *testing.T, enveloped bool, most float64) {
	const n, size = 32, 1 << 20
	held := new(heldHeap)
	s, err := pebble.Open(pebble.Config{Dir: t.TempDir(), FS: errorfs.Wrap(vfs.Default, held)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	l, err := kvledger.NewProvider(s).Open(t.Context(), "ch")
	if err != nil {
		t.Fatal(err)
	}
	sim, err := l.NewSimulator(t.Context(), "tx")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := sim.SetState(t.Context(), "cc", fmt.Sprint("k", i), make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := kvledger.TransactionOf(t.Context(), sim, "tx", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	sim.Done()
	if enveloped {
		tx.Envelope, err = block.NewUnsigned(block.Unsigned{ChannelID: "ch", TxID: "tx", RWSet: tx.RWSet})
		if tx.RWSet = nil; err != nil {
			t.Fatal(err)
		}
	}
	before := heapInUse()
	held.begin()
	code, err := l.CommitTx(t.Context(), tx)
	grown := float64(held.end()-before) / (n * size)
	if err != nil || code != kvledger.Valid {
		t.Fatal(code, err)
	}
	t.Logf("a commit needs %.2f of what was written, with what it was given", 1+grown)
	if 1+grown > most {
		t.Errorf("a commit needs %.2f of what was written, want %.0f at most", 1+grown, most)
	}
	runtime.KeepAlive(tx)
}

// heapInUse is how many bytes of the heap are in use.
func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // far from the limit
}

// heldHeap is an errorfs.Injector that injects nothing. While Pebble writes to files, it looks how much is in use: the most is in
// use then, and garbage doesn't count, however busy the machine is.
type heldHeap struct {
	mu     sync.Mutex
	begun  bool
	writes int
	most   int
}

// everyWrite is at which writes heldHeap looks. Pebble makes 3,000 for this commit, and each look takes time.
const everyWrite = 16

func (h *heldHeap) MaybeError(op errorfs.Op) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun && op.Kind == errorfs.OpFileWrite {
		if h.writes%everyWrite == 0 {
			h.most = max(h.most, heapInUse())
		}
		h.writes++
	}
	return nil
}

func (*heldHeap) String() string { return "heldHeap" }

func (h *heldHeap) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
}

// end returns the most that was in use.
func (h *heldHeap) end() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = false
	return h.most
}
