package etcd_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, config()) })
}

func TestConfig(t *testing.T) {
	url := single.Endpoints()
	for want, cfg := range map[string]etcd.Config{
		"Config.Endpoints is required":           {},
		`Config.Prefix "a\x00" has a zero byte`:  {Endpoints: url, Prefix: "a\x00"},
		"Config.Timeout is -1s, less than 0":     {Endpoints: url, Timeout: -time.Second},
		"create store: context deadline exceede": {Endpoints: []string{"http://127.0.0.1:1"}, Timeout: 200 * time.Millisecond},
	} {
		s, err := etcd.Open(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", cfg, err, want)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

// What is in the way stays as it is, and what belongs to others is not in the way.
func TestForeign(t *testing.T) {
	client := connect(t, single)
	for _, test := range []struct {
		name       string
		key, value string // behind the prefix
		want       error
	}{
		{"a key", "some/key", "", etcd.ErrForeign},
		{"the prefix itself", "", "x", etcd.ErrForeign},
		{"pairs without a head", "\x00ka", "x", etcd.ErrForeign},
		{"something else as the head", "\x00h", "x", etcd.ErrForeign},
		{"an empty head", "\x00h", "", etcd.ErrForeign},
		{"half a head", "\x00h", "ccpeer-kv\x01half", etcd.ErrForeign},
		{"a head without format", "\x00h", "ccpeer-kv", etcd.ErrForeign},
		{"another format", "\x00h", "ccpeer-kv\x02", etcd.ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config()
			put, err := client.Put(t.Context(), cfg.Prefix+test.key, test.value)
			if err != nil {
				t.Fatal(err)
			}
			s, err := etcd.Open(t.Context(), cfg)
			if !errors.Is(err, test.want) {
				t.Errorf("open: %v, want %v", err, test.want)
			}
			if err == nil {
				_ = s.Close()
			}
			resp, err := client.Get(t.Context(), cfg.Prefix, clientv3.WithPrefix())
			if err != nil || len(resp.Kvs) != 1 || resp.Kvs[0].ModRevision != put.Header.Revision {
				t.Errorf("there is now %v, %v", resp, err)
			}
		})
	}
}

// Stores whose prefixes begin alike, whichever is longer, have nothing to do with each other.
func TestPrefixes(t *testing.T) {
	outer := config()
	inner := outer
	inner.Prefix += "k"
	one, two := openStore(t, outer), openStore(t, inner)
	commit(t, one, batch(1, "k", "outer"))
	commit(t, two, batch(1, "k", "inner"))
	wantState(t, one, 1, "k", "outer")
	wantState(t, two, 1, "k", "inner")
	for _, s := range []*etcd.Store{one, two} {
		for _, reverse := range []bool{false, true} {
			it := snapshot(t, s).Scan("", "", store.ScanOptions{Reverse: reverse})
			n := 0
			for _, _, ok, err := it.Next(t.Context()); ok || err != nil; _, _, ok, err = it.Next(t.Context()) {
				if n++; err != nil || n > 1 {
					t.Fatalf("pair %d, %v", n, err)
				}
			}
			it.Close()
		}
	}
}

// The last of all keys may be the store's.
func TestLastPrefix(t *testing.T) {
	s := openStore(t, etcd.Config{Endpoints: single.Endpoints(), Prefix: "\xff\xff"})
	commit(t, s, batch(1, "k", "v"))
	wantState(t, s, 1, "k", "v")
}

func TestCreateTogether(t *testing.T) {
	cfg := config()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := etcd.Open(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Two stores on the same prefix, as two processes have them, see each other's commits at once.
func TestTwoStores(t *testing.T) {
	cfg := config()
	one, two := openStore(t, cfg), openStore(t, cfg)
	old := snapshot(t, one) // so that one has a view that it might take for the current one
	for n := uint64(1); n < 20; n += 2 {
		commit(t, one, batch(n, "k", fmt.Sprint(n)))
		wantState(t, two, n, "k", fmt.Sprint(n))
		if err := one.Commit(t.Context(), batch(n, "k", "late")); !errors.Is(err, store.ErrHeadMoved) {
			t.Errorf("commit on an old head: %v", err)
		}
		commit(t, two, batch(n+1, "k", fmt.Sprint(n+1)))
		wantState(t, one, n+1, "k", fmt.Sprint(n+1))
	}
	if value, err := old.Get(t.Context(), "k"); value != nil || err != nil {
		t.Errorf("the oldest snapshot has %q, %v", value, err)
	}
}

// The store is there when it is opened again.
func TestReopen(t *testing.T) {
	cfg := config()
	for n := range uint64(105) { // more than there are epochs kept
		s := open(t, cfg)
		if n > 0 {
			wantState(t, s, n, "k", fmt.Sprint(n))
		}
		commit(t, s, batch(n+1, "k", fmt.Sprint(n+1)))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The head can be deleted by others. The store doesn't take that for an empty one.
func TestHeadDeleted(t *testing.T) {
	cfg := config()
	s := openStore(t, cfg)
	commit(t, s, batch(1, "k", "v"))
	if _, err := connect(t, single).Delete(t.Context(), cfg.Prefix, clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), batch(2, "k", "v")); !errors.Is(err, etcd.ErrForeign) {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Snapshot(t.Context()); !errors.Is(err, etcd.ErrForeign) {
		t.Errorf("snapshot: %v", err)
	}
}

// Keys are looked up by several requests, in whatever order they are asked for, the same one twice too.
func TestGetMany(t *testing.T) {
	s := openStore(t, config())
	b := &store.Batch{Next: store.Head{Blocks: 1}}
	var keys []string
	for i := range 3000 {
		key := fmt.Sprint(i * 7919 % 3000)
		keys = append(keys, key, key, "absent"+key)
		b.Writes = append(b.Writes, store.Write{Key: key, Value: []byte(key)})
	}
	commit(t, s, b)
	for _, n := range []int{0, 1, 2, 127, 128, 129, 256, len(keys)} {
		values, err := snapshot(t, s).GetMany(t.Context(), keys[:n])
		if err != nil || len(values) != n {
			t.Fatalf("%d keys: %d values, %v", n, len(values), err)
		}
		for i, value := range values {
			if want := keys[i]; string(value) != want && (value != nil || !strings.HasPrefix(want, "absent")) {
				t.Errorf("%q is %q", want, value)
			}
		}
	}
}

// What is asked for at the same time, of the same snapshot and others, is not mixed up.
func TestGetTogether(t *testing.T) {
	s := openStore(t, config())
	var wg sync.WaitGroup
	for n := range uint64(5) {
		commit(t, s, batch(n+1, fmt.Sprint("k", n), fmt.Sprint(n)))
		for range 3 {
			snap := snapshot(t, s)
			for i := range uint64(200) {
				wg.Go(func() {
					key, want := fmt.Sprint("k", i%7), fmt.Sprint(i%7)
					value, err := snap.Get(t.Context(), key)
					if present := i%7 <= n; err != nil || (value != nil) != present || (present && string(value) != want) {
						t.Errorf("after %d: %q is %q, %v", n, key, value, err)
					}
				})
			}
		}
	}
	wg.Wait()
}

// Pages become smaller where values are large.
func TestScanLargeValues(t *testing.T) {
	s := openStore(t, config())
	b := &store.Batch{Next: store.Head{Blocks: 1}}
	want := map[string][]byte{}
	for i := range 12 {
		key, value := fmt.Sprint(10+i), bytes.Repeat([]byte{byte(i)}, i<<17)
		want[key] = value
		b.Writes = append(b.Writes, store.Write{Key: key, Value: value})
	}
	commit(t, s, b)
	snap := snapshot(t, s)
	for _, o := range []store.ScanOptions{{}, {Reverse: true}, {Fetch: 3}, {Fetch: 1, Reverse: true}, {KeysOnly: true, Reverse: true, Fetch: 5}} {
		it := snap.Scan("", "", o)
		for i := range 12 {
			at := i
			if o.Reverse {
				at = 11 - i
			}
			key, value, ok, err := it.Next(t.Context())
			if err != nil || !ok || key != fmt.Sprint(10+at) || (!o.KeysOnly && (value == nil || !bytes.Equal(value, want[key]))) {
				t.Fatalf("%+v: pair %d is %q with %d bytes, %v, %v", o, i, key, len(value), ok, err)
			}
		}
		if _, _, ok, err := it.Next(t.Context()); ok || err != nil {
			t.Errorf("%+v: the end is %v, %v", o, ok, err)
		}
		it.Close()
	}
}

// The empty key is a key, also where a range is read backwards and a page ends with it.
func TestEmptyKey(t *testing.T) {
	s := openStore(t, config())
	commit(t, s, &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{{Key: "", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}})
	snap := snapshot(t, s)
	for _, o := range []store.ScanOptions{{Fetch: 1}, {Fetch: 2}, {Fetch: 1, Reverse: true}, {Fetch: 2, Reverse: true}} {
		it := snap.Scan("", "", o)
		n := 0
		for _, _, ok, err := it.Next(t.Context()); ok || err != nil; _, _, ok, err = it.Next(t.Context()) {
			if n++; err != nil || n > 2 {
				t.Fatalf("%+v: pair %d, %v", o, n, err)
			}
		}
		if n != 2 {
			t.Errorf("%+v: %d pairs", o, n)
		}
		it.Close()
	}
}

// With the limits that servers have unless they are told otherwise, small batches and all reads work. An error says what
// larger ones need.
func TestLimits(t *testing.T) {
	cluster := startCluster(t, etcdtest.Config{Nodes: 1, MaxTxnOps: 128, MaxRequestBytes: 3 << 19})
	s := openStore(t, etcd.Config{Endpoints: cluster.Endpoints()})
	head := store.Head{}
	next := func(writes, size int) *store.Batch {
		b := &store.Batch{Prev: head, Next: store.Head{Blocks: head.Blocks + 1, Epoch: 7}}
		for i := range writes {
			b.Writes = append(b.Writes, store.Write{Key: fmt.Sprint(i), Value: make([]byte, size)})
		}
		return b
	}
	for _, test := range []struct {
		writes, size int
		flag         string
		atLeast      int
		atMost       int
	}{
		{writes: 127, size: 10},
		{writes: 1, size: 3<<19 - 2000},
		{writes: 128, size: 10, flag: "--max-txn-ops", atLeast: 129, atMost: 129},
		{writes: 5000, size: 10, flag: "--max-txn-ops", atLeast: 5001, atMost: 5001},
		{writes: 2, size: 3 << 18, flag: "--max-request-bytes", atLeast: 3<<19 + 1, atMost: 3<<19 + 4000}, // etcd refuses it
		{writes: 2, size: 3 << 19, flag: "--max-request-bytes", atLeast: 3 << 20, atMost: 3<<20 + 4000},   // gRPC does
	} {
		err := s.Commit(t.Context(), next(test.writes, test.size))
		if err == nil {
			head = store.Head{Blocks: head.Blocks + 1, Epoch: 7}
		}
		limit := new(etcd.LimitError)
		switch as := errors.As(err, &limit); {
		case test.flag == "" && err == nil:
		case !as || limit.Flag != test.flag || limit.Need < test.atLeast || limit.Need > test.atMost || limit.Writes != test.writes:
			t.Errorf("%d writes of %d bytes: %v", test.writes, test.size, err)
		case !strings.Contains(err.Error(), fmt.Sprintf("start them with %s=%d", test.flag, limit.Need)):
			t.Errorf("the error says %v", err)
		}
	}
	snap := snapshot(t, s)
	if snap.Head() != head || head.Blocks != 2 {
		t.Errorf("head is %+v, want %+v", snap.Head(), head)
	}
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	values, err := snap.GetMany(t.Context(), keys)
	if err != nil || values[126] == nil || values[127] != nil {
		t.Errorf("lookup of 1000: %v", err)
	}
}

// The value of Need is enough.
func TestLimitNeed(t *testing.T) {
	b := batch(1, strings.Repeat("k", 1000), strings.Repeat("v", 2<<20))
	small := openStore(t, etcd.Config{Endpoints: startCluster(t, etcdtest.Config{Nodes: 1, MaxRequestBytes: 1 << 20}).Endpoints()})
	limit := new(etcd.LimitError)
	if err := small.Commit(t.Context(), b); !errors.As(err, &limit) {
		t.Fatalf("commit: %v", err)
	}
	large := startCluster(t, etcdtest.Config{Nodes: 1, MaxRequestBytes: limit.Need})
	commit(t, openStore(t, etcd.Config{Endpoints: large.Endpoints()}), b)
}

// What only old snapshots see is forgotten, but not while this process has one open. Those of other processes end.
func TestCompaction(t *testing.T) {
	cluster := startCluster(t, etcdtest.Config{Nodes: 1})
	cfg := etcd.Config{Endpoints: cluster.Endpoints(), Retain: 200 * time.Millisecond}
	s := openStore(t, cfg)
	cfg.Retain = -1
	other := openStore(t, cfg) // doesn't compact
	commit(t, s, batch(1, "k", "1"))
	theirs, ours := snapshot(t, other), snapshot(t, s)
	it := theirs.Scan("", "", store.ScanOptions{})
	commit(t, s, batch(2, "k", "2"))
	commit(t, s, batch(3, "k", "3"))
	client := connect(t, cluster)
	compacted := func(revision int64) bool {
		_, err := client.Get(t.Context(), "x", clientv3.WithRev(revision))
		return err != nil
	}
	resp, err := client.Get(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	last := resp.Header.Revision
	await(t, func() bool { return compacted(last - 3) })
	// Far longer than what is retained.
	timer := time.NewTimer(time.Second)
	<-timer.C
	if value, err := ours.Get(t.Context(), "k"); string(value) != "1" || err != nil {
		t.Errorf("while it is open, the snapshot has %q, %v", value, err)
	}
	if compacted(last - 2) {
		t.Error("the revision of an open snapshot is compacted")
	}
	ours.Close()
	await(t, func() bool { return compacted(last - 1) })
	if _, err := theirs.Get(t.Context(), "k"); !errors.Is(err, etcd.ErrCompacted) {
		t.Errorf("Get: %v", err)
	}
	if _, err := theirs.GetMany(t.Context(), []string{"k", "l"}); !errors.Is(err, etcd.ErrCompacted) {
		t.Errorf("GetMany: %v", err)
	}
	if _, _, ok, err := it.Next(t.Context()); ok || !errors.Is(err, etcd.ErrCompacted) {
		t.Errorf("Next: %v, %v", ok, err)
	}
	wantState(t, s, 3, "k", "3")
	wantState(t, other, 3, "k", "3")
}

// await polls.
func await(t testing.TB, happened func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !happened() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal("it doesn't happen")
		}
	}
}

// Snapshots should be closed before the store. Where they are not, nothing crashes.
func TestCloseBeforeSnapshots(t *testing.T) {
	s := open(t, config())
	commit(t, s, batch(1, "k", "v"))
	snap, closed := snapshot(t, s), snapshot(t, s)
	closed.Close()
	closed.Close()
	wantUnusable(t, closed)
	it := snap.Scan("", "", store.ScanOptions{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantUnusable(t, snap)
	if _, _, _, err := it.Next(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
	snap.Close()
}

func wantUnusable(t *testing.T, closed store.Snapshot) {
	t.Helper()
	if _, err := closed.Get(t.Context(), "k"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if _, err := closed.GetMany(t.Context(), []string{"k"}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("GetMany: %v", err)
	}
	it := closed.Scan("", "", store.ScanOptions{})
	if _, _, ok, err := it.Next(t.Context()); ok || !errors.Is(err, store.ErrClosed) {
		t.Errorf("Next: %v, %v", ok, err)
	}
	it.Close()
}

// Commits, snapshots and Close at once: each works or says that the store is closed.
func TestCloseMeanwhile(t *testing.T) {
	s := open(t, config())
	var wg sync.WaitGroup
	used := make(chan struct{}, 100)
	for range 4 {
		wg.Go(func() {
			for {
				err := useStore(t, s)
				if errors.Is(err, store.ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, store.ErrHeadMoved) {
					t.Error(err)
					return
				}
				select {
				case used <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-used
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
}

func useStore(t *testing.T, s store.Store) error {
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		return err
	}
	defer snap.Close()
	if _, err := snap.GetMany(t.Context(), []string{"k", "l"}); err != nil {
		return err
	}
	b := batch(1, "k", "v")
	b.Prev, b.Next.Blocks = snap.Head(), snap.Head().Blocks+1
	return s.Commit(t.Context(), b)
}
