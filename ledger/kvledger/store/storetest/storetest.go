// Package storetest is the suite that every engine under package kvledger should pass.
package storetest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Run tests an engine. open returns a store that is empty, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"empty", testEmpty},
		{"get", testGet},
		{"delete", testDelete},
		{"scan", testScan},
		{"scan of many", testScanMany},
		{"snapshots don't change", testSnapshot},
		{"head", testHead},
		{"cancelled commit", testCancelled},
		{"cancelled scan", testCancelledScan},
		{"cancelled long scan", testCancelledLongScan},
		{"cancelled reads", testCancelledReads},
		{"writers", testWriters},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { // after those of snapshot
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			test.run(t, s)
		})
	}
	t.Run("closed", func(t *testing.T) { testClosed(t, open(t)) })
}

func testEmpty(t *testing.T, s store.Store) {
	snap := snapshot(t, s)
	if head := snap.Head(); head != (store.Head{}) {
		t.Errorf("head of an empty store is %+v", head)
	}
	wantGet(t, snap, "", nil)
	wantGet(t, snap, "a", nil)
	for _, reverse := range []bool{false, true} {
		wantScan(t, snap, "", "", reverse, "")
		wantScan(t, snap, "a", "b", reverse, "")
	}
}

func testGet(t *testing.T, s store.Store) {
	pairs := map[string]string{
		"\x00": "nul", "a": "1", "a\x00": "2", "a\x00b": "", "é": "utf-8", "\xff": "last", "\xff\xfe": "not utf-8",
		"big": strings.Repeat("x", 1<<20),
	}
	commit(t, s, pairs)
	commit(t, s, map[string]string{"a": "changed"})
	pairs["a"] = "changed"
	snap := snapshot(t, s)
	keys := []string{"absent"}
	for key, value := range pairs {
		wantGet(t, snap, key, []byte(value))
		keys = append(keys, key)
	}
	wantGet(t, snap, "absent", nil)
	values, err := snap.GetMany(t.Context(), keys)
	if err != nil || len(values) != len(keys) {
		t.Fatalf("GetMany of %d keys: %d values, %v", len(keys), len(values), err)
	}
	for i, key := range keys {
		value, present := pairs[key]
		if (values[i] != nil) != present || string(values[i]) != value {
			t.Errorf("GetMany: %q is %.20q", key, values[i])
		}
	}
}

func testDelete(t *testing.T, s store.Store) {
	commit(t, s, map[string]string{"a": "1", "b": "2"})
	commitWrites(t, s, []store.Write{{Key: "a"}, {Key: "absent"}, {Key: "c", Value: []byte("3")}})
	snap := snapshot(t, s)
	wantGet(t, snap, "a", nil)
	wantScan(t, snap, "", "", false, "b c")
}

func testScan(t *testing.T, s store.Store) {
	commit(t, s, map[string]string{"a": "", "a\x00": "", "b": "", "b1": "", "c": "", "\xff": ""})
	snap := snapshot(t, s)
	for _, test := range []struct{ lo, hi, want string }{
		{"", "", "a a\x00 b b1 c \xff"},
		{"a", "b", "a a\x00"},
		{"a\x00", "b\x00", "a\x00 b"},
		{"aa", "bb", "b b1"},
		{"", "b", "a a\x00"},
		{"c", "", "c \xff"},
		{"d", "e", ""},
		{"b", "b", ""},
		{"c", "a", ""},
		{"\xff\xff", "", ""},
		{"b", "\xff\xff", "b b1 c \xff"},
	} {
		wantScan(t, snap, test.lo, test.hi, false, test.want)
		words := strings.Fields(test.want)
		slices.Reverse(words)
		wantScan(t, snap, test.lo, test.hi, true, strings.Join(words, " "))
	}
}

// testScanMany reads more than an engine fetches at a time, with every hint.
func testScanMany(t *testing.T, s store.Store) {
	const n = 2500
	pairs := map[string]string{}
	for i := range n {
		pairs[fmt.Sprintf("k%05d", i)] = fmt.Sprint(i)
	}
	commit(t, s, pairs)
	snap := snapshot(t, s)
	for _, o := range []store.ScanOptions{{}, {Fetch: 1}, {Fetch: 101}, {Reverse: true}, {KeysOnly: true}} {
		it := snap.Scan("k", "l", o)
		for i := range n {
			at := i
			if o.Reverse {
				at = n - 1 - i
			}
			key, value, ok, err := it.Next(t.Context())
			if err != nil || !ok || key != fmt.Sprintf("k%05d", at) || (!o.KeysOnly && string(value) != fmt.Sprint(at)) {
				t.Fatalf("%+v: pair %d is %q=%q, %v, %v", o, at, key, value, ok, err)
			}
		}
		for range 2 {
			if key, _, ok, err := it.Next(t.Context()); ok || err != nil {
				t.Errorf("%+v: the end is %q, %v", o, key, err)
			}
		}
		it.Close()
		it.Close()
	}
}

func testSnapshot(t *testing.T, s store.Store) {
	commit(t, s, map[string]string{"a": "1", "b": "1"})
	before := snapshot(t, s)
	it := before.Scan("", "", store.ScanOptions{})
	defer it.Close()
	if key, _, _, err := it.Next(t.Context()); key != "a" || err != nil {
		t.Fatalf("first key is %q, %v", key, err)
	}
	head := before.Head()
	commitWrites(t, s, []store.Write{{Key: "a", Value: []byte("2")}, {Key: "b"}, {Key: "c", Value: []byte("2")}})
	if before.Head() != head {
		t.Errorf("the head of a snapshot changed")
	}
	wantGet(t, before, "a", []byte("1"))
	wantScan(t, before, "", "", false, "a b")
	if key, value, _, err := it.Next(t.Context()); key != "b" || string(value) != "1" || err != nil {
		t.Errorf("an open iterator goes on with %q=%q, %v", key, value, err)
	}
	after := snapshot(t, s)
	wantGet(t, after, "a", []byte("2"))
	wantScan(t, after, "", "", false, "a c")
}

func testHead(t *testing.T, s store.Store) {
	one, two := store.Head{Blocks: 1, Epoch: 7}, store.Head{Blocks: 2, Epoch: 7}
	put := func(prev, next store.Head, value string) error {
		return s.Commit(t.Context(), &store.Batch{Prev: prev, Next: next, Writes: []store.Write{{Key: "k", Value: []byte(value)}}})
	}
	if err := put(one, two, "early"); !errors.Is(err, store.ErrHeadMoved) {
		t.Errorf("a commit on a head that is not there: %v", err)
	}
	if err := put(store.Head{}, one, "first"); err != nil {
		t.Fatalf("first commit: %v", err)
	}
	for _, prev := range []store.Head{{}, {Blocks: 1, Epoch: 8}, {Blocks: 2, Epoch: 7}} {
		if err := put(prev, two, "lost"); !errors.Is(err, store.ErrHeadMoved) {
			t.Errorf("a commit on %+v at %+v: %v", prev, one, err)
		}
	}
	snap := snapshot(t, s)
	wantGet(t, snap, "k", []byte("first"))
	if snap.Head() != one {
		t.Errorf("head is %+v, want %+v", snap.Head(), one)
	}
	if err := put(one, two, "second"); err != nil {
		t.Errorf("second commit: %v", err)
	}
}

func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{{Key: "k", Value: []byte("v")}}}
	if err := s.Commit(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("a commit whose context has ended: %v", err)
	}
}

// A scan ends with its context, not with the range, and does not take another one up.
func testCancelledScan(t *testing.T, s store.Store) {
	commit(t, s, map[string]string{"a": "1", "b": "2", "c": "3"})
	it := snapshot(t, s).Scan("", "", store.ScanOptions{})
	defer it.Close()
	ctx, cancel := context.WithCancel(t.Context())
	if key, _, ok, err := it.Next(ctx); key != "a" || !ok || err != nil {
		t.Errorf("Next is %q, %v, %v", key, ok, err)
	}
	cancel()
	for _, ctx := range []context.Context{ctx, t.Context()} {
		if key, _, ok, err := it.Next(ctx); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("Next after the cancellation is %q, %v, %v", key, ok, err)
		}
	}
}

// testCancelledLongScan ends the context of scans before they begin, and after more pairs than an engine fetches at a time.
func testCancelledLongScan(t *testing.T, s store.Store) {
	pairs := map[string]string{}
	for i := range 1500 {
		pairs[fmt.Sprintf("k%05d", i)] = "value"
	}
	commit(t, s, pairs)
	snap := snapshot(t, s)
	for _, o := range []store.ScanOptions{{}, {Fetch: 7}, {Reverse: true}, {KeysOnly: true, Fetch: 101}} {
		for _, n := range []int{0, 1, 150, 1201} {
			ctx, cancel := context.WithCancel(t.Context())
			it := snap.Scan("", "", o)
			for i := range n {
				if _, _, ok, err := it.Next(ctx); !ok || err != nil {
					t.Fatalf("%+v: Next after %d pairs is %v, %v", o, i, ok, err)
				}
			}
			cancel()
			if key, _, ok, err := it.Next(ctx); ok || !errors.Is(err, context.Canceled) {
				t.Errorf("%+v: Next after %d pairs and the cancellation is %q, %v, %v", o, n, key, ok, err)
			}
			it.Close()
		}
	}
}

// testCancelledReads ends the context of reads before they begin.
func testCancelledReads(t *testing.T, s store.Store) {
	commit(t, s, map[string]string{"a": "1", "b": "2"})
	snap := snapshot(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if value, err := snap.Get(ctx, "a"); value != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Get after the cancellation is %q, %v", value, err)
	}
	if values, err := snap.GetMany(ctx, []string{"a", "b"}); values != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("GetMany after the cancellation is %q, %v", values, err)
	}
	wantGet(t, snap, "a", []byte("1"))
}

// testWriters has writers add to a counter, and readers look whether two keys that are written together differ.
func testWriters(t *testing.T, s store.Store) {
	const writers, each = 4, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for range each {
				if err := increment(t.Context(), s, uint64(w)+1); err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range each {
				if err := compare(t.Context(), s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	snap := snapshot(t, s)
	wantGet(t, snap, "x", []byte(fmt.Sprint(writers*each)))
	if blocks := snap.Head().Blocks; blocks != writers*each {
		t.Errorf("head counts %d commits, %d were made", blocks, writers*each)
	}
}

func increment(ctx context.Context, s store.Store, epoch uint64) error {
	for {
		snap, err := s.Snapshot(ctx)
		if err != nil {
			return err
		}
		old, err := snap.Get(ctx, "x")
		head := snap.Head()
		snap.Close()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi("0" + string(old))
		if err != nil {
			return err
		}
		value := []byte(fmt.Sprint(n + 1))
		err = s.Commit(ctx, &store.Batch{
			Prev: head, Next: store.Head{Blocks: head.Blocks + 1, Epoch: epoch},
			Writes: []store.Write{{Key: "x", Value: value}, {Key: "y", Value: value}},
		})
		if !errors.Is(err, store.ErrHeadMoved) {
			return err
		}
	}
}

func compare(ctx context.Context, s store.Store) error {
	snap, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snap.Close()
	values, err := snap.GetMany(ctx, []string{"x", "y"})
	if err == nil && string(values[0]) != string(values[1]) {
		err = errors.Errorf("half of a batch is visible: %q and %q", values[0], values[1])
	}
	return err
}

func testClosed(t *testing.T, s store.Store) {
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := s.Snapshot(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Snapshot after Close: %v", err)
	}
	if err := s.Commit(t.Context(), &store.Batch{Next: store.Head{Blocks: 1}}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Commit after Close: %v", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func snapshot(t *testing.T, s store.Store) store.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	t.Cleanup(snap.Close)
	return snap
}

func commit(t *testing.T, s store.Store, pairs map[string]string) {
	t.Helper()
	var writes []store.Write
	for key, value := range pairs {
		writes = append(writes, store.Write{Key: key, Value: []byte(value)})
	}
	commitWrites(t, s, writes)
}

func commitWrites(t *testing.T, s store.Store, writes []store.Write) {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	head := snap.Head()
	snap.Close()
	b := &store.Batch{Prev: head, Next: store.Head{Blocks: head.Blocks + 1, Epoch: 1}, Writes: writes}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func wantGet(t *testing.T, s store.Snapshot, key string, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil || string(got) != string(want) || (got == nil) != (want == nil) {
		t.Errorf("%q is %.20q (nil: %v), %v, want %.20q", key, got, got == nil, err, want)
	}
}

func wantScan(t *testing.T, s store.Snapshot, lo, hi string, reverse bool, want string) {
	t.Helper()
	it := s.Scan(lo, hi, store.ScanOptions{Reverse: reverse})
	defer it.Close()
	var keys []string
	for {
		key, _, ok, err := it.Next(t.Context())
		if err != nil {
			t.Fatalf("scan of [%q, %q): %v", lo, hi, err)
		}
		if !ok {
			break
		}
		keys = append(keys, key)
	}
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("[%q, %q), reverse %v, has %q, want %q", lo, hi, reverse, got, want)
	}
}
