package kvledger

import (
	"context"
	"math"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// expiresAt returns the block with which a value expires that is written by a block, or false for never (Fabric:
// core/ledger/pvtdatapolicy).
func expiresAt(block, blockToLive uint64) (uint64, bool) {
	if blockToLive == 0 || blockToLive >= math.MaxUint64-block-1 {
		return 0, false
	}
	return block + blockToLive + 1, true
}

// expiry is a note that a value of a collection, which a version wrote, expires.
type expiry struct {
	noteKey string
	of      collectionKey // the hash
	version version
}

// expire adds to the block's updates that what expires with it is deleted: the hash, its metadata and the value, unless
// they were written after the note was made, also by this block. A value expires without its hash where this ledger was
// not given what the hash was written with since (Fabric: pvtstatepurgemgmt, purgeKeyOnly).
func (v *validation) expire(ctx context.Context) error {
	if v.fetched[v.ledger.expiresKey()] == nil {
		return nil // nothing ever does
	}
	notes, err := v.dueNotes(ctx)
	if err != nil || len(notes) == 0 {
		return err
	}
	if err := v.fetchExpiring(ctx, notes); err != nil {
		return err
	}
	for _, n := range notes {
		v.also = append(v.also, store.Write{Key: n.noteKey})
		if err := v.expireOne(n); err != nil {
			return err
		}
	}
	return nil
}

// fetchExpiring reads what the notes are of. The block's transactions may have to do with other namespaces.
func (v *validation) fetchExpiring(ctx context.Context, notes []expiry) error {
	var keys []string
	for _, n := range notes {
		keys = append(keys, v.hashKey(n.of), v.nameKey(n.of))
		if _, ok := v.definitions[n.of.namespace]; !ok {
			v.definitions[n.of.namespace] = nil
			keys = append(keys, v.ledger.definitionKey(n.of.namespace))
		}
	}
	if err := v.fetch(ctx, keys); err != nil {
		return err
	}
	var values []string
	for _, n := range notes {
		if name := v.fetched[v.nameKey(n.of)]; name != nil {
			values = append(values, v.ledger.privateKey(n.of.namespace, n.of.collection, string(name)))
		}
	}
	if err := v.fetch(ctx, values); err != nil {
		return err
	}
	return v.decodeDefinitions()
}

func (v *validation) expireOne(n expiry) error {
	hashKey, at := v.hashKey(n.of), version{block: v.block}
	gone, err := v.isDue(hashKey, n)
	if err != nil {
		return err
	}
	if gone {
		v.updates.Set(hashKey, update{version: at})
		v.metadata[v.ledger.hashMetadataKey(n.of.namespace, n.of.collection, n.of.key)] = nil
	}
	name := v.fetched[v.nameKey(n.of)]
	if name == nil {
		return nil
	}
	valueKey := v.ledger.privateKey(n.of.namespace, n.of.collection, string(name))
	if !gone {
		if gone, err = v.isDue(valueKey, n); err != nil {
			return err
		}
	}
	if gone {
		v.updates.Set(valueKey, update{version: at})
	}
	return nil
}

// isDue says whether a hash or a value is there that nobody has written since the note was made.
func (v *validation) isDue(storeKey string, n expiry) (bool, error) {
	if _, written := v.updates.Get(storeKey); written {
		return false, nil
	}
	now, _, err := decodeValue(v.fetched[storeKey])
	return now.present && now.block <= n.version.block, err
}

func (v *validation) hashKey(of collectionKey) string {
	return v.ledger.hashKey(of.namespace, of.collection, of.key)
}

func (v *validation) nameKey(of collectionKey) string {
	return v.ledger.privateNameKey(of.namespace, of.collection, of.key)
}

// dueNotes returns what is noted to expire with this block. If an earlier one was to do it, this one does.
func (v *validation) dueNotes(ctx context.Context) ([]expiry, error) {
	prefix := v.ledger.expiresKey()
	it := v.snapshot.Scan(prefix+bigEndian(0), prefix+bigEndian(v.block+1), store.ScanOptions{Fetch: usualPage})
	defer it.Close()
	var notes []expiry
	for {
		key, b, ok, err := it.Next(ctx)
		if err != nil {
			return nil, errors.Wrap(err, "read what expires")
		}
		if !ok {
			return notes, nil
		}
		at, _, err := decodeValue(b)
		if err != nil {
			return nil, errors.Wrap(err, "read what expires")
		}
		_, of := v.ledger.parseKey(v.ledger.channelID + tagHash + key[len(prefix)+8:])
		notes = append(notes, expiry{noteKey: key, of: of, version: at.version})
	}
}

// noteExpiry notes when a hash that the block writes expires.
func (v *validation) noteExpiry(of collectionKey, u update) {
	d := v.definitions[of.namespace]
	if d == nil || u.value == nil {
		return
	}
	c := d.collection(of.collection)
	if c == nil {
		return
	}
	if at, ok := expiresAt(v.block, c.BlockToLive); ok {
		v.also = append(v.also, store.Write{Key: v.ledger.expiryKey(at, of), Value: encodeValue(u.version, nil)})
	}
}
