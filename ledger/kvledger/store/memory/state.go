package memory

import (
	"math/rand/v2"

	"github.com/pkg/errors"
	"github.com/tidwall/btree"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// State is all that a store had when Save was called. It never changes. It shares with the store what both have, so it costs
// nothing until the store changes. It may be kept for as long as you like, and restored any number of times.
type State struct{ saved *snapshot }

// Save returns what is committed now. It takes the same time whatever the store has.
func (s *Store) Save() (State, error) {
	now := s.current.Load()
	if now == nil {
		return State{}, store.ErrClosed
	}
	return State{now}, nil
}

// Restore replaces everything that the store has by what it had at st. Like Save, it takes the same time whatever the store
// has. States may be restored in any order, and also in another Store, which then has a copy of its own.
//
// To others it looks as if somebody had committed a large batch. Snapshots that are open don't change. The head moves on to
// one that was never there before, so a batch that was made before Restore is refused with ErrHeadMoved.
func (s *Store) Restore(st State) error {
	if st.saved == nil {
		return errors.New("restore a state: it was not made by Save")
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	now := s.current.Load()
	if now == nil {
		return store.ErrClosed
	}
	s.tree = st.saved.copy()
	s.current.Store(&snapshot{tree: s.tree.IsoCopy(), head: store.Head{Blocks: now.head.Blocks + 1, Epoch: rand.Uint64()}})
	return nil
}

// copy returns a tree of the snapshot's pairs that can be written to. Two can't copy at once, since a copy changes the mark by
// which the original knows its own nodes. Readers don't look at the mark, so they needn't wait.
func (s *snapshot) copy() *btree.Map[string, []byte] {
	s.copying.Lock()
	defer s.copying.Unlock()
	return s.tree.IsoCopy()
}
