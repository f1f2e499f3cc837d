package pebble_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
)

// The tests of a ledger's crashes commit numbered blocks: what a block has follows from its number and from the blocks
// before it, so that another ledger with the same blocks says what must be there.

const (
	blockNS   = "asset"
	lasting   = "lasting"
	brief     = "brief"
	blockKeys = 30 // different keys
	// redefined is after how many blocks the namespace gets another definition.
	redefined = 15
)

// definitionAt is the definition that the block with a number is committed under: its indexes change, and how long private
// data lives.
func definitionAt(n uint64) (kvledger.Definition, error) {
	n /= redefined
	d := kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: lasting}, {Name: brief, BlockToLive: 1 + n%3}}}
	for _, field := range [][]string{{"size"}, {"tx"}, {"size", "tx"}}[n%3] {
		index, err := kvledger.ParseIndex(fmt.Appendf(nil, `{"index":{"fields":[%q]},"ddoc":%q,"name":"index","type":"json"}`, field, field))
		if err != nil {
			return d, err
		}
		d.Indexes = append(d.Indexes, index, index.In(lasting))
	}
	return d, nil
}

// defineAt gives the namespace the definition for the block with a number.
func defineAt(ctx context.Context, l *kvledger.Ledger, n uint64) error {
	d, err := definitionAt(n)
	if err != nil {
		return err
	}
	return l.Define(ctx, blockNS, d)
}

// commitNumbered commits the block that follows n others.
func commitNumbered(ctx context.Context, l *kvledger.Ledger, n uint64) error {
	if n%redefined == 0 {
		if err := defineAt(ctx, l, n); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(n, 0))
	var b kvledger.Block
	for i := range blockSize(n) {
		txID := blockTxID(n, i)
		sim, err := kvledgertest.Simulate(ctx, l, txID)
		if err != nil {
			return err
		}
		w := blockWriter{sim: sim, random: random, txID: txID}
		results, err := w.simulate(ctx)
		sim.Done()
		if err != nil {
			return err
		}
		b.Transactions = append(b.Transactions, kvledger.Transaction{
			TxID: txID, Timestamp: time.Unix(int64(n), int64(i)), RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet,
		})
	}
	_, err := l.Commit(ctx, b)
	return err
}

func blockSize(n uint64) int { return 1 + int(n%4) }

func blockTxID(n uint64, i int) string { return fmt.Sprintf("tx%d.%d", n, i) }

// blockWriter simulates one transaction of a block.
type blockWriter struct {
	sim    *kvledger.Simulator
	random *rand.Rand
	txID   string
}

func (w blockWriter) key() string { return fmt.Sprintf("k%02d", w.random.IntN(blockKeys)) }

// value is a document that no other transaction writes, and now and then a large one.
func (w blockWriter) value() []byte {
	padding := 0
	if w.random.IntN(10) == 0 {
		padding = w.random.IntN(8 << 10)
	}
	return fmt.Appendf(nil, `{"tx":%q,"size":%d,"padding":%q}`, w.txID, padding, strings.Repeat("x", padding))
}

// simulate reads and writes at random: so that some transactions are not valid, beside others of their block.
func (w blockWriter) simulate(ctx context.Context) (*kvledger.Results, error) {
	if _, err := w.sim.GetState(ctx, blockNS, w.key()); err != nil {
		return nil, err
	}
	for range 1 + w.random.IntN(5) {
		if err := w.write(ctx); err != nil {
			return nil, err
		}
	}
	return w.sim.Results(ctx)
}

func (w blockWriter) write(ctx context.Context) error {
	key, collection := w.key(), lasting
	if w.random.IntN(2) == 0 {
		collection = brief
	}
	metadata := map[string][]byte{"m": []byte(w.txID)}
	switch w.random.IntN(10) {
	case 0:
		return w.sim.DeleteState(ctx, blockNS, key)
	case 1:
		return w.sim.SetStateMetadata(ctx, blockNS, key, metadata)
	case 2, 3, 4:
		return w.sim.SetPrivateData(ctx, blockNS, collection, key, w.value())
	case 5:
		return w.sim.PurgePrivateData(ctx, blockNS, collection, key)
	case 6:
		return w.sim.SetPrivateDataMetadata(ctx, blockNS, collection, key, metadata)
	default:
		return w.sim.SetState(ctx, blockNS, key, w.value())
	}
}
