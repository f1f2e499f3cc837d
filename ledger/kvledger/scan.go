package kvledger

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// scan yields the values in a range of the store, and notes nothing.
type scan struct {
	view      *view
	namespace string
	keyAt     int // where the key begins in the store's key
	inner     store.Iterator
	ended     bool
	failed    error // what Next has returned, and returns from now on
	closed    bool
}

var _ ledger.Iterator = (*scan)(nil)

// openScan opens a scan, which ends with the view.
func (v *view) openScan(it scan, lo, hi string, o store.ScanOptions) *scan {
	it.view, it.inner = v, v.snapshot.Scan(lo, hi, o)
	v.add(&it)
	return &it
}

// Next implements ledger.Iterator.
func (it *scan) Next(ctx context.Context) (*ledger.KV, error) {
	key, _, value, ok, err := it.next(ctx)
	if !ok || err != nil {
		return nil, err
	}
	return &ledger.KV{Namespace: it.namespace, Key: key, Value: value}, nil
}

// next returns the next key and value, and also the version.
func (it *scan) next(ctx context.Context) (key string, v readVersion, value []byte, ok bool, err error) {
	if err := it.usable(); err != nil || it.ended {
		return "", v, nil, false, err
	}
	storeKey, b, ok, err := it.inner.Next(ctx)
	if err != nil {
		return "", v, nil, false, it.fail(errors.Wrapf(err, "read keys of namespace %q", shown(it.namespace)))
	}
	if !ok {
		it.ended = true
		return "", v, nil, false, nil
	}
	key = storeKey[it.keyAt:]
	v, value, err = decodeValue(b)
	if err != nil {
		return "", v, nil, false, it.fail(errors.Wrapf(err, "read key %q", shown(key)))
	}
	return key, v, value, true, nil
}

// usable returns an error if nothing can be read any more.
func (it *scan) usable() error {
	switch {
	case it.view.closed:
		return errDone
	case it.closed:
		return errClosed
	}
	return it.failed
}

// fail makes Next return err from now on.
func (it *scan) fail(err error) error {
	it.failed = err
	return err
}

// kept implements candidates. What the store's iterator has read ahead is little.
func (it *scan) kept() int { return 0 }

// Close implements ledger.Iterator.
func (it *scan) Close() {
	it.closed = true
	it.inner.Close()
	it.view.forget(it)
}
