package kvledger_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// commitEmpty commits a block without transactions.
func commitEmpty(t testing.TB, l *kvledger.Ledger) {
	t.Helper()
	if _, err := l.Commit(t.Context(), kvledger.Block{}); err != nil {
		t.Error(err)
	}
}

// TestSubscribers has many subscribers follow a storm of blocks, which come through two Providers of one store. Each gets every
// block once, in order, whenever it began, and also the slow one, for which nobody waits.
func TestSubscribers(t *testing.T) {
	const blocks, subscribers = 60, 40
	s := openStore(t)
	l, other := open(t, kvledger.NewProvider(s), "mychannel"), open(t, kvledger.NewProvider(s), "mychannel")
	commitEmpty(t, l)
	slow := l.Subscribe(0)
	next(t, slow, 0)
	var all sync.WaitGroup
	for n := range subscribers {
		all.Go(func() {
			from := uint64(n % 5 * 7)
			sub := l.Subscribe(from)
			defer sub.Close()
			for want := from; want < blocks; want++ {
				next(t, sub, want)
			}
		})
	}
	for _, l := range []*kvledger.Ledger{l, other} {
		all.Go(func() {
			for i := range (blocks - 1) / 2 {
				if _, err := l.CommitTx(t.Context(), kvledger.Transaction{TxID: fmt.Sprintf("%p.%d", l, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() { commitEmpty(t, l) })
	all.Wait()
	for want := uint64(1); want < blocks; want++ {
		next(t, slow, want)
	}
}

// next expects a block.
func next(t testing.TB, s *kvledger.Subscription, want uint64) {
	t.Helper()
	b, err := s.Next(t.Context())
	if err != nil || b.Number != want {
		t.Errorf("the next block is %+v, %v, want block %d", b, err, want)
	}
}

// TestSubscriptionWakes holds when a subscription that waits notices a block: at once if it is committed through the same
// Provider, and after PollInterval at most if it isn't.
func TestSubscriptionWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		p := kvledger.NewProvider(s)
		l, same, other := open(t, p, "mychannel"), open(t, p, "mychannel"), open(t, kvledger.NewProvider(s), "mychannel")
		elsewhere := open(t, p, "another")
		sub := l.Subscribe(0)
		for n, committer := range []*kvledger.Ledger{same, other, l, other} {
			begin := time.Now()
			go func() {
				synctest.Wait() // until the subscription waits
				commitEmpty(t, elsewhere)
				commitEmpty(t, committer)
			}()
			next(t, sub, uint64(n))
			most := time.Duration(0)
			if committer == other {
				most = kvledger.PollInterval
			}
			if took := time.Since(begin); took != most {
				t.Errorf("block %d is noticed after %v, want %v", n, took, most)
			}
		}
	})
}

// TestSubscriptionEnds ends subscriptions that wait: by their context, after which they go on, and by Close, after which they
// don't.
func TestSubscriptionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openMemory(t)
		sub := l.Subscribe(1)
		ctx, cancel := context.WithTimeout(t.Context(), 3*kvledger.PollInterval+1)
		defer cancel()
		for range 2 {
			if _, err := sub.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the context has ended: %v", err)
			}
		}
		commitEmpty(t, l)
		commitEmpty(t, l)
		if _, err := sub.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the context has ended, and the block is there: %v", err)
		}
		next(t, sub, 1)
		go func() {
			synctest.Wait()
			sub.Close()
			sub.Close()
		}()
		for range 2 {
			if _, err := sub.Next(t.Context()); !errors.Is(err, kvledger.ErrSubscriptionClosed) {
				t.Errorf("the subscription is closed: %v", err)
			}
			commitEmpty(t, l)
		}
	})
}

// snapshotCounter counts snapshots, and refuses them if it is told to.
type snapshotCounter struct {
	store.Store
	count int
	err   error
}

func (s *snapshotCounter) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s.count++
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Snapshot(ctx)
}

// TestSubscriptionFails has the store fail: the subscription stays where it is.
func TestSubscriptionFails(t *testing.T) {
	s := &snapshotCounter{Store: openStore(t)}
	l := open(t, kvledger.NewProvider(s), "mychannel")
	commitEmpty(t, l)
	behind, ahead := l.Subscribe(0), l.Subscribe(1)
	s.err = errors.New("broken")
	for _, sub := range []*kvledger.Subscription{behind, ahead} {
		if _, err := sub.Next(t.Context()); !errors.Is(err, s.err) {
			t.Errorf("the store is broken: %v", err)
		}
	}
	s.err = nil
	commitEmpty(t, l)
	next(t, behind, 0)
	next(t, ahead, 1)
}

// TestKeyMetadata reads the metadata of keys as a committer does.
func TestKeyMetadata(t *testing.T) {
	s := &snapshotCounter{Store: openStore(t)}
	p := kvledger.NewProvider(s)
	l, other := open(t, p, "mychannel"), open(t, kvledger.NewProvider(s), "mychannel")
	read := func(l *kvledger.Ledger, key string) string {
		t.Helper()
		public, err := l.KeyMetadata(t.Context(), ns, key)
		if err != nil {
			t.Error(err)
		}
		private, err := l.PrivateKeyMetadata(t.Context(), ns, "secrets", hash([]byte(key)))
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("%s %s", public, private)
	}
	commit(t, l, simulate(t, l, put("k", "v")), simulate(t, l, put("bare", "v")))
	before := s.count
	if got := read(l, "k"); got != "map[] map[]" || s.count != before {
		t.Errorf("metadata of a ledger without any are %s, after %d snapshots", got, s.count-before)
	}
	sim := newSimulator(t, l, "tx")
	for _, err := range []error{
		sim.SetStateMetadata(t.Context(), ns, "k", map[string][]byte{"p": []byte("public")}),
		sim.SetPrivateData(t.Context(), ns, "secrets", "k", []byte("v")),
		sim.SetPrivateDataMetadata(t.Context(), ns, "secrets", "k", map[string][]byte{"p": []byte("private")}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := sim.Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	commitResults(t, l, r)
	if got := read(l, "k"); got != "map[p:public] map[p:private]" {
		t.Errorf("metadata are %s", got)
	}
	if got := read(l, "bare"); got != "map[] map[]" {
		t.Errorf("metadata of a key that has none are %s", got)
	}
	if got := read(open(t, kvledger.NewProvider(s), "mychannel"), "k"); got != "map[p:public] map[p:private]" {
		t.Errorf("metadata in a ledger that was just opened are %s", got)
	}
	if _, err := other.Height(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(other, "k"); got != "map[p:public] map[p:private]" {
		t.Errorf("metadata that another Provider has committed are %s", got)
	}
	commit(t, l, simulate(t, l, del("k")))
	if got := read(other, "k"); got != "map[] map[p:private]" {
		t.Errorf("metadata of a deleted key are %s", got)
	}
	s.err = errors.New("broken")
	if _, err := l.KeyMetadata(t.Context(), ns, "k"); !errors.Is(err, s.err) {
		t.Errorf("the store is broken: %v", err)
	}
}

// TestSubscriptionGoesBack has the store go back to an earlier state: a subscription waits for the blocks that come then.
func TestSubscriptionGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		l := open(t, kvledger.NewProvider(s), "mychannel")
		sub := l.Subscribe(0)
		commitEmpty(t, l)
		next(t, sub, 0)
		saved, err := s.Save()
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			commitEmpty(t, l)
		}
		if err := s.Restore(saved); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		go func() {
			synctest.Wait()
			commitEmpty(t, l)
		}()
		next(t, sub, 1)
		if took := time.Since(begin); took != 0 {
			t.Errorf("the block is noticed after %v", took)
		}
	})
}
