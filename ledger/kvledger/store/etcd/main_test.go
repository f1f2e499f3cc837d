package etcd_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

// single is the cluster of one node that most tests share, each with a prefix of its own.
var single *etcdtest.Cluster

func TestMain(m *testing.M) {
	etcdtest.Main()
	var err error
	if single, err = etcdtest.Start(context.Background(), etcdtest.Config{Nodes: 1}); err != nil {
		fmt.Fprintln(os.Stderr, "start etcd:", err)
		os.Exit(1)
	}
	nodes := goleak.IgnoreCurrent() // those that wait for the nodes
	goleak.VerifyTestMain(m, nodes, goleak.Cleanup(func(code int) {
		if err := single.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop etcd:", err)
			code = 1
		}
		os.Exit(code)
	}))
}

var prefixes atomic.Int64

// config is that of an empty store on the shared node.
func config() etcd.Config {
	return etcd.Config{Endpoints: single.Endpoints(), Prefix: fmt.Sprintf("store%d/", prefixes.Add(1))}
}

func startCluster(t testing.TB, cfg etcdtest.Config) *etcdtest.Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := etcdtest.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func open(t testing.TB, cfg etcd.Config) *etcd.Store {
	t.Helper()
	s, err := etcd.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openStore opens a store that is closed at the end.
func openStore(t testing.TB, cfg etcd.Config) *etcd.Store {
	t.Helper()
	s := open(t, cfg)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func snapshot(t testing.TB, s store.Store) store.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snap.Close)
	return snap
}

// batch writes one pair to the n-th head of writer 7.
func batch(n uint64, key, value string) *store.Batch {
	b := &store.Batch{Next: store.Head{Blocks: n, Epoch: 7}, Writes: []store.Write{{Key: key, Value: []byte(value)}}}
	if n > 1 {
		b.Prev = store.Head{Blocks: n - 1, Epoch: 7}
	}
	return b
}

func commit(t testing.TB, s store.Store, b *store.Batch) {
	t.Helper()
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// wantState looks at a new snapshot.
func wantState(t testing.TB, s store.Store, blocks uint64, key, value string) {
	t.Helper()
	snap := snapshot(t, s)
	defer snap.Close()
	got, err := snap.Get(t.Context(), key)
	if snap.Head().Blocks != blocks || string(got) != value || err != nil {
		t.Errorf("at head %d, %q is %q, %v, want %d, %q", snap.Head().Blocks, key, got, err, blocks, value)
	}
}

// connect is for what an administrator would do.
func connect(t testing.TB, c *etcdtest.Cluster) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}
