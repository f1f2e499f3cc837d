// Package memory is a store in memory: a copy-on-write B-tree. Nothing outlives the process.
//
// A snapshot is a pointer to an immutable tree, so it costs nothing, and readers and writers never wait for one
// another. A commit copies the nodes that it changes. For the same reason Save and Restore are quick: tests go back to an
// earlier state with them.
package memory

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Store is a store.Store in memory. It must be made by New.
type Store struct {
	commit sync.Mutex                 // held while tree is changed and current is replaced
	tree   *btree.Map[string, []byte] // the writer's own: readers use what IsoCopy returns

	current atomic.Pointer[snapshot] // nil once the store is closed
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store {
	s := &Store{tree: btree.NewMap[string, []byte](0)}
	s.current.Store(&snapshot{tree: s.tree.IsoCopy()})
	return s
}

// Snapshot implements store.Store. It never waits.
func (s *Store) Snapshot(context.Context) (store.Snapshot, error) {
	if now := s.current.Load(); now != nil {
		return now, nil
	}
	return nil, store.ErrClosed
}

// Commit implements store.Store. Once it has begun, a commit is finished, whatever becomes of ctx.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	now := s.current.Load()
	switch {
	case now == nil:
		return store.ErrClosed
	case now.head != b.Prev:
		return store.ErrHeadMoved
	}
	for _, w := range b.Writes {
		if w.Value == nil {
			s.tree.Delete(w.Key)
		} else {
			s.tree.Set(w.Key, w.Value)
		}
	}
	s.current.Store(&snapshot{tree: s.tree.IsoCopy(), head: b.Next})
	return nil
}

// Close implements store.Store. Snapshots that are still open stay readable.
func (s *Store) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	if s.current.Swap(nil) == nil {
		return store.ErrClosed
	}
	return nil
}

// snapshot is what was committed at some moment. It never changes, so everyone who asks at that moment shares it.
type snapshot struct {
	tree *btree.Map[string, []byte]
	head store.Head

	copying sync.Mutex // held while tree is copied
}

var _ store.Snapshot = (*snapshot)(nil)

func (s *snapshot) Head() store.Head { return s.head }

func (s *snapshot) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	value, _ := s.tree.Get(key)
	return value, nil
}

func (s *snapshot) GetMany(ctx context.Context, keys []string) ([][]byte, error) {
	values := make([][]byte, len(keys))
	for i, key := range keys {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		values[i], _ = s.tree.Get(key)
	}
	return values, nil
}

func (s *snapshot) Scan(lo, hi string, o store.ScanOptions) store.Iterator {
	return &iterator{tree: s.tree.Iter(), lo: lo, hi: hi, reverse: o.Reverse}
}

func (s *snapshot) Close() {}

type iterator struct {
	tree    btree.MapIter[string, []byte]
	lo, hi  string
	reverse bool
	state   position
	failed  error // what Next has returned, and returns from now on
}

type position uint8

const (
	before position = iota
	within
	ended
)

func (it *iterator) Next(ctx context.Context) (string, []byte, bool, error) {
	if it.failed == nil {
		it.failed = ctx.Err()
	}
	if it.failed != nil {
		return "", nil, false, it.failed
	}
	if it.state == ended || !it.step() || !it.inRange(it.tree.Key()) {
		it.state = ended
		return "", nil, false, nil
	}
	it.state = within
	return it.tree.Key(), it.tree.Value(), true, nil
}

// step moves to the next pair of the tree, or to the range's first one.
func (it *iterator) step() bool {
	switch {
	case it.state == within && it.reverse:
		return it.tree.Prev()
	case it.state == within:
		return it.tree.Next()
	case !it.reverse:
		return it.tree.Seek(it.lo)
	case it.hi != "" && it.tree.Seek(it.hi):
		return it.tree.Prev()
	default: // nothing is at hi or after it
		return it.tree.Last()
	}
}

func (it *iterator) inRange(key string) bool {
	return key >= it.lo && (it.hi == "" || key < it.hi)
}

func (it *iterator) Close() { it.state = ended }
