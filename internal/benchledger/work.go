package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

const (
	namespace = "asset"
	blockSize = 500
	valueSize = 100
	hits      = 200 // of a query, if there are that many documents
	callers   = 64  // who simulate a block's transactions, as many clients of a peer do
)

// bench is a ledger that is filled, and what of its keys was used.
type bench struct {
	ledger *kvledger.Ledger
	keys   int
	owners int // of documents
	used   int // keys that blocks have read and written
	blocks int
}

func newBench(ctx context.Context, cfg Config, s store.Store) (*bench, error) {
	l, err := kvledger.NewProvider(s).Open(ctx, "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{ledger: l, keys: cfg.Keys, owners: max(cfg.Documents/hits, 1)}
	if cfg.Engine == "etcd" {
		b.keys = cfg.EtcdKeys
	}
	value := make([]byte, valueSize)
	for i := range value {
		value[i] = byte('a' + i%26)
	}
	err = b.fill(ctx, namespace, b.keys, func(i int) (string, []byte) { return b.key(i), value })
	return b, err
}

func (b *bench) key(i int) string { return fmt.Sprintf("key%08d", i%b.keys) }

// fill writes keys, many by each transaction.
func (b *bench) fill(ctx context.Context, namespace string, n int, pair func(i int) (string, []byte)) error {
	const perTx, perBlock = 50, 5000
	for from := 0; from < n; from += perBlock {
		var block kvledger.Block
		for first := from; first < min(from+perBlock, n); first += perTx {
			tx, err := b.simulate(ctx, fmt.Sprintf("fill.%s.%d", namespace, first), func(sim ledger.Simulator) error {
				for i := first; i < min(first+perTx, n); i++ {
					key, value := pair(i)
					if err := sim.SetState(ctx, namespace, key, value); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			block.Transactions = append(block.Transactions, tx)
		}
		if err := b.commit(ctx, block); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) simulate(ctx context.Context, txID string, use func(ledger.Simulator) error) (kvledger.Transaction, error) {
	sim, err := b.ledger.NewSimulator(ctx, txID)
	if err != nil {
		return kvledger.Transaction{}, err
	}
	defer sim.Done()
	if err := use(sim); err != nil {
		return kvledger.Transaction{}, err
	}
	r, err := kvledger.ResultsOf(ctx, sim)
	if err != nil {
		return kvledger.Transaction{}, err
	}
	return kvledger.Transaction{TxID: txID, Timestamp: time.Now(), RWSet: r.RWSet}, nil
}

// commit commits a block, all of whose transactions must be valid.
func (b *bench) commit(ctx context.Context, block kvledger.Block) error {
	codes, err := b.ledger.Commit(ctx, block)
	if err != nil {
		return err
	}
	for i, code := range codes {
		if code != kvledger.Valid {
			return errors.Errorf("transaction %d is %s", i, code)
		}
	}
	return nil
}

// Block is how long one took.
type Block struct{ Simulate, Commit time.Duration }

// measureBlocks simulates the transactions of a block, many at once, and then commits it: each reads two keys and writes them.
func (b *bench) measureBlocks(ctx context.Context, n int) ([]Block, error) {
	var all []Block
	for range n {
		begin := time.Now()
		block, err := b.simulateBlock(ctx, blockSize)
		if err != nil {
			return nil, err
		}
		simulated := time.Now()
		if err := b.commit(ctx, block); err != nil {
			return nil, err
		}
		all = append(all, Block{simulated.Sub(begin), time.Since(simulated)})
	}
	return all, nil
}

func (b *bench) simulateBlock(ctx context.Context, size int) (kvledger.Block, error) {
	b.blocks++
	first := b.used
	b.used += 2 * size
	txs, errs := make([]kvledger.Transaction, size), make([]error, callers)
	var next atomic.Int64
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < size && errs[w] == nil; i = int(next.Add(1) - 1) {
				txs[i], errs[w] = b.simulate(ctx, fmt.Sprintf("block%d.%d", b.blocks, i), func(sim ledger.Simulator) error {
					return b.readAndWrite(ctx, sim, first+2*i)
				})
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return kvledger.Block{}, err
		}
	}
	return kvledger.Block{Transactions: txs}, nil
}

// readAndWrite uses two keys. A prime spreads them, so that none is used twice before all are.
func (b *bench) readAndWrite(ctx context.Context, sim ledger.Simulator, i int) error {
	for k := i; k < i+2; k++ {
		key := b.key(k * 7919)
		value, err := sim.GetState(ctx, namespace, key)
		if err != nil {
			return err
		}
		if len(value) != valueSize {
			return errors.Errorf("key %s has a value of %d bytes", key, len(value))
		}
		changed := slices.Clone(value)
		changed[0] = 'A' + byte(b.blocks%26)
		if err := sim.SetState(ctx, namespace, key, changed); err != nil {
			return err
		}
	}
	return nil
}

// measureSimulations returns how many there are in a second, on all CPUs: a snapshot and two reads.
func (b *bench) measureSimulations(ctx context.Context, d time.Duration) (float64, error) {
	var count atomic.Int64
	errs := make([]error, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	begin := time.Now()
	for w := range errs {
		workers.Go(func() {
			for n := w * 1_000_003; time.Since(begin) < d && errs[w] == nil; n++ {
				errs[w] = b.simulation(ctx, n)
				count.Add(1)
			}
		})
	}
	workers.Wait()
	took := time.Since(begin)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(count.Load()) / took.Seconds(), nil
}

func (b *bench) simulation(ctx context.Context, n int) error {
	sim, err := b.ledger.NewSimulator(ctx, "simulation")
	if err != nil {
		return err
	}
	defer sim.Done()
	for i := range 2 {
		if value, err := sim.GetState(ctx, namespace, b.key((2*n+i)*7919)); err != nil || len(value) != valueSize {
			return errors.Errorf("read %d bytes: %v", len(value), err)
		}
	}
	return nil
}

const documents = "documents"

// fillDocuments writes documents, and defines an index on one of two fields that have the same values.
func (b *bench) fillDocuments(ctx context.Context, n int) error {
	err := b.fill(ctx, documents, n, func(i int) (string, []byte) {
		owner := i * 7919 % b.owners
		return fmt.Sprintf("doc%08d", i), fmt.Appendf(nil,
			`{"docType":"asset","id":%d,"owner":"owner%d","holder":"owner%d","colour":"blue","size":%d,"appraisedValue":%d}`,
			i, owner, owner, i%100, i%1000)
	})
	if err != nil {
		return err
	}
	x, err := kvledger.ParseIndex([]byte(`{"index":{"fields":["owner"]},"ddoc":"indexOwner","name":"indexOwner","type":"json"}`))
	if err != nil {
		return err
	}
	return b.ledger.Define(ctx, documents, kvledger.Definition{Indexes: []kvledger.Index{x}})
}

// measureQuery returns how long a query takes for one value of a field, until the last result.
func (b *bench) measureQuery(ctx context.Context, field string, value, want int) (time.Duration, error) {
	begin := time.Now()
	sim, err := b.ledger.NewSimulator(ctx, "query")
	if err != nil {
		return 0, err
	}
	defer sim.Done()
	query := fmt.Sprintf(`{"selector":{%q:"owner%d"}}`, field, value%b.owners)
	it, err := sim.(ledger.RichQuerier).ExecuteQuery(ctx, documents, query, ledger.Page{})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for found := 0; ; found++ {
		kv, err := it.Next(ctx)
		if err != nil {
			return 0, err
		}
		if kv == nil && found != want {
			return 0, errors.Errorf("%s finds %d documents, want %d", query, found, want)
		}
		if kv == nil {
			return time.Since(begin), nil
		}
	}
}
