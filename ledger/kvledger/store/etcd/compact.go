package etcd

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.uber.org/zap"
)

// looksPerRetain is how often the compactor looks, within the time that is retained.
const looksPerRetain = 5

// reached is a revision, and when it was seen.
type reached struct {
	revision int64
	at       time.Time
}

// compactor returns a function that runs as long as the store is open. It has the servers forget what was overwritten before
// the time that is to be retained.
func (s *Store) compactor(retain time.Duration) func() {
	return func() {
		ticker := time.NewTicker(max(retain/looksPerRetain, 1))
		defer ticker.Stop()
		var seen []reached
		for compacted := int64(0); ; {
			select {
			case <-s.life.Done():
				return
			case now := <-ticker.C:
				revision, lowest := s.revisions()
				seen = append(seen, reached{revision, now})
				old := int64(0)
				for len(seen) > 0 && now.Sub(seen[0].at) >= retain {
					old, seen = seen[0].revision, seen[1:]
				}
				if old = min(old, lowest); old <= compacted {
					continue
				}
				err := s.compact(old)
				switch {
				case err == nil:
					compacted = old
				case errors.Is(err, rpctypes.ErrPermissionDenied):
					s.log.Warn("only root may compact: unless somebody else does, the data grow with every commit")
					return
				case !s.life.Ended():
					s.log.Warn("compact", zap.Int64("revision", old), zap.Error(err))
				}
			}
		}
	}
}

// revisions returns the highest revision that is known, and the lowest that a snapshot needs.
func (s *Store) revisions() (seen, lowest int64) {
	seen = s.knownRevision() // before the views are looked at: one that comes after that is not older
	lowest = seen
	s.views.Each(func(v *view) { lowest = min(lowest, v.revision.Load()) })
	return seen, lowest
}

// compact has the servers forget what only snapshots below a revision need.
func (s *Store) compact(revision int64) error {
	ctx, cancel := s.life.Limited()
	defer cancel()
	ctx, cancelRequest := context.WithTimeout(ctx, s.request)
	defer cancelRequest()
	_, err := s.client.Compact(ctx, revision)
	if errors.Is(err, rpctypes.ErrCompacted) { // by another process, further
		return nil
	}
	return err
}
