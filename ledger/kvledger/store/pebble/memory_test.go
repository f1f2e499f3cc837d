package pebble_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// TestMemoryOfCommit holds the factor in docs/protocol.md: how much is held for a commit, as a multiple of what was written.
// kvledger's test says how much of that is its own. Pebble has what it is given once more, and what it writes to tables meanwhile.
func TestMemoryOfCommit(t *testing.T) {
	const n, size, most = 32, 1 << 20, 11
	s, err := pebble.Open(pebble.Config{Dir: t.TempDir()})
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
	tx, err := kvledger.TransactionOf(sim, "tx", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	sim.Done()
	runtime.GC()
	before := heapBytes()
	// The collector keeps below this limit if it can, so that what is on the heap is in use.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(int64(before + 17*n*size/2)))
	stop, peak := make(chan struct{}), make(chan int)
	go watchHeap(before, stop, peak)
	code, err := l.CommitTx(t.Context(), tx)
	close(stop)
	grown := float64(<-peak-before) / (n * size)
	if err != nil || code != kvledger.Valid {
		t.Fatal(code, err)
	}
	t.Logf("a commit needs %.2f of what was written, with its read/write set", 1+grown)
	if 1+grown > most {
		t.Errorf("a commit needs %.2f of what was written, want %d at most", 1+grown, most)
	}
	runtime.KeepAlive(tx)
}

func heapBytes() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // far from the limit
}

// watchHeap sends the most that was on the heap until stop.
func watchHeap(most int, stop <-chan struct{}, peak chan<- int) {
	for {
		select {
		case <-stop:
			peak <- most
			return
		default:
			most = max(most, heapBytes())
			runtime.Gosched()
		}
	}
}
