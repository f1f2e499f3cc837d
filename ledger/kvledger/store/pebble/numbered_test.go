package pebble_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// The tests of crashes commit numbered batches, of which a number says all that a store must have after it: slots that
// batches overwrite in turn, counters that every batch sets, and a key that the next batch deletes.

const slots = 300

func slotOf(n uint64) string { return fmt.Sprintf("slot%03d", n%slots) }

// valueOf returns a value that tells batches apart, and is now and then large.
func valueOf(n uint64) []byte {
	random := rand.New(rand.NewPCG(n, 0))
	size := random.IntN(8)
	if random.IntN(8) == 0 {
		size = random.IntN(8 << 10)
	}
	return bytes.Repeat([]byte(fmt.Sprintf("%016x", random.Uint64())), size)
}

// commitNext commits the batch that follows n others.
func commitNext(ctx context.Context, s store.Store, n uint64) error {
	b := &store.Batch{Prev: store.Head{Blocks: n, Epoch: min(n, 1)}, Next: store.Head{Blocks: n + 1, Epoch: 1}}
	for key, value := range writesOf(n + 1) {
		b.Writes = append(b.Writes, store.Write{Key: key, Value: value})
	}
	return s.Commit(ctx, b)
}

func writesOf(n uint64) map[string][]byte {
	number := []byte(fmt.Sprint(n))
	return map[string][]byte{
		slotOf(n): valueOf(n), "": number, "counter": number, "\xff": number,
		fmt.Sprintf("last%d", n): {}, fmt.Sprintf("last%d", n-1): nil,
	}
}

// verify checks that a store has what so many batches leave, at least and at most, and nothing else.
func verify(ctx context.Context, s store.Store, atLeast, atMost uint64) error {
	snap, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	n := snap.Head().Blocks
	if n < atLeast || n > atMost {
		return errors.Errorf("the store has %d batches, want %d to %d", n, atLeast, atMost)
	}
	want := map[string]string{}
	for i := n - min(n, slots); i < n; i++ {
		for key, value := range writesOf(i + 1) {
			if value == nil {
				delete(want, key)
			} else {
				want[key] = string(value)
			}
		}
	}
	it := snap.Scan("", "", store.ScanOptions{})
	defer it.Close()
	for {
		key, value, ok, err := it.Next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if expected, found := want[key]; !found || expected != string(value) {
			return errors.Errorf("after %d batches, %q is %.20q, want %.20q (%v)", n, key, value, expected, found)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		return errors.Errorf("after %d batches, %d keys are missing", n, len(want))
	}
	return nil
}
