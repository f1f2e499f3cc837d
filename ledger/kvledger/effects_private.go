package kvledger

import (
	"context"
	"maps"
	"slices"
)

// Of a key of private data the store holds up to three things: the value with its version; the value's hash with its
// version, at the hash of the key; and, also at the hash of the key, the key itself, as the name of the value.
//
// Every peer has the hashes, since they are in the public read/write set, and they are what transactions are validated
// against. Only some peers are given the values. So the two go different ways: a hash is always written, a value only if it
// came with the block and fits. GetPrivateData then compares the two versions, and knows from them whether the value is the
// one that everybody else means.
//
// From this follows the bookkeeping here. Whatever changes a hash's version must change the value's as well, or a value that
// is right looks outdated: metadata does that, see renew. And whatever deletes by a hash alone, a purge or an expiry that
// this ledger was given no key for, finds the value by its name.

// applyCollection writes hashes, and the values if they are known.
func (e *effects) applyCollection(ctx context.Context, namespace string, c collectionRWSet, at version) error {
	metadataKey := func(keyHash string) string { return e.committed.keys.hashMetadataKey(namespace, c.name, keyHash) }
	if err := e.applyWrites(ctx, c.writeSet, at, metadataKey); err != nil {
		return err
	}
	for _, w := range c.private {
		e.updates.Set(w.storeKey, update{at, w.value})
		e.names[collectionKey{namespace, c.name, w.keyHash}] = w.key
	}
	for _, m := range c.metadata {
		e.renewed[collectionKey{namespace, c.name, m.key}] = true
	}
	if c.known {
		return nil
	}
	// Of private data that is not known, the values that are purged are deleted anyway, if they are there.
	for _, keyHash := range c.purges {
		key, err := e.privateName(ctx, collectionKey{namespace, c.name, keyHash})
		if err != nil {
			return err
		}
		if key != "" {
			e.updates.Set(e.committed.keys.privateKey(namespace, c.name, key), update{version: at})
		}
	}
	return nil
}

// privateName returns the key of a collection that a hash is of, or "" if this ledger has no value of that key.
func (e *effects) privateName(ctx context.Context, of collectionKey) (string, error) {
	nameKey := e.committed.nameKey(of)
	if err := e.committed.fetch(ctx, []string{nameKey}); err != nil {
		return "", err
	}
	if name := e.committed.fetched[nameKey]; name != nil {
		return string(name), nil
	}
	return e.names[of], nil
}

// noteName keeps the key of a private value where it is found by its hash. It is done for each that the block has written in
// the end.
func (e *effects) noteName(of collectionKey, u update) {
	var name []byte
	if u.value != nil {
		name = []byte(of.key)
	}
	e.write(e.committed.keys.privateNameKey(of.namespace, of.collection, hash(of.key)), name)
}

// renew is done once for the block, on the hashes that it leaves: a transaction may renew a hash that a later one of the block
// overwrites. It reads what it needs of all hashes in two round trips, the names and then the values.
//
// It gives private values the versions that their hashes got because of metadata, where the value is the one that the
// hash is of: who was not given the value that the hash is of now has another one, or none.
func (e *effects) renew(ctx context.Context) error {
	values := map[string]update{} // the hashes, by where the values are
	for of := range e.renewed {
		hashed, ok := e.updates.Get(e.committed.hashKey(of))
		if !ok || hashed.value == nil {
			continue // the key was not there, or is not any more
		}
		name, err := e.privateName(ctx, of)
		if err != nil {
			return err
		}
		if name != "" {
			values[e.committed.keys.privateKey(of.namespace, of.collection, name)] = hashed
		}
	}
	if err := e.committed.fetch(ctx, slices.Collect(maps.Keys(values))); err != nil {
		return err
	}
	for storeKey, hashed := range values {
		value, err := e.latest(ctx, storeKey)
		if err != nil {
			return err
		}
		if value != nil && isHashOf(hashed.value, value) {
			e.updates.Set(storeKey, update{hashed.version, value})
		}
	}
	return nil
}
