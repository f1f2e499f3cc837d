package etcdtest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

func start(t *testing.T, cfg etcdtest.Config) *etcdtest.Cluster {
	t.Helper()
	c, err := etcdtest.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, c.Stop()) })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// client talks to one node alone.
func client(t *testing.T, endpoint string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// A leader that is killed is followed by another one, and comes back with what was written before and meanwhile.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	c := start(t, etcdtest.Config{Dir: dir})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first, err := c.Leader(ctx)
	must(t, err)
	endpoints := c.Endpoints()
	if len(endpoints) != 3 {
		t.Fatalf("endpoints are %q", endpoints)
	}
	_, err = client(t, endpoints[first]).Put(ctx, "before", "1")
	must(t, err)
	must(t, c.Kill(first))
	must(t, c.Kill(first)) // is none the worse for it
	second, err := c.Leader(ctx)
	must(t, err)
	if second == first {
		t.Errorf("node %d leads though it was killed", second)
	}
	_, err = client(t, endpoints[second]).Put(ctx, "meanwhile", "2")
	must(t, err)
	must(t, c.Restart(ctx, first))
	if err := c.Restart(ctx, first); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("restart of a node that runs: %v", err)
	}
	resp, err := client(t, endpoints[first]).Get(ctx, "", clientv3.WithPrefix())
	must(t, err)
	if resp.Count != 2 {
		t.Errorf("the node has %d keys", resp.Count)
	}
	must(t, c.Stop())
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("there is left %q, %v", left, err)
	}
}

// A paused node answers nothing, and then it does.
func TestPause(t *testing.T) {
	c := start(t, etcdtest.Config{Nodes: 1})
	must(t, c.Pause(0))
	one := client(t, c.Endpoints()[0])
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := one.Put(ctx, "k", "v"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("put: %v", err)
	}
	must(t, c.Resume(0))
	_, err := one.Put(t.Context(), "k", "v")
	must(t, err)
	must(t, c.Kill(0))
	if c.Pause(0) == nil || c.Resume(0) == nil {
		t.Error("a killed node is paused and resumed")
	}
}

func TestStartFails(t *testing.T) {
	if _, err := etcdtest.Start(t.Context(), etcdtest.Config{Dir: "cluster.go"}); err == nil {
		t.Error("the folder is a file")
	}
	dir := t.TempDir()
	if _, err := etcdtest.Start(t.Context(), etcdtest.Config{Dir: dir, MaxRequestBytes: -1}); err == nil {
		t.Error("a limit is less than 0")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := etcdtest.Start(ctx, etcdtest.Config{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("start with a context that has ended: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("there is left %v, %v", left, err)
	}
}
