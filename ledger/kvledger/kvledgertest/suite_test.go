package kvledgertest_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// brokenEnv names the store that TestBroken runs the suite on.
const brokenEnv = "KVLEDGERTEST_BROKEN"

// wrong is what the suite says of a transaction that has seen something else than it should: that there never was such a
// state, that it should not be valid, or that it should be. Which of these it is, is a matter of chance.
const wrong = "was never there at once|where it should have been|the code should be another one"

// broken are stores that the suite must find fault with, and what it must say, as a regular expression.
var broken = map[string]struct {
	test, says string
	make       func(store.Store) store.Store
}{
	"commits on any head": {"submitters", "was acknowledged, and is not there", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: commitAnyway}
	}},
	"some commits are lost": {"submitters", "was acknowledged, and is not there", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(20, func(context.Context, store.Store, *store.Batch) error { return nil })}
	}},
	"some commits are made twice": {"submitters", "is not one that was acknowledged", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(20, func(ctx context.Context, s store.Store, b *store.Batch) error {
			if err := s.Commit(ctx, b); err != nil {
				return err
			}
			return store.ErrHeadMoved
		})}
	}},
	"some history is lost": {"submitters", "history of", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(4, withoutTag("\x00h"))}
	}},
	"some state is lost": {"submitters", wrong, func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(4, withoutTag("\x00s"))}
	}},
	"some transactions' IDs are forgotten": {"submitters", "the code should be another one", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(2, withoutTag("\x00t"))}
	}},
	"some blocks are lost": {"blocks", "it is not committed on this channel", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(4, withoutTag("\x00k"))}
	}},
	"some blocks' hashes are lost": {"blocks", "read block with the hash", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(4, withoutTag("\x00u"))}
	}},
	"nothing expires": {"definitions", "at height 3, brief has", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: every(1, withoutTag("\x00x"))}
	}},
	"index entries stay": {"indexes", "pages of 7, the sorted query yields", func(s store.Store) store.Store {
		return &brokenCommits{Store: s, commit: withoutDeletes("\x00i")}
	}},
	"channels are one": {"channels", "from a model that says otherwise", func(s store.Store) store.Store {
		s = &brokenCommits{Store: s, commit: inOneChannel}
		return &brokenSnapshots{s, func(_ store.Store, snap store.Snapshot) store.Snapshot { return &oneChannel{snap} }}
	}},
	"snapshots show later commits": {"submitters", wrong, func(s store.Store) store.Store {
		return &brokenSnapshots{s, func(s store.Store, snap store.Snapshot) store.Snapshot { return &lateReads{snap, s} }}
	}},
	"snapshots are old": {"submitters", wrong, func(s store.Store) store.Store { return &oldSnapshots{Store: s} }},
	"ranges have gaps": {"submitters", wrong, func(s store.Store) store.Store {
		return &brokenSnapshots{s, func(_ store.Store, snap store.Snapshot) store.Snapshot { return &gaps{snap} }}
	}},
}

func TestSuiteFindsFaults(t *testing.T) {
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			failed := strings.Contains(string(out), "--- FAIL: TestBroken/"+b.test+" ")
			if err == nil || !failed || !regexp.MustCompile(b.says).Match(out) {
				t.Errorf("the suite did not fail in %s with %q: %v\n%s", b.test, b.says, err, out)
			}
		})
	}
}

// TestBroken is run by TestSuiteFindsFaults, in a process of its own.
func TestBroken(t *testing.T) {
	b, ok := broken[os.Getenv(brokenEnv)]
	if !ok {
		t.Skip("runs in a process that TestSuiteFindsFaults starts")
	}
	kvledgertest.Run(t, func(t *testing.T) store.Store { return b.make(openStore(t)) })
}

// The two providers of the suite's submitters get in each other's way.
func TestHeadsMove(t *testing.T) {
	var moved atomic.Int64
	kvledgertest.Run(t, func(t *testing.T) store.Store {
		return &brokenCommits{Store: openStore(t), commit: func(ctx context.Context, s store.Store, b *store.Batch) error {
			err := s.Commit(ctx, b)
			if errors.Is(err, store.ErrHeadMoved) {
				moved.Add(1)
			}
			return err
		}}
	})
	if moved.Load() == 0 {
		t.Error("no commit has met a head that has moved: the test tests too little")
	}
}

type commitFunc = func(context.Context, store.Store, *store.Batch) error

// brokenCommits commits in another way.
type brokenCommits struct {
	store.Store
	commit commitFunc
}

func (s *brokenCommits) Commit(ctx context.Context, b *store.Batch) error {
	return s.commit(ctx, s.Store, b)
}

// every does something else with each n-th batch.
func every(n int64, other commitFunc) commitFunc {
	var count atomic.Int64
	return func(ctx context.Context, s store.Store, b *store.Batch) error {
		if count.Add(1)%n == 0 {
			return other(ctx, s, b)
		}
		return s.Commit(ctx, b)
	}
}

func commitAnyway(ctx context.Context, s store.Store, b *store.Batch) error {
	for {
		snap, err := s.Snapshot(ctx)
		if err != nil {
			return err
		}
		b.Prev = snap.Head()
		snap.Close()
		if err := s.Commit(ctx, b); !errors.Is(err, store.ErrHeadMoved) {
			return err
		}
	}
}

// withoutTag loses what is written to a kind of keys of the suite's channel.
func withoutTag(tag string) commitFunc {
	return func(ctx context.Context, s store.Store, b *store.Batch) error {
		b.Writes = slices.DeleteFunc(b.Writes, func(w store.Write) bool { return strings.HasPrefix(w.Key, "mychannel"+tag) })
		return s.Commit(ctx, b)
	}
}

// withoutDeletes loses what is deleted of a kind of keys.
func withoutDeletes(tag string) commitFunc {
	return func(ctx context.Context, s store.Store, b *store.Batch) error {
		b.Writes = slices.DeleteFunc(b.Writes, func(w store.Write) bool {
			return w.Value == nil && strings.HasPrefix(w.Key, "mychannel"+tag)
		})
		return s.Commit(ctx, b)
	}
}

// Two channels that have one another's keys, apart from their heights.
const oneID, otherID = "ch2\x00s", "ch\x00s"

func inOne(key string) string {
	if rest, ok := strings.CutPrefix(key, otherID); ok {
		return oneID + rest
	}
	return key
}

func inOneChannel(ctx context.Context, s store.Store, b *store.Batch) error {
	for i := range b.Writes {
		b.Writes[i].Key = inOne(b.Writes[i].Key)
	}
	return s.Commit(ctx, b)
}

// brokenSnapshots gives snapshots that are not what they should be.
type brokenSnapshots struct {
	store.Store
	wrap func(store.Store, store.Snapshot) store.Snapshot
}

func (s *brokenSnapshots) Snapshot(ctx context.Context) (store.Snapshot, error) {
	snap, err := s.Store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return s.wrap(s.Store, snap), nil
}

type oneChannel struct{ store.Snapshot }

func (s *oneChannel) Get(ctx context.Context, key string) ([]byte, error) {
	return s.Snapshot.Get(ctx, inOne(key))
}

func (s *oneChannel) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = inOne(key)
	}
	return s.Snapshot.GetMany(ctx, all)
}

// lateReads reads keys from what is committed when it is asked.
type lateReads struct {
	store.Snapshot
	store store.Store
}

func (s *lateReads) Get(ctx context.Context, key string) ([]byte, error) {
	values, err := s.GetMany(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	return values[0], nil
}

func (s *lateReads) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	for range 5 {
		runtime.Gosched() // for others to commit
	}
	now, err := s.store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer now.Close()
	return now.GetMany(ctx, keys)
}

// oldSnapshots gives some snapshots again, until there were enough for the suite to be looking at what has become of all.
type oldSnapshots struct {
	store.Store
	mu   sync.Mutex
	n    int
	kept store.Snapshot
}

type unclosed struct{ store.Snapshot }

func (unclosed) Close() {}

func (s *oldSnapshots) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n%10 == 9 && s.n < 500 {
		return s.kept, nil
	}
	snap, err := s.Store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if s.n%50 == 1 {
		s.kept = unclosed{snap} // for good: a snapshot in memory holds nothing
	}
	return snap, nil
}

// gaps has ranges that leave out every tenth pair.
type gaps struct{ store.Snapshot }

func (s *gaps) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return &gapIterator{Iterator: s.Snapshot.Scan(lo, hi, o)}
}

type gapIterator struct {
	store.Iterator
	n int
}

func (it *gapIterator) Next(ctx context.Context) (string, []byte, bool, error) {
	if it.n++; it.n%10 == 0 {
		if _, _, _, err := it.Iterator.Next(ctx); err != nil {
			return "", nil, false, err
		}
	}
	return it.Iterator.Next(ctx)
}
