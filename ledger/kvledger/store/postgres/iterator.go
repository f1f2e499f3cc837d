package postgres

import (
	"context"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

const (
	// A range is read by pages of so many pairs, each twice as big as the one before it.
	firstPage, maxPage = 100, 1000
	// maxPageBytes is when a page ends even though it has fewer pairs.
	maxPageBytes = 4 << 20
)

// bytes is when the page ends even though it has fewer pairs. If it is for an answer, it waits until chaincode asks for more,
// and there may be many such pages.
func (p *page) bytes() int {
	if p.options.Reserve {
		return remote.LittleBytes
	}
	return maxPageBytes
}

// iterator reads a range page by page, each from where the last one ended. Between two pages it holds nothing.
type iterator struct {
	snapshot *snapshot
	next     page
	pairs    []pair // of the current page, those that are not yet returned
	ended    bool   // there is no next page
	err      error  // why there is nothing more to be had, if not because it has ended
}

func newIterator(s *snapshot, lo, hi string, o store.ScanOptions) *iterator {
	size := firstPage
	if o.Fetch > 0 {
		size = min(o.Fetch, maxPage)
	}
	return &iterator{
		snapshot: s, next: page{lo: lo, hi: hi, options: o, size: size}, ended: hi != "" && lo >= hi,
	}
}

func (it *iterator) Next(ctx context.Context) (string, []byte, bool, error) {
	if it.err == nil {
		it.err = ctx.Err()
	}
	if it.err == nil && len(it.pairs) == 0 && !it.ended {
		it.err = it.fetch(ctx)
	}
	if it.err != nil || len(it.pairs) == 0 {
		return "", nil, false, it.err
	}
	p := it.pairs[0]
	it.pairs = it.pairs[1:]
	if it.next.options.Reserve {
		if it.err = it.reserve(ctx, &p); it.err != nil {
			return "", nil, false, it.err
		}
	}
	return p.key, p.value, true, nil
}

// reserve asks for room for a value, and reads it if it was left out.
func (it *iterator) reserve(ctx context.Context, p *pair) error {
	if err := ledger.Reserve(ctx, p.size); err != nil || p.value != nil || it.next.options.KeysOnly {
		return err
	}
	r := &read{keys: []string{p.key}, whole: true}
	if err := it.snapshot.read(ctx, r); err != nil {
		return err
	}
	p.value = r.values[p.key].value
	return nil
}

func (it *iterator) fetch(ctx context.Context) error {
	asked := it.next
	r := &read{page: &asked}
	if err := it.snapshot.read(ctx, r); err != nil {
		return err
	}
	it.pairs = r.pairs
	size := 0
	for _, p := range r.pairs {
		size += p.size
	}
	if len(r.pairs) < asked.size && size < asked.bytes() {
		it.ended = true
		return nil
	}
	last := r.pairs[len(r.pairs)-1].key
	if asked.options.Reverse {
		it.next.hi = last
		it.ended = last == "" // where "" would be no end
	} else {
		it.next.lo = last + "\x00"
	}
	it.next.size = min(2*asked.size, maxPage)
	return nil
}

func (it *iterator) Close() {
	it.ended, it.pairs = true, nil
}
