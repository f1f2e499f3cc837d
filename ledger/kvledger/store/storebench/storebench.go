// Package storebench has the benchmarks of an engine with package kvledger over it. They measure how fast blocks are
// committed, and transactions simulated. They are the same for every engine, so that engines can be compared.
package storebench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

const (
	// blockSize is how many transactions a block has.
	blockSize = 500
	// manyCallers is how many callers simulate at the same time.
	manyCallers = 32
	// valueSize is how many bytes each of the first values has.
	valueSize = 100
)

// Config says what is measured.
type Config struct {
	// Open returns an empty store. It releases the store, and everything else, by b.Cleanup. It is required.
	Open func(b *testing.B) store.Store
	// Keys is how many keys the ledger has before anything is measured; 0 is 100,000. They are written in ten blocks.
	Keys int
}

// Run measures the following, each on a new store:
//
//   - Commit500: committing a block of 500 transactions, whose simulation is not measured
//   - Block500: simulating a block of 500 transactions, and committing it
//   - Pipeline500: the same, but the next block is simulated while one is being committed
//   - Simulate: simulating a transaction, by one caller and by many at the same time
//
// Every transaction reads two keys and writes them. No block reads what the one before it writes.
func (c Config) Run(b *testing.B) {
	if c.Keys == 0 {
		c.Keys = 100000
	}
	b.Run("Commit500", func(b *testing.B) { c.open(b).commit() })
	b.Run("Block500", func(b *testing.B) { c.open(b).blocks() })
	b.Run("Pipeline500", func(b *testing.B) { c.open(b).pipeline() })
	for _, callers := range []int{1, manyCallers} {
		b.Run(fmt.Sprintf("Simulate/callers=%d", callers), func(b *testing.B) { c.open(b).simulate(callers) })
	}
}

// bench is a benchmark on a ledger that has some keys.
type bench struct {
	*testing.B
	ledger *kvledger.Ledger
	keys   int
	times  []time.Duration // how long each block took
}

func (c Config) open(b *testing.B) *bench {
	b.Helper()
	l, err := kvledger.NewProvider(c.Open(b)).Open(b.Context(), "mychannel")
	if err != nil {
		b.Fatal(err)
	}
	n := &bench{B: b, ledger: l, keys: c.Keys}
	for from := 0; from < c.Keys; from += c.Keys / 10 {
		if err := n.fill(from, min(c.Keys/10, c.Keys-from)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	return n
}

// fill commits some keys, as a block.
func (b *bench) fill(from, keys int) error {
	ctx := b.Context()
	sim, err := b.ledger.NewSimulator(ctx, "fill")
	if err != nil {
		return err
	}
	defer sim.Done()
	for i := range keys {
		if err := sim.SetState(ctx, "asset", b.key(from+i), make([]byte, valueSize)); err != nil {
			return err
		}
	}
	results, err := kvledger.ResultsOf(ctx, sim)
	if err != nil {
		return err
	}
	b.commitBlock(kvledger.Block{Transactions: []kvledger.Transaction{{TxID: fmt.Sprint("fill", from), RWSet: results.RWSet}}})
	return nil
}

// key spreads the keys, so that neighbours in a block are none in the store.
func (b *bench) key(n int) string { return fmt.Sprintf("k%07d", n*7919%b.keys) }

// transfer simulates a transaction of two reads and two writes.
func (b *bench) transfer(ctx context.Context, n int) (kvledger.Transaction, error) {
	tx := kvledger.Transaction{TxID: fmt.Sprint("tx", n), Timestamp: time.Unix(1, 0)}
	sim, err := b.ledger.NewSimulator(ctx, tx.TxID)
	if err != nil {
		return tx, err
	}
	defer sim.Done()
	for _, key := range []string{b.key(2 * n), b.key(2*n + 1)} {
		if _, err := sim.GetState(ctx, "asset", key); err != nil {
			return tx, err
		}
		if err := sim.SetState(ctx, "asset", key, []byte(tx.TxID)); err != nil {
			return tx, err
		}
	}
	results, err := kvledger.ResultsOf(ctx, sim)
	if err != nil {
		return tx, err
	}
	tx.RWSet = results.RWSet
	return tx, nil
}

// simulateBlock simulates the transactions of a block, many at the same time.
func (b *bench) simulateBlock(n int) kvledger.Block {
	block := kvledger.Block{Transactions: make([]kvledger.Transaction, blockSize)}
	b.each(manyCallers, blockSize, func(i int) (err error) {
		block.Transactions[i], err = b.transfer(b.Context(), n*blockSize+i)
		return err
	})
	return block
}

// each calls f n times, by several callers at the same time.
func (b *bench) each(callers, n int, f func(i int) error) {
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < n; i += callers {
				if err := f(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (b *bench) commitBlock(block kvledger.Block) {
	codes, err := b.ledger.Commit(b.Context(), block)
	if err != nil || slices.ContainsFunc(codes, func(c kvledger.ValidationCode) bool { return c != kvledger.Valid }) {
		b.Fatal(codes, err)
	}
}

// note keeps how long a block has taken.
func (b *bench) note(begun time.Time) { b.times = append(b.times, time.Since(begun)) }

func (b *bench) reportBlocks() {
	slices.Sort(b.times)
	b.ReportMetric(float64(blockSize*b.N)/b.Elapsed().Seconds(), "tx/s")
	b.ReportMetric(float64(b.times[len(b.times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(b.times[len(b.times)*99/100].Microseconds())/1000, "p99-ms")
}

func (b *bench) commit() {
	b.StopTimer()
	for n := range b.N {
		block := b.simulateBlock(n)
		b.StartTimer()
		begun := time.Now()
		b.commitBlock(block)
		b.note(begun)
		b.StopTimer()
	}
	b.reportBlocks()
}

func (b *bench) blocks() {
	for n := range b.N {
		begun := time.Now()
		b.commitBlock(b.simulateBlock(n))
		b.note(begun)
	}
	b.reportBlocks()
}

func (b *bench) pipeline() {
	b.StopTimer()
	next := b.simulateBlock(0)
	b.StartTimer()
	for n := range b.N {
		block := next
		var wg sync.WaitGroup
		wg.Go(func() { next = b.simulateBlock(n + 1) })
		begun := time.Now()
		b.commitBlock(block)
		b.note(begun)
		wg.Wait()
	}
	b.reportBlocks()
}

func (b *bench) simulate(callers int) {
	b.each(callers, b.N, func(i int) error {
		_, err := b.transfer(b.Context(), i)
		return err
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}
