package memory_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storebench"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New() })
}

// endingContext ends after it was asked some times whether it has.
type endingContext struct {
	context.Context
	left int
}

func (c *endingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A read of many keys ends with its context, wherever it is.
func TestGetManyStops(t *testing.T) {
	snap, err := memory.New().Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	keys := make([]string, 100_000)
	for _, left := range []int{0, 1, 50} {
		ctx := &endingContext{Context: t.Context(), left: left}
		if values, err := snap.GetMany(ctx, keys); values != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("after %d looks: %d values, %v", left, len(values), err)
		}
	}
}

// A snapshot that was open when the store was closed can still be read: a simulation must not crash at shutdown.
func TestSnapshotOutlivesStore(t *testing.T) {
	s := memory.New()
	err := s.Commit(t.Context(), &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{{Key: "k", Value: []byte("v")}}})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if value, err := snap.Get(t.Context(), "k"); string(value) != "v" || err != nil {
		t.Errorf("value is %q, %v", value, err)
	}
	snap.Close()
}

// BenchmarkLedger is what the other engines are compared with.
func BenchmarkLedger(b *testing.B) {
	storebench.Config{Open: func(*testing.B) store.Store { return memory.New() }, Keys: 200000}.Run(b)
}

func BenchmarkCommit(b *testing.B) {
	s := memory.New()
	var head store.Head
	for n := 0; b.Loop(); n++ {
		next := store.Head{Blocks: head.Blocks + 1}
		writes := make([]store.Write, 1000)
		for i := range writes {
			writes[i] = store.Write{Key: fmt.Sprintf("%08d", (n*7919+i*104729)%1000000), Value: []byte("value")}
		}
		if err := s.Commit(b.Context(), &store.Batch{Prev: head, Next: next, Writes: writes}); err != nil {
			b.Fatal(err)
		}
		head = next
	}
}
