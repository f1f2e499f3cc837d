package pebble_test

import (
	"fmt"
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// existing is how many keys the ledgers of the benchmarks have.
const existing = 200000

func keyOf(n int) string { return fmt.Sprintf("k%07d", n%existing) }

// each runs a benchmark on a ledger in Pebble, on the disk and with syncing, and in memory, to compare.
func each(b *testing.B, run func(b *testing.B, l *kvledger.Ledger)) {
	for name, open := range map[string]func(b *testing.B) store.Store{
		"pebble": func(b *testing.B) store.Store { return openStore(b, pebble.Config{Dir: b.TempDir()}) },
		"memory": func(*testing.B) store.Store { return memory.New() },
	} {
		b.Run(name, func(b *testing.B) {
			l, err := kvledger.NewProvider(open(b)).Open(b.Context(), "mychannel")
			if err != nil {
				b.Fatal(err)
			}
			const size = 10000
			for n := 0; n < existing; n += size {
				commitBlock(b, l, kvledger.Block{Transactions: []kvledger.Transaction{writing(b, l, fmt.Sprintf("fill%d", n), n, size)}})
			}
			run(b, l)
		})
	}
}

// writing simulates a transaction that reads two keys, if it writes two, and writes some, from the nth one on.
func writing(b *testing.B, l *kvledger.Ledger, txID string, n, writes int) kvledger.Transaction {
	sim, err := l.Simulate(b.Context(), txID)
	if err != nil {
		b.Fatal(err)
	}
	defer sim.Done()
	value := make([]byte, 100)
	for i := range writes {
		if writes == 2 {
			if _, err := sim.GetState(b.Context(), "asset", keyOf(n+i)); err != nil {
				b.Fatal(err)
			}
		}
		if err := sim.SetState(b.Context(), "asset", keyOf(n+i), value); err != nil {
			b.Fatal(err)
		}
	}
	results, err := sim.Results()
	if err != nil {
		b.Fatal(err)
	}
	return kvledger.Transaction{TxID: txID, RWSet: results.RWSet}
}

func commitBlock(b *testing.B, l *kvledger.Ledger, block kvledger.Block) {
	codes, err := l.Commit(b.Context(), block)
	if err != nil || codes[0] != kvledger.Valid || codes[len(codes)-1] != kvledger.Valid {
		b.Fatalf("%v, %v", codes, err)
	}
}

// BenchmarkCommit500 commits blocks of 500 transactions of 2 reads and 2 writes, which are simulated outside of what is
// measured.
func BenchmarkCommit500(b *testing.B) {
	each(b, func(b *testing.B, l *kvledger.Ledger) {
		const size = 500
		b.ReportAllocs()
		b.StopTimer()
		for n := 0; n < b.N; n++ {
			var block kvledger.Block
			for i := range size {
				// Primes spread the keys, and the pairs of a block don't meet.
				block.Transactions = append(block.Transactions, writing(b, l, fmt.Sprintf("%d.%d", n, i), 2*((n*size+i)*7919), 2))
			}
			b.StartTimer()
			commitBlock(b, l, block)
			b.StopTimer()
		}
		b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "tx/s")
	})
}

// BenchmarkSimulate takes a snapshot and reads two keys, on all processors.
func BenchmarkSimulate(b *testing.B) {
	each(b, func(b *testing.B, l *kvledger.Ledger) {
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for n := 1; pb.Next(); n++ {
				sim, err := l.Simulate(b.Context(), "tx")
				if err != nil {
					b.Error(err)
					return
				}
				for i := range 2 {
					if value, err := sim.GetState(b.Context(), "asset", keyOf(n*7919+i)); len(value) != 100 || err != nil {
						b.Errorf("value is %q, %v", value, err)
					}
				}
				sim.Done()
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "simulations/s")
	})
}
