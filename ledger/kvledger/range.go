package kvledger

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// usualPage is how many results a handler usually reads of a range at first: a page, and one result more to look ahead.
const usualPage = 101

var errClosed = errors.New("the iterator is closed")

// rangeIterator yields the state in a range, and notes what it yielded. That must still be so when the transaction is
// committed.
type rangeIterator struct {
	view       *view
	namespace  string
	start, end string
	keyAt      int // where the key begins in the store's key
	inner      store.Iterator
	closed     bool

	reads     queryReads
	last      string // the last key that was yielded
	pulled    bool   // Next was called
	exhausted bool   // Next has returned nil
	failed    error  // what Next has returned, and returns from now on
}

var _ ledger.Iterator = (*rangeIterator)(nil)

func newRangeIterator(v *view, namespace string, r ledger.Range) *rangeIterator {
	lo, hi, keyAt := v.ledger.keys.stateRange(namespace, r.Start, r.End)
	o := store.ScanOptions{Fetch: usualPage, Reserve: true}
	if r.PageSize > 0 {
		o.Fetch = int(r.PageSize) + 1
	}
	return &rangeIterator{
		view: v, namespace: namespace, start: r.Start, end: r.End, keyAt: keyAt,
		inner: v.snapshot.Scan(lo, hi, o), reads: newQueryReads(maxDegree),
	}
}

// Next implements ledger.Iterator.
func (it *rangeIterator) Next(ctx context.Context) (*ledger.KV, error) {
	switch {
	case it.view.closed:
		return nil, errDone
	case it.closed:
		return nil, errClosed
	case it.exhausted, it.failed != nil:
		return nil, it.failed
	}
	storeKey, b, ok, err := it.inner.Next(ctx)
	if err != nil {
		it.failed = errors.Wrapf(err, "read range [%q, %q)", shown(it.start), shown(it.end))
		return nil, it.failed
	}
	if !ok {
		it.pulled, it.exhausted = true, true
		return nil, nil
	}
	key := storeKey[it.keyAt:]
	v, value, err := decodeValue(b)
	if err != nil {
		it.failed = errors.Wrapf(err, "read key %q", shown(key))
		return nil, it.failed
	}
	if err := it.reads.add(key, v.version); err != nil {
		return nil, err
	}
	it.pulled, it.last = true, key
	return &ledger.KV{Namespace: it.namespace, Key: key, Value: value}, nil
}

// Close implements ledger.Iterator. What was read stays noted, and nothing else is kept.
func (it *rangeIterator) Close() {
	if !it.closed {
		it.closed = true
		it.inner.Close()
		it.inner = nil
	}
}

// info returns what was noted, as Fabric does. If the range was read to its end, the end is the one that was asked for.
// Otherwise it is the last key that was read.
func (it *rangeIterator) info() (*pb.RangeQueryInfo, error) {
	info := &pb.RangeQueryInfo{StartKey: it.start, EndKey: it.last, ItrExhausted: it.exhausted}
	if it.exhausted {
		info.EndKey = it.end
	}
	raw, summary, err := it.reads.result()
	switch {
	case err != nil:
		return nil, err
	case summary != nil:
		info.ReadsInfo = &pb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: summary}
	case len(raw) > 0:
		info.ReadsInfo = &pb.RangeQueryInfo_RawReads{RawReads: &pb.QueryReads{KvReads: raw}}
	}
	return info, nil
}
