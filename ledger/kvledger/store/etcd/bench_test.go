package etcd_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

const (
	benchKeys  = 50000
	benchBlock = 500
	// benchCallers is how many simulate at the same time.
	benchCallers = 32
)

// benchLedger is a ledger with keys, in a store on three nodes that sync.
func benchLedger(b *testing.B) *kvledger.Ledger {
	b.Helper()
	l := openLedger(b, etcd.Config{Endpoints: startCluster(b, etcdtest.Config{}).Endpoints()})
	for from := 0; from < benchKeys; from += benchKeys / 10 {
		sim, err := l.Simulate(b.Context(), "fill")
		if err != nil {
			b.Fatal(err)
		}
		for i := range benchKeys / 10 {
			if err := sim.SetState(b.Context(), "asset", benchKey(from+i), []byte("value")); err != nil {
				b.Fatal(err)
			}
		}
		results, err := sim.Results()
		sim.Done()
		if err != nil {
			b.Fatal(err)
		}
		if code, err := l.CommitTx(b.Context(), kvledger.Transaction{TxID: fmt.Sprint("fill", from), RWSet: results.RWSet}); err != nil || code != kvledger.Valid {
			b.Fatal(code, err)
		}
	}
	return l
}

func benchKey(n int) string { return fmt.Sprintf("k%07d", n*7919%benchKeys) }

// simulateTransfer is a transaction of 2 reads and 2 writes.
func simulateTransfer(ctx context.Context, l *kvledger.Ledger, n int) (kvledger.Transaction, error) {
	tx := kvledger.Transaction{TxID: fmt.Sprint("tx", n), Timestamp: time.Unix(1, 0)}
	sim, err := l.Simulate(ctx, tx.TxID)
	if err != nil {
		return tx, err
	}
	defer sim.Done()
	for _, key := range []string{benchKey(2 * n), benchKey(2*n + 1)} {
		if _, err := sim.GetState(ctx, "asset", key); err != nil {
			return tx, err
		}
		if err := sim.SetState(ctx, "asset", key, []byte(tx.TxID)); err != nil {
			return tx, err
		}
	}
	results, err := sim.Results()
	if err != nil {
		return tx, err
	}
	tx.RWSet = results.RWSet
	return tx, nil
}

// simulateBlock simulates the transactions of a block, some at the same time.
func simulateBlock(b *testing.B, l *kvledger.Ledger, n int) kvledger.Block {
	block := kvledger.Block{Transactions: make([]kvledger.Transaction, benchBlock)}
	var wg sync.WaitGroup
	for caller := range benchCallers {
		wg.Go(func() {
			for i := caller; i < benchBlock; i += benchCallers {
				tx, err := simulateTransfer(b.Context(), l, n*benchBlock+i)
				if err != nil {
					b.Error(err)
					return
				}
				block.Transactions[i] = tx
			}
		})
	}
	wg.Wait()
	return block
}

func commitBlock(b *testing.B, l *kvledger.Ledger, block kvledger.Block) {
	codes, err := l.Commit(b.Context(), block)
	if err != nil || slices.ContainsFunc(codes, func(c kvledger.ValidationCode) bool { return c != kvledger.Valid }) {
		b.Fatal(codes, err)
	}
}

func reportBlocks(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(benchBlock*b.N)/b.Elapsed().Seconds(), "tx/s")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkCommit500 commits blocks of 500 transactions that were simulated outside of what is measured.
func BenchmarkCommit500(b *testing.B) {
	l := benchLedger(b)
	var times []time.Duration
	b.ResetTimer()
	b.StopTimer()
	for n := range b.N {
		block := simulateBlock(b, l, n)
		b.StartTimer()
		begun := time.Now()
		commitBlock(b, l, block)
		times = append(times, time.Since(begun))
		b.StopTimer()
	}
	reportBlocks(b, times)
}

// BenchmarkBlock500 simulates blocks of 500 transactions and commits each.
func BenchmarkBlock500(b *testing.B) {
	l := benchLedger(b)
	var times []time.Duration
	b.ResetTimer()
	for n := range b.N {
		begun := time.Now()
		commitBlock(b, l, simulateBlock(b, l, n))
		times = append(times, time.Since(begun))
	}
	reportBlocks(b, times)
}

// BenchmarkPipeline500 simulates the next block while one is being committed. No block reads what the one before it
// writes.
func BenchmarkPipeline500(b *testing.B) {
	l := benchLedger(b)
	next := simulateBlock(b, l, 0)
	var times []time.Duration
	b.ResetTimer()
	for n := range b.N {
		block := next
		var wg sync.WaitGroup
		wg.Go(func() { next = simulateBlock(b, l, n+1) })
		begun := time.Now()
		commitBlock(b, l, block)
		times = append(times, time.Since(begun))
		wg.Wait()
	}
	reportBlocks(b, times)
}

// BenchmarkSimulate takes a snapshot and reads 2 keys, some at the same time.
func BenchmarkSimulate(b *testing.B) {
	for _, callers := range []int{1, benchCallers} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l := benchLedger(b)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for caller := range callers {
				wg.Go(func() {
					for i := caller; i < b.N; i += callers {
						if _, err := simulateTransfer(b.Context(), l, i); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}
