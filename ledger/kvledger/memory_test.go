package kvledger_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// heldStore notes how much is in use when it is given a commit. It keeps nothing of that.
type heldStore struct {
	store.Store
	held int
}

func (s *heldStore) Commit(_ context.Context, b *store.Batch) error {
	s.held = heapInUse()
	runtime.KeepAlive(b)
	return nil
}

// heapInUse is how many bytes of the heap are in use.
func heapInUse() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // far from the limit
}

// TestMemoryOfCommit holds the factors in docs/protocol.md: how much kvledger holds for a commit when the store is given it, as
// a multiple of what was written. The envelope, or the read/write set of which the ledger makes one, is a part of it.
func TestMemoryOfCommit(t *testing.T) {
	t.Run("with an envelope", func(t *testing.T) { testMemoryOfCommit(t, true, 5) })
	t.Run("without", func(t *testing.T) { testMemoryOfCommit(t, false, 6) })
}

func testMemoryOfCommit(t *testing.T, enveloped bool, want float64) {
	const n, size = 16, 1 << 20
	s := &heldStore{Store: memory.New()}
	t.Cleanup(func() { _ = s.Close() })
	l, err := kvledger.NewProvider(s).Open(t.Context(), "ch")
	if err != nil {
		t.Fatal(err)
	}
	var writes []op
	for i := range n {
		writes = append(writes, put(fmt.Sprint("k", i), string(make([]byte, size))))
	}
	tx := kvledger.Transaction{TxID: "tx", Timestamp: time.Unix(1, 0), RWSet: simulate(t, l, writes...)}
	if enveloped {
		tx.Envelope, tx.RWSet = envelopeOf(t, tx), nil
	}
	before := heapInUse() - len(tx.RWSet) - len(tx.Envelope) // the simulator still has the values, but a peer's would be done by now
	if _, err := l.CommitTx(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(tx)
	factor := float64(s.held-before) / (n * size)
	t.Logf("a commit needs %.2f of what was written", factor)
	if factor < want-0.25 || factor > want+0.25 {
		t.Errorf("a commit needs %.2f of what was written, want %.0f as documented", factor, want)
	}
}

// envelopeOf returns a transaction's envelope, as it would come from elsewhere.
func envelopeOf(t testing.TB, tx kvledger.Transaction) []byte {
	t.Helper()
	b, err := block.NewUnsigned(block.Unsigned{ChannelID: "mychannel", TxID: tx.TxID, Timestamp: tx.Timestamp, RWSet: tx.RWSet})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
