package pebble

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// errEnd is why an iterator that has no more pairs has ended.
var errEnd = errors.New("the end of the range")

type iterator struct {
	snapshot *snapshot // in use until the iterator is closed
	lo, hi   string
	options  store.ScanOptions
	pairs    *pebble.Iterator // nil until the first Next
	end      error            // why there are no more pairs; nil as long as there may be
	closed   bool
}

var _ store.Iterator = (*iterator)(nil)

func (it *iterator) Next(ctx context.Context) (string, []byte, bool, error) {
	if it.end == nil {
		it.end = it.step(ctx)
	}
	switch {
	case errors.Is(it.end, errEnd):
		return "", nil, false, nil
	case it.end != nil:
		return "", nil, false, it.end
	}
	key := string(it.pairs.Key()[1:])
	if it.options.KeysOnly {
		return key, nil, true, nil
	}
	value, err := it.pairs.ValueAndErr()
	if err != nil {
		it.end = it.snapshot.readError(err)
		return "", nil, false, it.end
	}
	if it.options.Reserve {
		if it.end = ledger.Reserve(ctx, len(value)); it.end != nil {
			return "", nil, false, it.end
		}
	}
	return key, append([]byte{}, value...), true, nil // not nil, also if it is empty
}

// step moves to the next pair, or to the range's first one, and returns why it can't.
func (it *iterator) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var found bool
	switch {
	case it.pairs != nil && it.options.Reverse:
		found = it.pairs.Prev()
	case it.pairs != nil:
		found = it.pairs.Next()
	default:
		var err error
		it.pairs, err = it.snapshot.view.snapshot.NewIter(&pebble.IterOptions{
			LowerBound: encodeKey(it.lo), UpperBound: encodeEnd(it.hi),
		})
		if err != nil {
			return it.snapshot.readError(err)
		}
		if it.options.Reverse {
			found = it.pairs.Last()
		} else {
			found = it.pairs.First()
		}
	}
	if found {
		return nil
	}
	if err := it.pairs.Error(); err != nil {
		return it.snapshot.readError(err)
	}
	return errEnd
}

func (it *iterator) Close() {
	if it.closed {
		return
	}
	it.closed, it.end = true, store.ErrClosed
	if it.pairs != nil {
		_ = it.pairs.Close() // its error is one that Next has returned
	}
	it.snapshot.release()
}
