package pebble_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// The same with ledgers: while one is opened, its namespace is defined, or blocks are committed. There are fewer crashes,
// as blocks take longer than batches.
func TestKillLedger(t *testing.T) {
	kill(t, writer{ledgerVar, 200 * time.Millisecond}, func() work { return newReference(t) })
}

func TestCrashLedger(t *testing.T) { crash(t, *crashes/3, func() work { return newReference(t) }) }

// reference is a ledger in memory that gets the blocks which another one should have. It is the work of a ledger.
type reference struct {
	store  *memory.Store
	ledger *kvledger.Ledger
	height uint64
}

var _ work = (*reference)(nil)

func newReference(t *testing.T) *reference {
	t.Helper()
	s := memory.New()
	l, err := kvledger.NewProvider(s).Open(t.Context(), "mychannel")
	if err != nil {
		t.Fatal(err)
	}
	return &reference{store: s, ledger: l}
}

// verify checks that a store has a ledger with so many blocks, at least and at most, and all that these leave, and nothing
// else. It returns how many blocks there are.
func (r *reference) verify(ctx context.Context, s store.Store, atLeast, atMost uint64) (uint64, error) {
	l, err := kvledger.NewProvider(s).Open(ctx, "mychannel")
	if err != nil {
		return 0, err
	}
	height, err := l.Height(ctx)
	if err != nil {
		return 0, err
	}
	if height < atLeast || height > atMost {
		return 0, errors.Errorf("the ledger has %d blocks, want %d to %d", height, atLeast, atMost)
	}
	for ; r.height < height; r.height++ {
		if err := commitNumbered(ctx, r.ledger, r.height); err != nil {
			return 0, err
		}
	}
	for _, l := range []*kvledger.Ledger{l, r.ledger} { // who was killed may have begun to
		if err := defineAt(ctx, l, height); err != nil {
			return 0, err
		}
	}
	for _, check := range []func() error{
		func() error { return sameContents(ctx, s, r.store) },
		func() error { return checkBlocks(ctx, l, height) },
		func() error { return checkPrivate(ctx, l) },
	} {
		if err := check(); err != nil {
			return 0, errors.Wrapf(err, "with %d blocks", height)
		}
	}
	return height, nil
}

func (r *reference) next(ctx context.Context, s store.Store, n uint64) error {
	l, err := kvledger.NewProvider(s).Open(ctx, "mychannel")
	if err != nil {
		return err
	}
	return commitNumbered(ctx, l, n)
}

// A ledger that lacks a part of a block, or a whole one, is not taken for one that is complete.
func TestVerifyLedger(t *testing.T) {
	for name, test := range map[string]struct {
		lost    func(key string) bool
		atLeast uint64
		want    string
	}{
		"nothing":     {func(string) bool { return false }, 50, ""},
		"a block":     {func(string) bool { return false }, 51, "the ledger has 50 blocks, want 51 to 51"},
		"state":       {tagged("s"), 50, "with 50 blocks: pair"},
		"metadata":    {tagged("m"), 50, "with 50 blocks: pair"},
		"private":     {tagged("p"), 50, "with 50 blocks: pair"},
		"hashes":      {tagged("d"), 50, "with 50 blocks: pair"},
		"history":     {tagged("h"), 50, "with 50 blocks: pair"},
		"IDs":         {tagged("t"), 50, "with 50 blocks: pair"},
		"expiry":      {tagged("x"), 50, "with 50 blocks: pair"},
		"indexes":     {tagged("i"), 50, "with 50 blocks: pair"},
		"whole block": {tagged("k"), 50, "with 50 blocks: pair"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := memory.New(), newReference(t)
			for n := range uint64(50) {
				on := store.Store(s)
				if n >= 45 {
					on = lossy{s, test.lost}
				}
				if err := r.next(t.Context(), on, n); err != nil {
					t.Fatal(err)
				}
			}
			_, err := r.verify(t.Context(), s, test.atLeast, test.atLeast)
			if err == nil != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("verify: %v, want %q", err, test.want)
			}
		})
	}
}

func tagged(tag string) func(key string) bool {
	return func(key string) bool { return strings.HasPrefix(key, "mychannel\x00"+tag) }
}

// lossy loses some writes.
type lossy struct {
	store.Store
	lost func(key string) bool
}

func (s lossy) Commit(ctx context.Context, b *store.Batch) error {
	b.Writes = slices.DeleteFunc(b.Writes, func(w store.Write) bool { return s.lost(w.Key) })
	return s.Store.Commit(ctx, b)
}

// sameContents compares all pairs of two stores.
func sameContents(ctx context.Context, got, want store.Store) error {
	var its [2]store.Iterator
	for i, s := range []store.Store{got, want} {
		snap, err := s.Snapshot(ctx)
		if err != nil {
			return err
		}
		defer snap.Close()
		it := snap.Scan("", "", store.ScanOptions{})
		defer it.Close()
		its[i] = it
	}
	for n := 0; ; n++ {
		key, value, ok, err := its[0].Next(ctx)
		if err != nil {
			return err
		}
		wantKey, wantValue, wantOK, err := its[1].Next(ctx)
		switch {
		case err != nil:
			return err
		case key != wantKey || !bytes.Equal(value, wantValue) || ok != wantOK:
			return errors.Errorf("pair %d is %.100q=%.100q, want %.100q=%.100q", n, key, value, wantKey, wantValue)
		case !ok:
			return nil
		}
	}
}

// checkBlocks asks for the last blocks, and for their transactions by ID.
func checkBlocks(ctx context.Context, l *kvledger.Ledger, height uint64) error {
	for n := height - min(height, 100); n < height; n++ {
		b, err := l.Block(ctx, n)
		if err != nil {
			return err
		}
		if len(b.Transactions) != blockSize(n) {
			return errors.Errorf("block %d has %d transactions", n, len(b.Transactions))
		}
		for i, tx := range b.Transactions {
			known, err := l.Transaction(ctx, blockTxID(n, i))
			if err != nil {
				return err
			}
			at := kvledger.Version{Block: n, Tx: uint64(i)}
			same := tx.TxID == known.TxID && tx.Code == known.Code && bytes.Equal(tx.RWSet, known.RWSet)
			if !same || known.Version != at || tx.Version != at {
				return errors.Errorf("transaction %d of block %d is %s, %v, and %v by its ID", i, n, tx.TxID, tx.Code, known.Version)
			}
		}
	}
	if _, err := l.Block(ctx, height); !errors.Is(err, kvledger.ErrNotFound) {
		return errors.Errorf("block %d: %v", height, err)
	}
	return nil
}

// checkPrivate looks whether every private value is what its hash is of, in the version of the hash.
func checkPrivate(ctx context.Context, l *kvledger.Ledger) error {
	sim, err := kvledgertest.Simulate(ctx, l, "check")
	if err != nil {
		return err
	}
	defer sim.Done()
	for _, collection := range []string{lasting, brief} {
		it, err := sim.GetPrivateDataRange(ctx, blockNS, collection, ledger.Range{})
		if err != nil {
			return err
		}
		for {
			kv, err := it.Next(ctx)
			if err != nil {
				return err
			}
			if kv == nil {
				break
			}
			value, err := sim.GetPrivateData(ctx, blockNS, collection, kv.Key)
			if err != nil {
				return err
			}
			hash, err := sim.GetPrivateDataHash(ctx, blockNS, collection, kv.Key)
			if err != nil {
				return err
			}
			if sum := sha256.Sum256(kv.Value); !bytes.Equal(value, kv.Value) || !bytes.Equal(sum[:], hash) {
				return errors.Errorf("%s/%s is %.40q, whose hash is not %x", collection, kv.Key, value, hash)
			}
		}
		it.Close()
	}
	return nil
}
