package kvledger

import (
	"context"

	"github.com/pkg/errors"
	"github.com/tidwall/btree"

	"github.com/ccpeer/ccpeer/internal/portions"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// effects is the writing half of a validation: what the block's valid transactions so far have written, and what follows
// from it.
//
// It is a layer that the block puts over what is committed. While transactions are judged it answers two questions: was this
// key written before in the block? And, since its updates have the store's order: what would a range yield now? When all are
// judged, finish adds what is to be done once for the block. Expired private data goes. The notes and index entries that
// belong to the updates come. All of it is one batch of the store.
type effects struct {
	committed *committed

	updates  *btree.Map[string, update] // the last write of each key, values and hashes
	metadata map[string][]byte          // for the store; nil deletes
	also     []store.Write              // what else is to be written: IDs, and what follows from the updates

	// Bookkeeping of private data, whose values and hashes are at different keys. effects_private.go explains it.
	renewed map[collectionKey]bool   // hashes whose metadata was written
	names   map[collectionKey]string // keys of the private data that was written, by the hashes

	// What is kept of private data by its versions. private_past.go explains it.
	past       map[collectionKey]pastList // the lists that the block has changed, by the hashes
	pastValues map[string][]byte          // for the store; nil deletes
}

// update is the last write of a key in the block.
type update struct {
	version version
	value   []byte // nil deletes
}

// write adds a write that no later transaction of the block will ask about.
func (e *effects) write(storeKey string, value []byte) {
	e.also = append(e.also, store.Write{Key: storeKey, Value: value})
}

// appendWrites appends everything that the store is to write.
func (e *effects) appendWrites(writes []store.Write) []store.Write {
	e.updates.Scan(func(key string, u update) bool {
		w := store.Write{Key: key}
		if u.value != nil {
			w.Value = encodeValue(u.version, u.value)
		}
		writes = append(writes, w)
		return true
	})
	for key, value := range e.metadata {
		writes = append(writes, store.Write{Key: key, Value: value})
	}
	return append(writes, e.also...)
}

// apply adds what a valid transaction writes.
func (e *effects) apply(ctx context.Context, tx transaction, at version) error {
	for _, ns := range tx.namespaces {
		metadataKey := func(key string) string { return e.committed.keys.metadataKey(ns.name, key) }
		if err := e.applyWrites(ctx, ns.writeSet, at, metadataKey); err != nil {
			return err
		}
		for _, c := range ns.collections {
			if err := e.applyCollection(ctx, ns.name, c, at); err != nil {
				return errors.Wrapf(err, "collection %q", shown(c.name))
			}
		}
	}
	return nil
}

// applyWrites writes values and then metadata. A value alone leaves the key's metadata as it is. A delete deletes it, too.
// Metadata gives the value a new version. If the key is not there, or not any more, its metadata is left alone.
func (e *effects) applyWrites(ctx context.Context, set writeSet, at version, metadataKey func(string) string) error {
	for i, w := range set.writes {
		if err := portions.Look(ctx, i); err != nil {
			return err
		}
		e.updates.Set(w.storeKey, update{at, w.value})
		if w.value == nil {
			e.metadata[metadataKey(w.key)] = nil
		}
	}
	for i, w := range set.metadata {
		if err := portions.Look(ctx, i); err != nil {
			return err
		}
		value, err := e.latest(ctx, w.storeKey)
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		e.updates.Set(w.storeKey, update{at, value})
		e.metadata[metadataKey(w.key)] = w.value
	}
	return nil
}

// finish does what is to be done once for the block, after all valid transactions were applied. The order matters. What
// expires must see the versions that renew gives. The notes are of what is left then. The indexes come last, because they
// need every value as it will be.
func (e *effects) finish(ctx context.Context) error {
	if err := e.renew(ctx); err != nil {
		return err
	}
	if err := e.expire(ctx); err != nil {
		return err
	}
	looked, seen := error(nil), 0
	if err := e.writePast(ctx); err != nil {
		return err
	}
	e.updates.Scan(func(storeKey string, u update) bool {
		if looked = portions.Look(ctx, seen); looked != nil {
			return false
		}
		seen++
		switch tag, of := e.committed.keys.parseKey(storeKey); tag {
		case tagHash:
			e.noteExpiry(of, u)
		case tagPrivate:
			e.noteName(of, u)
		}
		return true
	})
	if looked != nil {
		return looked
	}
	return e.updateIndexes(ctx)
}

// latest returns the value that a key would have if the block's updates so far were committed, or nil.
func (e *effects) latest(ctx context.Context, storeKey string) ([]byte, error) {
	if u, ok := e.updates.Get(storeKey); ok {
		return u.value, nil
	}
	if err := e.committed.fetch(ctx, []string{storeKey}); err != nil {
		return nil, err
	}
	_, value, err := decodeValue(e.committed.fetched[storeKey])
	return value, err
}
