package etcd_test

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
)

var kills = flag.Int("kills", 2, "how often to kill the leader of a cluster")

// TestCluster has several writers, each with a store of its own, as processes have them, while leaders are killed.
func TestCluster(t *testing.T) {
	cluster := startCluster(t, etcdtest.Config{})
	cfg := etcd.Config{Endpoints: cluster.Endpoints(), Timeout: 12 * time.Second} // of which a try gets 2
	l := &load{t: t}
	l.ctx, l.cancel = context.WithCancel(t.Context())
	for id := range 3 {
		s := openStore(t, cfg)
		l.running.Go(func() { l.write(s, uint64(id)+1) })
	}
	reader := openStore(t, cfg)
	l.running.Go(func() { l.read(reader) })
	l.await(20)
	for range *kills {
		leader := l.leader(cluster)
		l.must(cluster.Kill(leader))
		l.await(20) // without it
		l.must(cluster.Restart(t.Context(), leader))
		rejoined(t, cluster.Endpoints()[leader], l.acknowledged.Load())
	}
	paused := l.leader(cluster)
	l.must(cluster.Pause(paused))
	l.await(20)
	l.must(cluster.Resume(paused))
	rejoined(t, cluster.Endpoints()[paused], l.acknowledged.Load())
	l.cancel()
	l.running.Wait()
	l.check(reader)
	t.Logf("%d batches, %d of them were in doubt", l.acknowledged.Load(), l.doubts.Load())
	testAllDown(t, cluster, uint64(l.acknowledged.Load()))
}

// rejoined waits until a node alone tells what was acknowledged.
func rejoined(t *testing.T, endpoint string, acknowledged int64) {
	t.Helper()
	s := openStore(t, etcd.Config{Endpoints: []string{endpoint}})
	if blocks := snapshot(t, s).Head().Blocks; blocks < uint64(acknowledged) {
		t.Errorf("the node's head is %d, %d were acknowledged before", blocks, acknowledged)
	}
}

// testAllDown kills all nodes at once: what was acknowledged is there when they are back.
func testAllDown(t *testing.T, cluster *etcdtest.Cluster, blocks uint64) {
	cfg := etcd.Config{Endpoints: cluster.Endpoints(), Timeout: time.Second}
	s := openStore(t, cfg)
	snap := snapshot(t, s)
	for i := range 3 {
		if err := cluster.Kill(i); err != nil {
			t.Fatal(err)
		}
	}
	b := &store.Batch{Prev: snap.Head(), Next: store.Head{Blocks: blocks + 1, Epoch: 7}}
	begun := time.Now()
	if err := s.Commit(t.Context(), b); err == nil || errors.Is(err, store.ErrHeadMoved) {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Snapshot(t.Context()); err == nil {
		t.Error("there is a snapshot")
	}
	if _, err := snap.Get(t.Context(), "n"); err == nil {
		t.Error("there is a value")
	}
	if took := time.Since(begun); took > 3*cfg.Timeout+time.Second {
		t.Errorf("the three took %s", took)
	}
	if err := cluster.Restart(t.Context(), 0, 1, 2); err != nil {
		t.Fatal(err)
	}
	var now store.Snapshot
	await(t, func() (up bool) {
		var err error
		now, err = s.Snapshot(t.Context())
		return err == nil
	})
	defer now.Close()
	if now.Head() != snap.Head() {
		t.Errorf("head is %+v, was %+v", now.Head(), snap.Head())
	}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Error(err)
	}
}

// load is what goes on meanwhile. Every batch adds 1 to n, and has a key of its number that says whose it is, and one of
// the writer that says its number.
type load struct {
	t       *testing.T
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	acknowledged, doubts atomic.Int64
}

func (l *load) must(err error) {
	l.t.Helper()
	if err != nil {
		l.cancel()
		l.running.Wait()
		l.t.Fatal(err)
	}
}

func (l *load) leader(c *etcdtest.Cluster) int {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	leader, err := c.Leader(ctx)
	l.must(err)
	return leader
}

// await waits until that many more batches are acknowledged.
func (l *load) await(more int64) {
	l.t.Helper()
	target := l.acknowledged.Load() + more
	ticker, deadline := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer ticker.Stop()
	for l.acknowledged.Load() < target {
		select {
		case <-ticker.C:
		case <-deadline:
			l.must(errors.New("the writers don't get on"))
		}
	}
}

func (l *load) write(s *etcd.Store, epoch uint64) {
	for sequence := 0; l.ctx.Err() == nil; {
		done, err := l.writeOnce(s, epoch, sequence)
		if err != nil {
			l.t.Errorf("writer %d: %v", epoch, err)
			return
		}
		if done {
			sequence++
			l.acknowledged.Add(1)
		}
	}
}

// writeOnce returns whether its batch is committed.
func (l *load) writeOnce(s *etcd.Store, epoch uint64, sequence int) (bool, error) {
	snap, err := s.Snapshot(l.t.Context())
	if err != nil {
		return false, err
	}
	head := snap.Head()
	n, err := snap.Get(l.t.Context(), "n")
	snap.Close()
	if err != nil || string(n) != fmt.Sprint(head.Blocks) && head.Blocks > 0 {
		return false, errors.Errorf("n is %q at head %d, %v", n, head.Blocks, err)
	}
	number := head.Blocks + 1
	own := fmt.Sprintf("writer/%d/%d", epoch, sequence)
	err = s.Commit(l.t.Context(), &store.Batch{
		Prev: head, Next: store.Head{Blocks: number, Epoch: epoch},
		Writes: []store.Write{
			{Key: "n", Value: []byte(fmt.Sprint(number))},
			{Key: fmt.Sprintf("number/%08d", number), Value: []byte(own)},
			{Key: own, Value: []byte(fmt.Sprint(number))},
		},
	})
	if err == nil || errors.Is(err, store.ErrHeadMoved) {
		return err == nil, nil
	}
	l.doubts.Add(1)
	if snap, err = s.Snapshot(l.t.Context()); err != nil {
		return false, err
	}
	defer snap.Close()
	value, err := snap.Get(l.t.Context(), own)
	return value != nil, err
}

// read looks whether snapshots have all that was acknowledged before, and are whole.
func (l *load) read(s *etcd.Store) {
	for l.ctx.Err() == nil {
		atLeast := uint64(l.acknowledged.Load())
		snap, err := s.Snapshot(l.t.Context())
		if err != nil {
			l.t.Errorf("reader: %v", err)
			return
		}
		if blocks := snap.Head().Blocks; blocks < atLeast {
			l.t.Errorf("reader: head is %d after %d were acknowledged", blocks, atLeast)
		}
		if err := whole(l.t.Context(), snap); err != nil {
			l.t.Errorf("reader: %v", err)
		}
		snap.Close()
	}
}

// whole checks that a snapshot has all of the last batches up to its head, and nothing of others.
func whole(ctx context.Context, snap store.Snapshot) error {
	blocks := snap.Head().Blocks
	it := snap.Scan("number/", "number0", store.ScanOptions{Reverse: true, Fetch: 5})
	defer it.Close()
	for number := blocks; number > 0 && number+5 > blocks; number-- {
		key, own, _, err := it.Next(ctx)
		if err != nil || key != fmt.Sprintf("number/%08d", number) {
			return errors.Errorf("at head %d there is %q, %v, want number %d", blocks, key, err, number)
		}
		value, err := snap.Get(ctx, string(own))
		if err != nil || string(value) != fmt.Sprint(number) {
			return errors.Errorf("%s is %q, %v, want %d", own, value, err, number)
		}
	}
	return nil
}

// check looks, at the end, for all that was acknowledged, and that there is no more.
func (l *load) check(s *etcd.Store) {
	snap := snapshot(l.t, s)
	defer snap.Close()
	acknowledged := uint64(l.acknowledged.Load())
	if snap.Head().Blocks != acknowledged {
		l.t.Errorf("head is %d, %d were acknowledged", snap.Head().Blocks, acknowledged)
	}
	numbers := map[string]uint64{}
	it := snap.Scan("", "", store.ScanOptions{})
	defer it.Close()
	count := uint64(0)
	for key, value, ok, err := it.Next(l.t.Context()); ok || err != nil; key, value, ok, err = it.Next(l.t.Context()) {
		if err != nil {
			l.t.Fatal(err)
		}
		if text, is := strings.CutPrefix(key, "number/"); is {
			n, _ := strconv.ParseUint(text, 10, 64)
			if count++; n != count {
				l.t.Fatalf("number %d is missing, there is %d", count, n)
			}
			numbers[string(value)] = n
		}
		if strings.HasPrefix(key, "writer/") && fmt.Sprint(numbers[key]) != string(value) {
			l.t.Errorf("%s says %q, its number is %d", key, value, numbers[key])
		}
	}
	if count != acknowledged || uint64(len(numbers)) != acknowledged {
		l.t.Errorf("there are %d numbers of %d batches, %d were acknowledged", count, len(numbers), acknowledged)
	}
}
