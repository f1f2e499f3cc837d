package storetest

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

var errFull = errors.New("there is no room")

// reservations notes what is reserved, and refuses what is more than the limit. It then notes how much memory is in use.
type reservations struct{ limit, sum, live int }

func (r *reservations) Reserve(_ context.Context, n int) error {
	if r.sum+n > r.limit {
		r.live = live()
		return errFull
	}
	r.sum += n
	return nil
}

// live is how many bytes of the heap are in use.
func live() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what is in a pool survives the first
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc) //nolint:gosec // far from the limit
}

const (
	reserveLittle, reserveLarge = 1000, 1 << 20
	// An engine may not know a value's size alone.
	reserveMore = 1 << 10
)

// reading is a way to read for an answer, and how many bytes it should reserve.
type reading struct {
	name string
	read func(ctx context.Context, s store.Snapshot) error
	want int
	held int // how many bytes an engine may hold while the reading waits for room, which should be few
}

func scanAll(o store.ScanOptions) func(context.Context, store.Snapshot) error {
	return func(ctx context.Context, s store.Snapshot) error {
		it := s.Scan("", "", o)
		defer it.Close()
		for {
			if _, _, ok, err := it.Next(ctx); !ok {
				return err
			}
		}
	}
}

func getMany(keys ...string) func(context.Context, store.Snapshot) error {
	return func(ctx context.Context, s store.Snapshot) error {
		_, err := s.GetMany(ctx, keys)
		return err
	}
}

// readings are of a store that has a little value at a, and large ones at b, c and d.
func readings() []reading {
	get := func(key string) func(context.Context, store.Snapshot) error {
		return func(ctx context.Context, s store.Snapshot) error {
			_, err := s.Get(ctx, key)
			return err
		}
	}
	return []reading{
		{"Get of a little value", get("a"), reserveLittle, 0},
		{"Get of a large value", get("b"), reserveLarge, 0},
		{"Get of no value", get("e"), 0, 0},
		{"GetMany", getMany("a", "b", "c", "e", "b"), reserveLittle + 3*reserveLarge, 0},
		{"Scan for an answer", scanAll(store.ScanOptions{Reserve: true}), reserveLittle + 3*reserveLarge, 0},
		// Pebble has to look at the pair before it, and copies the one that it is at.
		{"Scan for an answer, backwards", scanAll(store.ScanOptions{Reserve: true, Reverse: true}), reserveLittle + 3*reserveLarge, reserveLarge},
		{"Scan of pairs one by one", scanAll(store.ScanOptions{Reserve: true, Fetch: 1}), reserveLittle + 3*reserveLarge, 0},
		{"Scan for the ledger", scanAll(store.ScanOptions{}), 0, 0},
	}
}

// RunReserve tests an engine that makes a copy of each value that it reads. Such a one asks ledger.Reserve for each value
// before it holds it. open returns a store that is empty, which the suite closes.
func RunReserve(t *testing.T, open func(t *testing.T) store.Store) {
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	commitWrites(t, s, []store.Write{{Key: "a", Value: make([]byte, reserveLittle)}})
	for _, key := range []string{"b", "c", "d"} { // an engine may limit what is written at once
		commitWrites(t, s, []store.Write{{Key: key, Value: make([]byte, reserveLarge)}})
	}
	snap := snapshot(t, s)
	for _, r := range readings() {
		t.Run(r.name, func(t *testing.T) { testReserve(t, snap, r) })
	}
	t.Run("values", func(t *testing.T) {
		wantGet(t, snap, "b", make([]byte, reserveLarge))
		values, err := snap.GetMany(t.Context(), []string{"b", "e", "a", "b"})
		if err != nil || fmt.Sprint(len(values[0]), values[1] == nil, len(values[2]), len(values[3])) != fmt.Sprint(reserveLarge, true, reserveLittle, reserveLarge) {
			t.Errorf("GetMany has values of %d, %d, %d and %d bytes, %v", len(values[0]), len(values[1]), len(values[2]), len(values[3]), err)
		}
		for _, o := range []store.ScanOptions{{Reserve: true}, {Reserve: true, Reverse: true}} {
			wantScanned(t, snap, o, 4, reserveLittle+3*reserveLarge)
		}
	})
	t.Run("sizes", func(t *testing.T) { testSizes(t, s) })
}

// testSizes reads many values of very different sizes, all at once and in every order.
func testSizes(t *testing.T, s store.Store) {
	const n = 300
	var writes []store.Write
	value := func(i int) []byte { // a few of 100 kB among many of up to 3 kB
		size := i % 7 * 500
		if i%41 == 7 {
			size = 100_000
		}
		return bytes.Repeat([]byte{byte(i)}, size)
	}
	keys := make([]string, n)
	for i := range n {
		keys[i] = fmt.Sprintf("size%03d", i)
		writes = append(writes, store.Write{Key: keys[i], Value: value(i)})
	}
	for part := range slices.Chunk(writes, 100) {
		commitWrites(t, s, part)
	}
	snap := snapshot(t, s)
	values, err := snap.GetMany(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range values {
		if v == nil || !bytes.Equal(v, value(i)) {
			t.Errorf("value %d has %d bytes", i, len(v))
		}
	}
	for _, o := range []store.ScanOptions{{Reserve: true}, {Reserve: true, Reverse: true, Fetch: 3}, {}, {Reserve: true, Fetch: 1000}} {
		it := snap.Scan("size", "sizf", o)
		for i := range n {
			if o.Reverse {
				i = n - 1 - i
			}
			if key, v, ok, err := it.Next(t.Context()); !ok || err != nil || key != keys[i] || !bytes.Equal(v, value(i)) {
				t.Fatalf("%+v: pair %d is %q with %d bytes, %v", o, i, key, len(v), err)
			}
		}
		if key, _, ok, err := it.Next(t.Context()); ok || err != nil {
			t.Errorf("%+v: after the last pair there is %q, %v", o, key, err)
		}
		it.Close()
	}
}

// testReserve checks what a reading reserves, that a refusal is what the reader gets, and that the snapshot is as good as
// before.
func testReserve(t *testing.T, snap store.Snapshot, test reading) {
	r := &reservations{limit: test.want + 4*reserveMore}
	if err := test.read(ledger.WithReserver(t.Context(), r), snap); err != nil || r.sum < test.want || (test.want == 0 && r.sum > 0) {
		t.Errorf("reserved %d, %v, want %d", r.sum, err, test.want)
	}
	if test.want > 0 {
		full := &reservations{limit: r.sum - 1}
		if err := test.read(ledger.WithReserver(t.Context(), full), snap); !errors.Is(err, errFull) {
			t.Errorf("got %v, want %v", err, errFull)
		}
	}
	if test.want >= reserveLarge {
		wantWaiting(t, snap, test)
	}
	if err := test.read(t.Context(), snap); err != nil {
		t.Error(err)
	}
}

// wantWaiting checks that a large value that waits for room is not in memory. Whether a little one is doesn't matter. An engine
// may be at work in the background, so what counts is the least of some tries.
func wantWaiting(t *testing.T, snap store.Snapshot, test reading) {
	t.Helper()
	least := math.MaxInt
	for range 5 {
		before := live()
		full := &reservations{limit: reserveLittle + reserveMore}
		if err := test.read(ledger.WithReserver(t.Context(), full), snap); !errors.Is(err, errFull) {
			t.Errorf("got %v, want %v", err, errFull)
		}
		if least = min(least, full.live-before); least <= test.held+reserveLarge/2 {
			return
		}
	}
	t.Errorf("a reader that waits for room holds %d bytes", least)
}

func wantScanned(t *testing.T, s store.Snapshot, o store.ScanOptions, pairs, bytes int) {
	t.Helper()
	it := s.Scan("", "", o)
	defer it.Close()
	n, sum := 0, 0
	for {
		_, value, ok, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		n, sum = n+1, sum+len(value)
	}
	if n != pairs || sum != bytes {
		t.Errorf("%+v yields %d pairs and %d bytes, want %d and %d", o, n, sum, pairs, bytes)
	}
}
