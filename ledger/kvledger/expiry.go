package kvledger

import (
	"context"
	"math"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/portions"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Private data of a collection with a BlockToLive expires that many blocks after it was written. Nobody searches through all
// data for that. Each write of a hash also writes a note, under the number of the block with which the hash expires. A
// block's commit then reads the notes that are due. They are one range, because the numbers are ordered.
//
// A note may be out of date: the key may have been written again, purged or expired since. It is not looked for and changed
// then, because that would cost every write a read. Instead a note has the version that it was made for. When it is due,
// nothing happens unless that version is still there.
//
// A note is about the hash, which every peer writes in every block alike. So all peers drop the same hashes with the same
// block, whether or not they have the values.

// expiresAt returns the block with which a value expires that block has written. It returns false if the value never expires
// (Fabric: core/ledger/pvtdatapolicy).
func expiresAt(block, blockToLive uint64) (uint64, bool) {
	if blockToLive == 0 || blockToLive >= math.MaxUint64-block-1 {
		return 0, false
	}
	return block + blockToLive + 1, true
}

// expiry is a note that a collection's value, of a certain version, expires.
type expiry struct {
	noteKey string
	of      collectionKey // the hash
	version version
}

// expire adds to the block's updates that what expires with the block is deleted: the hash, its metadata and the value. It
// spares whatever was written after the note was made, even by this block. So it runs when all of the block's transactions
// are applied. A value expires without its hash if this ledger was not given what the hash was written with since (Fabric:
// pvtstatepurgemgmt, purgeKeyOnly).
func (e *effects) expire(ctx context.Context) error {
	if e.committed.fetched[e.committed.keys.expiresKey()] == nil {
		return nil // nothing ever expires
	}
	notes, err := e.committed.dueNotes(ctx)
	if err != nil || len(notes) == 0 {
		return err
	}
	versions, err := e.committed.fetchExpiring(ctx, notes)
	if err != nil {
		return err
	}
	for i, n := range notes {
		if err := portions.Look(ctx, i); err != nil {
			return err
		}
		e.write(n.noteKey, nil)
		if err := e.expireOne(n, versions); err != nil {
			return err
		}
		if err := e.forgetPast(ctx, n.of, n.version.block); err != nil {
			return err
		}
	}
	return nil
}

// expireOne deletes what a note is about, as far as that is due. If the hash is due, the value goes, too. If it isn't, the
// hash was written since. The value may still be the one of the note, if this ledger was not given the new one.
//
// versions are those of the values.
func (e *effects) expireOne(n expiry, versions map[string][]byte) error {
	hashKey, at := e.committed.hashKey(n.of), version{block: e.committed.block}
	gone, err := e.isDue(hashKey, e.committed.fetched[hashKey], n)
	if err != nil {
		return err
	}
	if gone { // the update's version is that of a delete, which nobody sees
		e.updates.Set(hashKey, update{version: at})
		e.metadata[e.committed.keys.hashMetadataKey(n.of.namespace, n.of.collection, n.of.key)] = nil
	}
	name := e.committed.fetched[e.committed.nameKey(n.of)]
	if name == nil {
		return nil
	}
	valueKey := e.committed.keys.privateKey(n.of.namespace, n.of.collection, string(name))
	if !gone {
		if gone, err = e.isDue(valueKey, versions[valueKey], n); err != nil {
			return err
		}
	}
	if gone {
		e.updates.Set(valueKey, update{version: at})
	}
	return nil
}

// isDue reports whether a hash or a value is there that nobody has written since the note was made. committed is what the
// store holds of it, as far as the version.
func (e *effects) isDue(storeKey string, committed []byte, n expiry) (bool, error) {
	if _, written := e.updates.Get(storeKey); written {
		return false, nil
	}
	now, _, err := decodeValue(committed)
	return now.present && now.block <= n.version.block, err
}

// noteExpiry notes when a hash that the block writes expires. The definition at this block decides. If the collection is
// given another BlockToLive later, that holds for what is written later.
func (e *effects) noteExpiry(of collectionKey, u update) {
	d := e.committed.definitions[of.namespace]
	if d == nil || u.value == nil {
		return
	}
	c := d.collection(of.collection)
	if c == nil {
		return
	}
	if at, ok := expiresAt(e.committed.block, c.BlockToLive); ok {
		e.write(e.committed.keys.expiryKey(at, of), encodeValue(u.version, nil))
	}
}

// fetchExpiring reads what the notes are about. That may be in other namespaces than those that the block's transactions
// touch. It returns the versions of the values, by the store's keys.
func (c *committed) fetchExpiring(ctx context.Context, notes []expiry) (map[string][]byte, error) {
	var keys []string
	for _, n := range notes {
		keys = append(keys, c.hashKey(n.of), c.nameKey(n.of), c.keys.pastListKey(n.of))
		keys = c.appendDefinition(keys, n.of.namespace)
	}
	if err := c.fetch(ctx, keys); err != nil {
		return nil, err
	}
	var values []string
	for _, n := range notes {
		if name := c.fetched[c.nameKey(n.of)]; name != nil {
			values = append(values, c.keys.privateKey(n.of.namespace, n.of.collection, string(name)))
		}
	}
	versions := make(map[string][]byte, len(values))
	err := readEach(ctx, c.snapshot, values, func(i int, value []byte) error {
		versions[values[i]] = versionPart(value)
		return nil
	})
	if err != nil {
		return nil, errors.Wrap(err, "read versions of what expires")
	}
	return versions, c.decodeDefinitions()
}

// dueNotes returns the notes that are due with this block, or were due with an earlier one.
func (c *committed) dueNotes(ctx context.Context) ([]expiry, error) {
	prefix := c.keys.expiresKey()
	it := c.snapshot.Scan(prefix+bigEndian(0), prefix+bigEndian(c.block+1), store.ScanOptions{Fetch: usualPage})
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
		_, of := c.keys.parseKey(c.keys.channelID + tagHash + key[len(prefix)+8:])
		notes = append(notes, expiry{noteKey: key, of: of, version: at.version})
	}
}
