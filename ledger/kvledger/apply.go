package kvledger

import (
	"context"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// apply adds what a valid transaction writes to the block's updates.
func (v *validation) apply(ctx context.Context, tx transaction, at version) error {
	for _, ns := range tx.namespaces {
		metadataKey := func(key string) string { return v.ledger.metadataKey(ns.name, key) }
		if err := v.applyWrites(ctx, ns.writeSet, at, metadataKey); err != nil {
			return err
		}
		for _, c := range ns.collections {
			if err := v.applyCollection(ctx, ns.name, c, at); err != nil {
				return errors.Wrapf(err, "collection %q", c.name)
			}
		}
	}
	return nil
}

// applyWrites writes values and then metadata. A value alone leaves the key's metadata as it is; a delete deletes it
// too. Metadata gives the value another version; that of a key that is not there, or not any more, is left alone.
func (v *validation) applyWrites(ctx context.Context, set writeSet, at version, metadataKey func(string) string) error {
	for _, w := range set.writes {
		v.updates.Set(w.storeKey, update{at, w.value})
		if w.value == nil {
			v.metadata[metadataKey(w.key)] = nil
		}
	}
	for _, w := range set.metadata {
		value, err := v.latest(ctx, w.storeKey)
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		v.updates.Set(w.storeKey, update{at, value})
		v.metadata[metadataKey(w.key)] = w.value
	}
	return nil
}

// applyCollection writes hashes, and the values if they are known.
func (v *validation) applyCollection(ctx context.Context, namespace string, c collectionRWSet, at version) error {
	metadataKey := func(keyHash string) string { return v.ledger.hashMetadataKey(namespace, c.name, keyHash) }
	if err := v.applyWrites(ctx, c.writeSet, at, metadataKey); err != nil {
		return err
	}
	for _, w := range c.private {
		v.updates.Set(w.storeKey, update{at, w.value})
		v.names[collectionKey{namespace, c.name, w.keyHash}] = w.key
	}
	for _, m := range c.metadata {
		v.renewed[collectionKey{namespace, c.name, m.key}] = true
	}
	if c.known {
		return nil
	}
	// Of private data that is not known, the values that are purged are deleted anyway, if they are there.
	for _, keyHash := range c.purges {
		key, err := v.privateName(ctx, collectionKey{namespace, c.name, keyHash})
		if err != nil {
			return err
		}
		if key != "" {
			v.updates.Set(v.ledger.privateKey(namespace, c.name, key), update{version: at})
		}
	}
	return nil
}

// privateName returns the key of a collection that a hash is of, or "" if this ledger has no value of that key.
func (v *validation) privateName(ctx context.Context, of collectionKey) (string, error) {
	nameKey := v.nameKey(of)
	if err := v.fetch(ctx, []string{nameKey}); err != nil {
		return "", err
	}
	if name := v.fetched[nameKey]; name != nil {
		return string(name), nil
	}
	return v.names[of], nil
}

// finish does what is to be done once for the block, when all valid transactions are applied.
func (v *validation) finish(ctx context.Context) error {
	if err := v.renew(ctx); err != nil {
		return err
	}
	if err := v.expire(ctx); err != nil {
		return err
	}
	v.updates.Scan(func(storeKey string, u update) bool {
		switch tag, of := v.ledger.parseKey(storeKey); tag {
		case tagHash:
			v.noteExpiry(of, u)
		case tagPrivate:
			v.noteName(of, u)
		}
		return true
	})
	return v.updateIndexes(ctx)
}

// noteName keeps the key of a private value where it is found by its hash.
func (v *validation) noteName(of collectionKey, u update) {
	w := store.Write{Key: v.ledger.privateNameKey(of.namespace, of.collection, hash(of.key))}
	if u.value != nil {
		w.Value = []byte(of.key)
	}
	v.also = append(v.also, w)
}

// renew gives private values the versions that their hashes got because of metadata, where the value is the one that the
// hash is of: who was not given the value that the hash is of now has another one, or none.
func (v *validation) renew(ctx context.Context) error {
	values := map[string]update{} // the hashes, by where the values are
	for of := range v.renewed {
		hashed, ok := v.updates.Get(v.hashKey(of))
		if !ok || hashed.value == nil {
			continue // the key was not there, or is not any more
		}
		name, err := v.privateName(ctx, of)
		if err != nil {
			return err
		}
		if name != "" {
			values[v.ledger.privateKey(of.namespace, of.collection, name)] = hashed
		}
	}
	if err := v.fetch(ctx, slices.Collect(maps.Keys(values))); err != nil {
		return err
	}
	for storeKey, hashed := range values {
		value, err := v.latest(ctx, storeKey)
		if err != nil {
			return err
		}
		if value != nil && isHashOf(hashed.value, value) {
			v.updates.Set(storeKey, update{hashed.version, value})
		}
	}
	return nil
}

// latest returns the value that a key would have if the block's updates so far were committed, or nil.
func (v *validation) latest(ctx context.Context, storeKey string) ([]byte, error) {
	if u, ok := v.updates.Get(storeKey); ok {
		return u.value, nil
	}
	if err := v.fetch(ctx, []string{storeKey}); err != nil {
		return nil, err
	}
	_, value, err := decodeValue(v.fetched[storeKey])
	return value, err
}
