package etcd

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/ccpeer/ccpeer/ledger"
)

// part is what one request of a lookup asks for.
type part struct {
	keys   []string
	values [][]byte
	left   int // not 0: the values are not there yet, because the answer has so many bytes
}

// unknown is how many bytes an answer has that is too large, if it was one to many lookups.
const unknown = -1

// partsOf divides a lookup.
func partsOf(keys []string) []*part {
	parts := make([]*part, 0, (len(keys)+maxOps-1)/maxOps)
	for len(keys) > 0 {
		n := min(maxOps, len(keys))
		parts = append(parts, &part{keys: keys[:n], values: make([][]byte, n)})
		keys = keys[n:]
	}
	return parts
}

// getParts reads the parts whose values are little together. It makes its requests at the same time.
func (s *Store) getParts(ctx context.Context, revision int64, parts []*part) error {
	if len(parts) == 1 {
		return s.getPart(ctx, revision, parts[0])
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(parts), maxRequests) {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < len(parts) && ctx.Err() == nil; i = int(next.Add(1) - 1) {
				if err := s.getPart(ctx, revision, parts[i]); err != nil {
					cancel(err) // the first one counts
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// getPart reads a part if its values are little together. Otherwise it sets p.left.
func (s *Store) getPart(ctx context.Context, revision int64, p *part) error {
	err := s.get(withAnswer(ctx, littleBytes), revision, p.keys, p.values)
	if p.left = tooLarge(err); p.left > 0 {
		return nil
	}
	return err
}

// finish asks for room for a part's values. Those that were not read yet it reads in pieces that are little, or in one value
// when there is room for it.
func (s *snapshot) finish(ctx context.Context, p *part) error {
	switch {
	case p.left == unknown:
		if err := s.getPart(ctx, p); err != nil {
			return err
		}
		return s.finish(ctx, p)
	case p.left == 0:
		for _, v := range p.values {
			if err := ledger.Reserve(ctx, len(v)); err != nil {
				return err
			}
		}
		return nil
	case len(p.keys) == 1:
		if err := ledger.Reserve(ctx, p.left); err != nil {
			return err
		}
		return s.view.store.life.Call(ctx, "read snapshot", func(ctx context.Context) error {
			return s.view.store.get(ctx, s.view.revision.Load(), p.keys, p.values)
		})
	}
	pieces := min(len(p.keys), 1+p.left/littleBytes)
	for lo := 0; lo < len(p.keys); {
		hi := lo + (len(p.keys)-lo+pieces-1)/pieces
		piece := &part{keys: p.keys[lo:hi], values: p.values[lo:hi], left: unknown}
		if err := s.finish(ctx, piece); err != nil {
			return err
		}
		lo, pieces = hi, pieces-1
	}
	return nil
}

func (s *snapshot) getPart(ctx context.Context, p *part) error {
	return s.view.store.life.Call(ctx, "read snapshot", func(ctx context.Context) error {
		return s.view.store.getPart(ctx, s.view.revision.Load(), p)
	})
}
