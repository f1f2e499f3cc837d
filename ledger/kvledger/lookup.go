package kvledger

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// candidate is a value that may be a query's result.
type candidate struct {
	columns string // of the index entry that led to it
	key     string
	version readVersion
	value   []byte
}

// candidates yields the candidates of one query, in an order that the query's plan knows.
type candidates interface {
	nextCandidate(ctx context.Context) (candidate, bool, error)
	// usable returns an error if nothing can be read any more.
	usable() error
	// fail makes usable return err from now on.
	fail(err error) error
	// kept is how many bytes were read and not yielded yet.
	kept() int
	Close()
}

var (
	_ candidates = (*scan)(nil)
	_ candidates = (*lookup)(nil)
)

// nextCandidate implements candidates. Every value of the range is one.
func (it *scan) nextCandidate(ctx context.Context) (candidate, bool, error) {
	key, v, value, ok, err := it.next(ctx)
	return candidate{key: key, version: v, value: value}, ok, err
}

// lookup yields the documents that the entries in a range of an index lead to. Entries are read one by one, because the
// store delivers them in pages anyway. Documents are read many at once, because they lie apart, and each alone would be a
// round trip. But there may be 100 of them, of 10 MiB each. So what is read at once also has a limit in bytes.
type lookup struct {
	scan                  // over the entries; what it yields is not a candidate
	prefix    string      // of the index's keys
	documents string      // what the store's keys of the documents begin with
	many      int         // how many documents are read at once; at first as many as the query may want
	found     []candidate // entries whose documents were not read yet
	pending   []candidate // documents that were read and not yielded yet
	portion   portion     // how many of them are read at once
}

// openLookup opens a lookup, which the caller closes.
func (v *view) openLookup(namespace, lo, hi string, o store.ScanOptions) *lookup {
	return &lookup{scan: scan{view: v, namespace: namespace, inner: v.snapshot.Scan(lo, hi, o)}, many: max(o.Fetch, 1)}
}

func (it *lookup) nextCandidate(ctx context.Context) (candidate, bool, error) {
	if err := it.usable(); err != nil {
		return candidate{}, false, err
	}
	if len(it.pending) == 0 && (len(it.found) > 0 || !it.ended) {
		if err := it.read(ctx); err != nil {
			return candidate{}, false, it.fail(errors.Wrapf(err, "read an index of namespace %q", shown(it.namespace)))
		}
	}
	if len(it.pending) == 0 {
		return candidate{}, false, nil
	}
	c := it.pending[0]
	it.pending[0] = candidate{} // the rest keeps the list
	it.pending = it.pending[1:]
	return c, true, nil
}

// read reads the next documents.
func (it *lookup) read(ctx context.Context) error {
	if len(it.found) == 0 {
		if err := it.find(ctx); err != nil {
			return err
		}
	}
	values, err := it.values(ctx)
	if err != nil {
		return err
	}
	pending := make([]candidate, len(values)) // a list of its own, since found is kept for longer than these documents
	for i := range pending {
		d := &pending[i]
		*d = it.found[i]
		if d.version, d.value, err = decodeValue(values[i]); err != nil {
			return errors.Wrapf(err, "read key %q", shown(d.key))
		}
		if !d.version.present {
			return errors.Errorf("an index has key %q, which is not there: the store is damaged", shown(d.key))
		}
	}
	it.found, it.pending = it.found[len(values):], pending
	return nil
}

// find reads the next entries.
func (it *lookup) find(ctx context.Context) error {
	var found []candidate
	for len(found) < it.many {
		storeKey, b, ok, err := it.inner.Next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			it.ended = true
			break
		}
		columns, key, err := decodeEntry(it.prefix, storeKey, b)
		if err != nil {
			return err
		}
		found = append(found, candidate{columns: columns, key: key})
	}
	it.found = found
	return nil
}

// size is how many bytes a candidate has.
func (c *candidate) size() int { return len(c.columns) + len(c.key) + len(c.value) }

func (it *lookup) kept() (n int) {
	for _, list := range [][]candidate{it.found, it.pending} {
		for i := range list {
			n += list[i].size()
		}
	}
	return n
}

// Close implements candidates. Nothing is kept of what was read.
func (it *lookup) Close() {
	it.scan.Close()
	it.found, it.pending = nil, nil
	it.view.forget(it)
}

// values reads as many documents as have room, from the first entry on. Most may not match the query, and are no part of the
// answer.
func (it *lookup) values(ctx context.Context) ([][]byte, error) {
	keys := make([]string, len(it.found))
	for i := range it.found {
		keys[i] = it.documents + it.found[i].key
	}
	return it.portion.read(ctx, it.view.snapshot, keys)
}
