package kvledger

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/mango"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// entryKey is where an index has a document: columns and key, so that the store's order is the index's.
func entryKey(prefix string, columns []byte, key string) string {
	return prefix + string(columns) + key
}

// encodeEntry returns what the store holds there: where the key begins.
func encodeEntry(columns []byte) []byte { return binary.AppendUvarint(nil, uint64(len(columns))) }

// decodeEntry returns the columns and the key of an entry.
func decodeEntry(prefix, storeKey string, value []byte) (columns, key string, err error) {
	rest := storeKey[len(prefix):]
	size, end, ok := cutUvarint(value)
	if !ok || len(end) > 0 || size > uint64(len(rest)) {
		return "", "", errors.New("the store holds an index entry that is damaged, or not this ledger's")
	}
	return rest[:size], rest[size:], nil
}

// indexed is an update of a key that has indexes.
type indexed struct {
	of       collectionKey
	storeKey string
	value    []byte
	indexes  []*index
}

// updateIndexes adds to what the block writes the index entries that its updates make and unmake.
func (v *validation) updateIndexes(ctx context.Context) error {
	updates := v.indexedUpdates()
	keys := make([]string, len(updates))
	for i, u := range updates {
		keys[i] = u.storeKey
	}
	if err := v.fetch(ctx, keys); err != nil {
		return err
	}
	for _, u := range updates {
		_, before, err := decodeValue(v.fetched[u.storeKey])
		if err != nil {
			return errors.Wrapf(err, "read key %q", u.of.key)
		}
		was, is := document(u.of.key, before), document(u.of.key, u.value)
		for _, x := range u.indexes {
			v.updateEntry(u.of, x, was, is)
		}
	}
	return nil
}

// indexedUpdates returns the block's updates of keys that have indexes.
func (v *validation) indexedUpdates() []indexed {
	if !slices.ContainsFunc(slices.Collect(maps.Values(v.definitions)), func(d *definition) bool { return d != nil && len(d.Indexes) > 0 }) {
		return nil
	}
	var updates []indexed
	v.updates.Scan(func(storeKey string, u update) bool {
		tag, of := v.ledger.parseKey(storeKey)
		if tag != tagState && tag != tagPrivate {
			return true
		}
		if indexes := v.definitions[of.namespace].indexesOf(of.collection); len(indexes) > 0 {
			updates = append(updates, indexed{of, storeKey, u.value, indexes})
		}
		return true
	})
	return updates
}

// document returns a value as a document, or nil if it is none.
func document(key string, value []byte) *mango.Document {
	if value == nil {
		return nil
	}
	d, err := mango.NewDocument(key, value)
	if err != nil {
		return nil // what is no document is in no index
	}
	return d
}

// updateEntry replaces the entry of a document in an index.
func (v *validation) updateEntry(of collectionKey, x *index, was, is *mango.Document) {
	prefix := v.ledger.indexPrefix(of.namespace, x.ID)
	before, wasIn := columnsOf(x, was)
	after, isIn := columnsOf(x, is)
	if wasIn && isIn && string(before) == string(after) {
		if x.Built {
			return // it is there
		}
		wasIn = false
	}
	if wasIn {
		v.also = append(v.also, store.Write{Key: entryKey(prefix, before, of.key)})
	}
	if isIn {
		v.also = append(v.also, store.Write{Key: entryKey(prefix, after, of.key), Value: encodeEntry(after)})
	}
}

func columnsOf(x *index, d *mango.Document) ([]byte, bool) {
	if d == nil {
		return nil, false
	}
	return x.Index.Index.Columns(d)
}

// buildStep is how many documents, or entries to be deleted, one step of building goes through.
const buildStep = 1000

// build is a definitionStep that deletes some entries of indexes that are not defined any more, or gives one that is new
// some of the documents that were there before.
func (l *Ledger) build(ctx context.Context, snapshot store.Snapshot, namespace string, d *definition) ([]store.Write, bool, error) {
	if len(d.Dropped) > 0 {
		writes, err := l.dropEntries(ctx, snapshot, namespace, d.Dropped[0])
		if len(writes) < buildStep {
			d.Dropped = d.Dropped[1:]
		}
		return writes, true, err
	}
	at := slices.IndexFunc(d.Indexes, func(x *index) bool { return !x.Built })
	if at < 0 {
		return nil, false, nil
	}
	writes, err := l.buildEntries(ctx, snapshot, namespace, d.Indexes[at])
	return writes, true, err
}

func (l *Ledger) dropEntries(ctx context.Context, snapshot store.Snapshot, namespace string, id uint32) ([]store.Write, error) {
	it := snapshot.Scan(l.indexPrefix(namespace, id), l.indexPrefix(namespace, id+1), store.ScanOptions{KeysOnly: true, Fetch: buildStep})
	defer it.Close()
	var writes []store.Write
	for len(writes) < buildStep {
		key, _, ok, err := it.Next(ctx)
		if err != nil {
			return nil, errors.Wrap(err, "read entries of an index that is dropped")
		}
		if !ok {
			break
		}
		writes = append(writes, store.Write{Key: key})
	}
	return writes, nil
}

// buildEntries gives an index the next documents.
func (l *Ledger) buildEntries(ctx context.Context, snapshot store.Snapshot, namespace string, x *index) ([]store.Write, error) {
	lo, hi, keyAt := l.documentRange(namespace, x.Collection, string(x.Next))
	it := snapshot.Scan(lo, hi, store.ScanOptions{Fetch: buildStep})
	defer it.Close()
	prefix := l.indexPrefix(namespace, x.ID)
	var writes []store.Write
	for range buildStep {
		storeKey, b, ok, err := it.Next(ctx)
		if err != nil {
			return nil, errors.Wrap(err, "read documents")
		}
		if !ok {
			x.Built, x.Next = true, nil
			break
		}
		key := storeKey[keyAt:]
		_, value, err := decodeValue(b)
		if err != nil {
			return nil, errors.Wrapf(err, "read key %q", key)
		}
		if columns, ok := columnsOf(x, document(key, value)); ok {
			writes = append(writes, store.Write{Key: entryKey(prefix, columns, key), Value: encodeEntry(columns)})
		}
		x.Next = []byte(key + "\x00")
	}
	return writes, nil
}

// documentRange is where the documents of the public state, or of a collection, are from a key on.
func (l *Ledger) documentRange(namespace, collection, start string) (lo, hi string, keyAt int) {
	if collection == "" {
		return l.stateRange(namespace, start, "")
	}
	return l.privateRange(namespace, collection, start, "")
}
