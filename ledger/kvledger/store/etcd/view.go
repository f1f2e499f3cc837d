package etcd

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// sharing is how long callers who ask for a snapshot get the same view, if the head is the same. What they look up at the
// same time is then one request. With a longer time, snapshots would be older for compaction than they have to be.
const sharing = time.Second

// view is what the snapshots on one revision share.
type view struct {
	store  *Store
	opened time.Time
	gets   *remote.Combiner[*lookup]

	// at is the head's record, and revision the one that is read at. Both are set before anybody gets the view. Before that,
	// the revision is one that is not higher, for the compactor.
	at       record
	revision atomic.Int64
}

// Snapshot implements store.Store.
func (s *Store) Snapshot(ctx context.Context) (store.Snapshot, error) {
	v, err := s.views.Current(ctx)
	if err != nil {
		return nil, err
	}
	return &snapshot{view: v}, nil
}

// currentView reads the head, and returns the newest view, if that is on it, or a new one. It has to be released.
func (s *Store) currentView(ctx context.Context) (*view, error) {
	v := s.addView()
	if err := s.settle(ctx); err != nil {
		s.views.Release(v)
		return nil, err
	}
	at, revision, err := s.readHead(ctx)
	if err != nil {
		s.views.Release(v)
		return nil, err
	}
	if newest := s.views.Newest(); newest != nil {
		if newest.at.revision == at.revision && time.Since(newest.opened) < sharing {
			s.views.Release(v)
			return newest, nil
		}
		s.views.Release(newest)
	}
	v.at = at
	v.revision.Store(revision)
	s.views.SetNewest(v)
	return v, nil
}

// addView returns a view whose revision is not known yet.
//
// The servers may be told at any time to forget old revisions. The revision that this view will have is known only when the
// head was read. By then it might be forgotten, because the view was not yet among those that the compactor spares. So the
// view is there before the head is read, with the highest revision that is known. What is read after that is not older.
func (s *Store) addView() *view {
	v := &view{store: s, opened: time.Now()}
	v.gets = remote.NewCombiner(s.life.Start, v.lookUp)
	v.revision.Store(s.knownRevision())
	s.views.Add(v)
	return v
}
