package etcd

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

const (
	// A range is read by pages of so many pairs, each twice as big as the one before it.
	firstPage, maxPage = 100, 2000
	// maxPageBytes is about how many bytes of values a page has, if those of the one before it were as long.
	maxPageBytes = 4 << 20
)

// iterator reads a range page by page, each from where the last one ended. Between two pages it holds nothing.
type iterator struct {
	snapshot *snapshot
	options  store.ScanOptions
	lo, hi   string // etcd keys of what is not read yet
	size     int    // of the next page
	pairs    []*mvccpb.KeyValue
	reserved bool  // they have had room before they were read
	ended    bool  // there is no next page
	err      error // why there is nothing more to be had, if not because it has ended
}

func newIterator(s *snapshot, lo, hi string, o store.ScanOptions) *iterator {
	keys := s.view.store.keys
	it := &iterator{snapshot: s, options: o, lo: keys.lo + lo, hi: keys.hi, size: firstPage}
	if hi != "" {
		it.hi = keys.lo + hi
	}
	if o.Fetch > 0 {
		it.size = min(o.Fetch, maxPage)
	}
	it.ended = it.lo >= it.hi
	return it
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
	found := it.pairs[:1]
	if it.options.Reserve && !it.reserved {
		if it.err = ledger.Reserve(ctx, len(found[0].Value)); it.err != nil {
			return "", nil, false, it.err
		}
	}
	it.pairs = it.pairs[1:]
	return string(found[0].Key[len(it.snapshot.view.store.keys.lo):]), valueOf(found), true, nil
}

// fetch reads the next page. If it is too large, it reads a smaller one, but not less than a pair. For that there must be
// room then.
func (it *iterator) fetch(ctx context.Context) error {
	limit := it.bytes()
	for it.reserved = false; ; {
		resp, err := it.page(withAnswer(ctx, limit+littleBytes))
		size := tooLarge(err)
		switch {
		case err == nil:
			it.pairs, it.ended = resp.Kvs, !resp.More || len(resp.Kvs) == 0
			if !it.ended {
				it.advance()
			}
			return nil
		case size == 0:
			return err
		case it.size > 1:
			it.size = max(1, it.size/(1+size/limit))
			continue
		}
		if it.options.Reserve {
			if err := ledger.Reserve(ctx, size); err != nil {
				return err
			}
			it.reserved = true
		}
		limit = size
	}
}

// page asks for the next page.
func (it *iterator) page(ctx context.Context) (resp *clientv3.GetResponse, err error) {
	if it.snapshot.closed.Load() {
		return nil, store.ErrClosed
	}
	s := it.snapshot.view.store
	options := []clientv3.OpOption{clientv3.WithRange(it.hi), clientv3.WithLimit(int64(it.size))}
	if it.options.KeysOnly {
		options = append(options, clientv3.WithKeysOnly())
	}
	if it.options.Reverse {
		options = append(options, clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend))
	}
	err = s.life.Call(ctx, "read snapshot", func(ctx context.Context) error {
		return s.read(ctx, it.snapshot.view.revision.Load(), func(ctx context.Context, how ...clientv3.OpOption) (err error) {
			resp, err = s.client.Get(ctx, it.lo, append(how, options...)...)
			return err
		})
	})
	return resp, err
}

// bytes is about how large a page may be. If it is for an answer, it waits until chaincode asks for more, and there may be
// many such pages.
func (it *iterator) bytes() int {
	if it.options.Reserve {
		return remote.LittleBytes
	}
	return maxPageBytes
}

// advance sets what the next page is, after the one that was read.
func (it *iterator) advance() {
	last := string(it.pairs[len(it.pairs)-1].Key)
	if it.options.Reverse {
		it.hi = last
	} else {
		it.lo = last + "\x00"
	}
	size := 1
	for _, kv := range it.pairs {
		size += len(kv.Value)
	}
	it.size = max(1, min(2*it.size, maxPage, it.bytes()*len(it.pairs)/size))
}

func (it *iterator) Close() {
	it.ended, it.pairs = true, nil
}
