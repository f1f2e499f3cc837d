package kvledger

import (
	"context"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// view is what a simulator reads: the store as it was when the transaction began. It owns the snapshot, and the iterators
// over it that are not noted. Both end with it.
type view struct {
	ledger    *Ledger
	snapshot  store.Snapshot
	iterators map[closer]struct{} // that are open; those over the public state's ranges are in notes
	closed    bool
}

// closer is an iterator. The view knows of one until it is closed, and keeps nothing of it after that.
type closer interface{ Close() }

func (v *view) add(it closer) {
	if v.iterators == nil {
		v.iterators = map[closer]struct{}{}
	}
	v.iterators[it] = struct{}{}
}

func (v *view) forget(it closer) { delete(v.iterators, it) }

// close closes the iterators that are still open, and then the snapshot.
func (v *view) close() {
	for it := range v.iterators {
		it.Close()
	}
	v.snapshot.Close()
}

// readMetadata reads the version of the value that the store holds at one key, and the metadata at another.
func (v *view) readMetadata(ctx context.Context, valueKey, metadataKey string) (readVersion, map[string][]byte, error) {
	b, err := v.snapshot.GetMany(ctx, []string{valueKey, metadataKey})
	if err != nil {
		return readVersion{}, nil, err
	}
	at, _, err := decodeValue(b[0])
	if err != nil {
		return readVersion{}, nil, err
	}
	m, err := decodeMetadata(b[1])
	return at, m, err
}
