package kvledger

import (
	"context"

	"github.com/pkg/errors"
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
	}
	for _, key := range c.privateMetadata {
		if err := v.renewPrivate(ctx, namespace, c.name, key, at); err != nil {
			return err
		}
	}
	if c.known || len(c.purges) == 0 {
		return nil
	}
	return v.purgeUnknown(ctx, namespace, c)
}

// renewPrivate gives a private value the version that its hash got because of metadata, if it is the value that the
// hash is of.
func (v *validation) renewPrivate(ctx context.Context, namespace, collection, key string, at version) error {
	hashed, _ := v.updates.Get(v.ledger.hashKey(namespace, collection, hash(key))) // none if the key is not there
	storeKey := v.ledger.privateKey(namespace, collection, key)
	value, err := v.latest(ctx, storeKey)
	if err == nil && value != nil && isHashOf(hashed.value, value) {
		v.updates.Set(storeKey, update{at, value})
	}
	return err
}

// purgeUnknown deletes the private values of whose keys only the hashes are known, if they are there. All of the
// collection is searched for them, once: this is for ledgers that were not given the private data of the purges.
func (v *validation) purgeUnknown(ctx context.Context, namespace string, c collectionRWSet) error {
	wanted := make(map[string]bool, len(c.purges))
	for _, keyHash := range c.purges {
		wanted[keyHash] = true
	}
	lo, hi, keyAt := v.ledger.privateRange(namespace, c.name, "", "")
	values := newMergedRange(v.snapshot, v.updates, lo, hi)
	defer values.close()
	purged := map[string]update{} // which the range must not see while it is read
	for len(purged) < len(wanted) {
		storeKey, found, ok, err := values.next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if wanted[hash(storeKey[keyAt:])] {
			purged[storeKey] = update{version: found.version}
		}
	}
	for storeKey, u := range purged {
		v.updates.Set(storeKey, u)
	}
	return nil
}

// latest returns the value that a key would have if the block's updates so far were committed, or nil.
func (v *validation) latest(ctx context.Context, storeKey string) ([]byte, error) {
	if u, ok := v.updates.Get(storeKey); ok {
		return u.value, nil
	}
	b, err := v.snapshot.Get(ctx, storeKey)
	if err != nil {
		return nil, errors.Wrap(err, "read committed value")
	}
	_, value, err := decodeValue(b)
	return value, err
}
