package etcd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

// A commit whose connection is lost after it was sent finds out what became of it, also when others have committed
// since. The proxy loses either the batch or the answer.
func TestLostAnswer(t *testing.T) {
	for _, test := range []struct {
		name      string
		delivered bool
		later     uint64 // how many batches another store commits meanwhile
		want      string // of the error; "" is none
	}{
		{"answer lost", true, 0, ""},
		{"answer lost, others commit", true, 3, ""},
		{"answer lost, as many commit as can be told", true, 99, ""},
		{"answer lost, too many commit", true, 100, "there are 100 later ones"},
		{"batch lost", false, 0, ""},
		{"batch lost, others commit", false, 3, store.ErrHeadMoved.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config()
			cfg.Retain = -1
			other := openStore(t, cfg)
			p := newProxy(t, single)
			cfg.Endpoints = p.endpoints()
			s := openStore(t, cfg)
			commit(t, s, batch(1, "k", "1"))
			p.each(func(l *link) { l.mute, l.hold = true, !test.delivered })
			done := make(chan error)
			go func() { done <- s.Commit(t.Context(), batch(2, "k", "2")) }()
			if test.delivered {
				awaitApplied(t, single, cfg.Prefix+"\x00kk", "2")
			} else {
				await(t, func() bool { return p.total(func(l *link) int { return len(l.held) }) > 0 })
			}
			last := commitLater(t, other, test.later)
			p.cut()
			err := <-done
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Fatalf("commit: %v, want %s", err, test.want)
			}
			if test.later == 0 {
				wantState(t, s, 2, "k", "2")
			} else {
				wantState(t, s, last, "k", "later")
			}
		})
	}
}

// commitLater commits batches of another writer, and returns how many there are then.
func commitLater(t *testing.T, s store.Store, n uint64) uint64 {
	t.Helper()
	snap := snapshot(t, s)
	head := snap.Head()
	snap.Close()
	for range n {
		next := store.Head{Blocks: head.Blocks + 1, Epoch: 8}
		commit(t, s, &store.Batch{Prev: head, Next: next, Writes: []store.Write{{Key: "k", Value: []byte("later")}}})
		head = next
	}
	return head.Blocks
}

// A batch that reaches the servers after Commit has given up must not be applied once a snapshot says that it is not.
func TestLateBatch(t *testing.T) {
	cfg := config()
	cfg.Retain = -1
	p := newProxy(t, single)
	cfg.Endpoints, cfg.Timeout = p.endpoints(), time.Second
	s := openStore(t, cfg)
	commit(t, s, batch(1, "k", "1"))
	p.each(func(l *link) { l.mute, l.hold = true, true })
	p.setRefuse(true)
	done := make(chan error)
	go func() { done <- s.Commit(t.Context(), batch(2, "k", "late")) }()
	await(t, func() bool { return p.total(func(l *link) int { return len(l.held) }) > 0 })
	p.each(func(l *link) { l.deaf = true }) // so that the server isn't told that it was given up
	if err := <-done; err == nil || errors.Is(err, store.ErrHeadMoved) {
		t.Fatalf("commit: %v", err)
	}
	if _, err := s.Snapshot(t.Context()); err == nil {
		t.Error("there is a snapshot before it is settled what became of the batch")
	}
	p.setRefuse(false)
	p.cut()
	await(t, func() bool { // gRPC has been refused, and takes its time to connect
		snap, err := s.Snapshot(t.Context())
		if err == nil {
			snap.Close()
		}
		return err == nil
	})
	wantState(t, s, 1, "k", "1")
	answered := p.total(func(l *link) int { return l.answered })
	p.each(func(l *link) { l.deliver() })
	await(t, func() bool { return p.total(func(l *link) int { return l.answered }) > answered })
	wantState(t, s, 1, "k", "1")
	commit(t, s, batch(2, "k", "2"))
	wantState(t, s, 2, "k", "2")
}

// Who stops waiting for a commit doesn't stop it, and who stops waiting for a read doesn't spoil it for the others.
func TestCancelled(t *testing.T) {
	cfg := config()
	cfg.Retain = -1
	p := newProxy(t, single)
	cfg.Endpoints = p.endpoints()
	s := openStore(t, cfg)
	one, two := snapshot(t, s), snapshot(t, s)
	p.each(func(l *link) { l.hold = true })
	ctx, cancel := context.WithCancel(t.Context())
	committed, read := make(chan error), make(chan error)
	go func() { committed <- s.Commit(ctx, batch(1, "k", "1")) }()
	go func() {
		_, err := one.Get(ctx, "k")
		read <- err
	}()
	await(t, func() bool { return p.total(func(l *link) int { return len(l.held) }) > 0 })
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("the read that was cancelled: %v", err)
	}
	if _, err := s.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a snapshot: %v", err)
	}
	p.each(func(l *link) {
		l.hold = false
		l.deliver()
	})
	if err := <-committed; err != nil {
		t.Errorf("the commit: %v", err)
	}
	if value, err := two.Get(t.Context(), "k"); value != nil || err != nil {
		t.Errorf("the other snapshot has %q, %v", value, err)
	}
	wantState(t, s, 1, "k", "1")
}

// A full database refuses what is written, though it may have written it. What Commit says is true, and reads go on.
func TestNoSpace(t *testing.T) {
	cluster := startCluster(t, etcdtest.Config{Nodes: 1, Quota: 8 << 20})
	s := openStore(t, etcd.Config{Endpoints: cluster.Endpoints(), Retain: -1})
	var last uint64
	var err error
	for n := uint64(1); err == nil; n++ {
		if n > 100 {
			t.Fatal("the quota is not reached")
		}
		b := batch(n, "n", fmt.Sprint(n))
		b.Writes = append(b.Writes, store.Write{Key: fmt.Sprint("large", n), Value: make([]byte, 1<<20)})
		if err = s.Commit(t.Context(), b); err == nil {
			last = n
		}
	}
	if !errors.Is(err, rpctypes.ErrNoSpace) {
		t.Errorf("commit: %v", err)
	}
	wantState(t, s, last, "n", fmt.Sprint(last))
	client := connect(t, cluster)
	if _, err := client.AlarmDisarm(t.Context(), &clientv3.AlarmMember{}); err != nil {
		t.Fatal(err)
	}
	wantState(t, s, last, "n", fmt.Sprint(last))
}

// A user needs no more rights than to the prefix, but compaction is root's.
func TestUser(t *testing.T) {
	cluster := startCluster(t, etcdtest.Config{Nodes: 1})
	enableUsers(t, connect(t, cluster))
	core, logs := observer.New(zap.WarnLevel)
	cfg := etcd.Config{
		Endpoints: cluster.Endpoints(), Prefix: "ours/", Username: "peer", Password: "secret",
		Retain: 20 * time.Millisecond, Logger: zap.New(core),
	}
	s := openStore(t, cfg)
	old := snapshot(t, openStore(t, cfg)) // another process's
	commit(t, s, batch(1, "k", "1"))
	wantState(t, s, 1, "k", "1")
	warned := func() int { return logs.FilterMessageSnippet("only root may compact").Len() }
	await(t, func() bool { return warned() == 2 })
	if value, err := old.Get(t.Context(), "k"); value != nil || err != nil {
		t.Errorf("the snapshot has %q, %v", value, err)
	}
	root := cfg
	root.Username, root.Password = "root", "root"
	wantState(t, openStore(t, root), 1, "k", "1")
	await(t, func() bool {
		_, err := old.Get(t.Context(), "k")
		return errors.Is(err, etcd.ErrCompacted)
	})
	if n := warned(); n != 2 {
		t.Errorf("%d warnings by two stores", n)
	}
	for want, change := range map[string]func(*etcd.Config){
		"authentication failed": func(c *etcd.Config) { c.Password = "guessed" },
		"permission denied":     func(c *etcd.Config) { c.Prefix = "theirs/" },
		"user name is empty":    func(c *etcd.Config) { c.Username, c.Password = "", "" },
	} {
		bad := cfg
		change(&bad)
		s, err := etcd.Open(t.Context(), bad)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

// enableUsers makes root, and a user peer that is allowed what begins with ours/.
func enableUsers(t *testing.T, client *clientv3.Client) {
	t.Helper()
	ctx, end := t.Context(), clientv3.GetPrefixRangeEnd("ours/")
	for _, do := range []func() error{
		func() error { return second(client.RoleAdd(ctx, "ledger")) },
		func() error {
			return second(client.RoleGrantPermission(ctx, "ledger", "ours/", end, clientv3.PermissionType(clientv3.PermReadWrite)))
		},
		func() error { return second(client.UserAdd(ctx, "peer", "secret")) },
		func() error { return second(client.UserGrantRole(ctx, "peer", "ledger")) },
		func() error { return second(client.UserAdd(ctx, "root", "root")) },
		func() error { return second(client.UserGrantRole(ctx, "root", "root")) },
		func() error { return second(client.AuthEnable(ctx)) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
