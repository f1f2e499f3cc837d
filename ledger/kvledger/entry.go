package kvledger

import (
	"context"
	"encoding/binary"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/internal/mango"
)

// An index is a range of the store: one entry for each document, whose key is the document's columns and then its own key.
// The commit that changes the documents keeps the index, in the same batch. So at every snapshot the entries are those of
// the documents, and a query need not ask whether an entry is still true.
//
// To keep it, the commit must know what entry a document had before, and for that it reads the document's old value. That is
// the price of an index: a round trip for each block that writes to a namespace with indexes.
//
// An index that is being built has a gap: documents after its Next are in it only if they were written since it was defined.
// That needs no care here. An entry is unmade and made as if the index were complete. Deleting an entry that is not there
// does nothing, and building writes an entry again that is there.

// entryKey is the store's key of a document's entry in an index. It is columns and then key, so that the store's order is
// the index's.
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

// indexed is an update of a key that has indexes, as the block leaves it. Values in between have no entries.
type indexed struct {
	of       collectionKey
	storeKey string
	value    []byte
	indexes  []*index
}

// updateIndexes adds the index entries that the block's updates make and unmake.
func (e *effects) updateIndexes(ctx context.Context) error {
	updates := e.indexedUpdates()
	keys := make([]string, len(updates))
	for i, u := range updates {
		keys[i] = u.storeKey
	}
	return readEach(ctx, e.committed.snapshot, keys, func(i int, value []byte) error {
		return e.updateEntries(ctx, updates[i], value)
	})
}

// updateEntries adds the index entries that an update makes and unmakes, given what the store holds of its key.
func (e *effects) updateEntries(ctx context.Context, u indexed, committed []byte) error {
	_, before, err := decodeValue(committed)
	if err != nil {
		return errors.Wrapf(err, "read key %q", shown(u.of.key))
	}
	was, err := document(ctx, u.of.key, before)
	if err != nil {
		return err
	}
	is, err := document(ctx, u.of.key, u.value)
	if err != nil {
		return err
	}
	for _, x := range u.indexes {
		if err := e.updateEntry(ctx, u.of, x, was, is); err != nil {
			return err
		}
	}
	return nil
}

// indexedUpdates returns the block's updates of keys that have indexes.
func (e *effects) indexedUpdates() []indexed {
	if !e.committed.hasIndexes() {
		return nil
	}
	var updates []indexed
	e.updates.Scan(func(storeKey string, u update) bool {
		tag, of := e.committed.keys.parseKey(storeKey)
		if tag != tagState && tag != tagPrivate {
			return true
		}
		if indexes := e.committed.definitions[of.namespace].indexesOf(of.collection); len(indexes) > 0 {
			updates = append(updates, indexed{of, storeKey, u.value, indexes})
		}
		return true
	})
	return updates
}

// document returns a value as a document, or nil if it isn't one. The only error is that of ctx.
func document(ctx context.Context, key string, value []byte) (*mango.Document, error) {
	if value == nil {
		return nil, nil
	}
	d, err := mango.NewDocumentContext(ctx, key, value)
	if ctx.Err() != nil {
		return nil, errors.Wrapf(ctx.Err(), "decode key %q for its indexes", shown(key))
	}
	if err != nil {
		return nil, nil //nolint:nilerr // only documents are in an index
	}
	return d, nil
}

// updateEntry replaces the entry of a document in an index.
func (e *effects) updateEntry(ctx context.Context, of collectionKey, x *index, was, is *mango.Document) error {
	prefix := e.committed.keys.indexPrefix(of.namespace, x.ID)
	before, wasIn, err := columnsOf(ctx, x, was)
	if err != nil {
		return err
	}
	after, isIn, err := columnsOf(ctx, x, is)
	if err != nil {
		return err
	}
	if wasIn && isIn && string(before) == string(after) {
		return nil // the entry is there, or will be when the index is built
	}
	if wasIn {
		e.write(entryKey(prefix, before, of.key), nil)
	}
	if isIn {
		e.write(entryKey(prefix, after, of.key), encodeEntry(after))
	}
	return nil
}

// columnsOf returns the columns of a document's entry, or false if it has none. That is so if it is no document, if it lacks
// a field, or if the index's partial_filter_selector doesn't match it. It is also so if the filter's regular expressions are too
// much work for it: a block must not fail because of that. The only error is that of ctx.
func columnsOf(ctx context.Context, x *index, d *mango.Document) ([]byte, bool, error) {
	if d == nil {
		return nil, false, nil
	}
	columns, ok, err := x.Of.ColumnsContext(ctx, d)
	if errors.Is(err, mango.ErrLongMatch) {
		return nil, false, nil
	}
	return columns, ok, errors.Wrapf(err, "make the entry of key %q in index %q", shown(d.Key()), shown(x.Of.Name))
}
