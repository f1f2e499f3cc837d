package kvledgertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

const (
	submitters = 6
	// maxBlock is how many transactions a block has at most. It has one more if the first one is in it twice.
	maxBlock = 5
	// maxPending is how many transactions a submitter holds back. So some get old, and collide with more others.
	maxPending = 8
)

// testSubmitters has submitters simulate and commit at random, through two providers of the store. A model then executes
// their transactions one after the other. What has become of them must be what the model says.
func testSubmitters(t *testing.T, c Config) {
	s := c.Open(t)
	ledgers := []*kvledger.Ledger{OpenLedger(t, s, "mychannel"), OpenLedger(t, s, "mychannel")}
	var clock atomic.Uint64
	first, err := fill(t.Context(), ledgers[0])
	if err != nil {
		t.Fatal(err)
	}
	filling := &submitter{ledger: ledgers[0], clock: &clock}
	if err := filling.commit(t.Context(), []*transaction{first}); err != nil {
		t.Fatal(err)
	}
	blocks := filling.blocks
	all := make([]*submitter, submitters)
	var wg sync.WaitGroup
	for n := range all {
		all[n] = &submitter{
			name: fmt.Sprint("s", n), ledger: ledgers[n%len(ledgers)], clock: &clock,
			random: rand.New(rand.NewPCG(c.Seed, uint64(n))),
		}
		wg.Go(func() {
			if err := all[n].run(t.Context(), c.Rounds); err != nil {
				t.Errorf("submitter %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	for _, s := range all {
		blocks = append(blocks, s.blocks...)
	}
	if !t.Failed() {
		newReplay(blocks).run(t, ledgers)
	}
	if t.Failed() {
		t.Logf("the seed is %d", c.Seed)
	}
}

// submitter simulates transactions and commits them.
type submitter struct {
	name    string
	ledger  *kvledger.Ledger
	clock   *atomic.Uint64 // of all submitters: it ticks when one begins or ends something
	random  *rand.Rand
	pending []*transaction
	made    int
	blocks  []*block // in the order in which they were acknowledged
}

// block is a block that was acknowledged, and the time when it was committed.
type block struct {
	transactions []*transaction
	began, acked uint64
}

func (s *submitter) run(ctx context.Context, rounds int) error {
	for range rounds {
		for len(s.pending) < maxPending {
			if err := s.simulate(ctx); err != nil {
				return err
			}
		}
		var txs []*transaction
		for range 1 + s.random.IntN(maxBlock) {
			i := s.random.IntN(len(s.pending))
			txs = append(txs, s.pending[i])
			s.pending = append(s.pending[:i], s.pending[i+1:]...)
		}
		if s.random.IntN(8) == 0 {
			again := *txs[0]
			txs = append(txs, &again)
		}
		if err := s.commit(ctx, txs); err != nil {
			return err
		}
	}
	return nil
}

// simulate adds a transaction to those that wait. Now and then its ID is not new.
func (s *submitter) simulate(ctx context.Context) error {
	s.made++
	tx := &transaction{id: fmt.Sprintf("%s.%d", s.name, s.made)}
	if s.made > 1 && s.random.IntN(30) == 0 {
		tx.id = fmt.Sprintf("%s.%d", s.name, 1+s.random.IntN(s.made-1))
	}
	tx.at = time.Unix(int64(s.made), s.random.Int64N(1e9)).UTC()
	tx.began = s.clock.Add(1)
	if err := simulate(ctx, s.ledger, s.random, tx); err != nil {
		return errors.Wrapf(err, "simulate %s", tx.id)
	}
	tx.ended = s.clock.Add(1)
	s.pending = append(s.pending, tx)
	return nil
}

func (s *submitter) commit(ctx context.Context, txs []*transaction) error {
	b := &block{transactions: txs}
	var committed kvledger.Block
	for _, tx := range txs {
		committed.Transactions = append(committed.Transactions, kvledger.Transaction{
			TxID: tx.id, Timestamp: tx.at, RWSet: tx.results.RWSet, PrivateRWSet: tx.results.PrivateRWSet,
		})
	}
	b.began = s.clock.Add(1)
	codes, err := s.ledger.Commit(ctx, committed)
	b.acked = s.clock.Add(1)
	if err != nil {
		return err
	}
	if len(codes) != len(txs) {
		return errors.Errorf("Commit returns %d codes for %d transactions", len(codes), len(txs))
	}
	for i, tx := range txs {
		tx.code = codes[i]
	}
	s.blocks = append(s.blocks, b)
	return nil
}
