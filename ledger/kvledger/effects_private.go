package kvledger

import (
	"context"
)

// Of a key of private data the store holds up to three things. There is the value with its version, at the key. There is the
// value's hash with its version, at the key's hash. And, also at the key's hash, there is the key itself, as the name of the
// value.
//
// Every peer has the hashes, because they are in the public read/write set, and transactions are validated against them.
// Only some peers are given the values. So the two go different ways. A hash is always written. A value is written only if
// it came with the block and fits. GetPrivateData compares the two versions, and so knows whether the value is the one that
// everybody else means.
//
// This needs some bookkeeping. Whatever changes a hash's version must change the value's as well, or a value that is right
// looks outdated. Metadata does that, so there is renew. And a purge or an expiry may delete by a hash alone, if this ledger
// was given no key for it. It finds the value by its name.

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
	if err := e.applyPast(ctx, namespace, c, at); err != nil {
		return err
	}
	if c.known {
		return nil
	}
	// If the private data is not known, the values that are purged are deleted anyway, if they are there.
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

// privateName returns the key of a collection whose hash is given, or "" if this ledger has no value of that key.
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

// noteName keeps the key of a private value where its hash leads to it. This is done for each value that the block has
// written in the end.
func (e *effects) noteName(of collectionKey, u update) {
	var name []byte
	if u.value != nil {
		name = []byte(of.key)
	}
	e.write(e.committed.keys.privateNameKey(of.namespace, of.collection, hash(of.key)), name)
}

// renew gives private values the versions that their hashes got because of metadata. It does so only for a value that fits
// its hash. If this ledger was not given the value that the hash is of now, it has another one, or none.
//
// It is done once for the block, on the hashes that the block leaves: a later transaction may overwrite a hash that an
// earlier one renews. It reads what it needs in two goes for all hashes, first the names and then the values. Of the values
// it keeps those that are written again.
func (e *effects) renew(ctx context.Context) error {
	hashes := map[string]update{} // by the store's keys of the values
	var unread []string           // keys of the values that the block has not written
	for of := range e.renewed {
		hashed, ok := e.updates.Get(e.committed.hashKey(of))
		if !ok || hashed.value == nil {
			continue // the key is not there, or not any more
		}
		name, err := e.privateName(ctx, of)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		storeKey := e.committed.keys.privateKey(of.namespace, of.collection, name)
		if u, ok := e.updates.Get(storeKey); ok {
			e.renewValue(ctx, storeKey, hashed, u.value)
			continue
		}
		hashes[storeKey] = hashed
		unread = append(unread, storeKey)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return readEach(ctx, e.committed.snapshot, unread, func(i int, stored []byte) error {
		_, value, err := decodeValue(stored)
		if err != nil {
			return err
		}
		e.renewValue(ctx, unread[i], hashes[unread[i]], value)
		return ctx.Err()
	})
}

// renewValue gives a private value the version of a hash, if the hash is that of the value. If ctx ends, it does nothing: the
// caller looks.
func (e *effects) renewValue(ctx context.Context, storeKey string, hashed update, value []byte) {
	if value != nil && isHashOf(ctx, hashed.value, value) {
		e.updates.Set(storeKey, update{hashed.version, value})
	}
}
