package kvledger

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// committed is the reading half of a validation: what the store holds at one snapshot, as far as the block needs it.
//
// A store may be on another machine, where a round trip costs more than all that validation computes. So nearly everything
// that any transaction needs is read before the first one is looked at, by one GetMany if it isn't large. prefetch goes through the block and
// lists the keys. What a transaction turns out to need beyond that is read by fetch, as much as possible at once. Only the
// ranges that are validated again are read one by one.
type committed struct {
	keys     keyspace
	decoder  *definitionCache
	snapshot store.Snapshot
	head     store.Head // the snapshot's head
	tip      tip        // where the chain ends
	block    uint64     // number of the block that is validated

	// reads are the committed versions, for the transactions in their order. For each there is first its ID, and then the keys
	// that it read, public and private ones of each namespace. It is a list because validation takes the versions in the order
	// in which prefetch has listed the keys. So most of what a block reads costs no entry in a map.
	reads   [][]byte
	fetched map[string][]byte // what the store holds of other keys; nil for an absent key

	definitions map[string]*definition // of the namespaces that the block touches; nil for no definition
}

// prefetch reads in one go everything that the block's validation needs, except ranges.
func (c *committed) prefetch(ctx context.Context, txs []transaction) error {
	var keys []string
	for _, tx := range txs {
		keys = append(keys, c.keys.txIDKey(findable(tx.TxID)))
		for _, ns := range tx.namespaces {
			for _, r := range ns.reads {
				keys = append(keys, r.storeKey)
			}
			for _, r := range ns.hashedReads {
				keys = append(keys, r.storeKey)
			}
		}
	}
	reads := len(keys)
	keys = append(keys, c.keys.heightKey(), c.keys.expiresKey())
	for _, tx := range txs {
		keys = c.appendOthers(keys, tx)
	}
	c.reads = make([][]byte, reads)
	err := readEach(ctx, c.snapshot, keys, func(i int, value []byte) error {
		if i < reads {
			c.reads[i] = versionPart(value)
		} else {
			c.fetched[keys[i]] = value
		}
		return nil
	})
	if err != nil {
		return errors.Wrap(err, "read committed versions")
	}
	if c.tip, err = decodeTip(c.fetched[c.keys.heightKey()]); err != nil {
		return err
	}
	c.block = c.tip.height
	return c.decodeDefinitions()
}

// appendOthers appends the keys that a transaction needs beside those that it has read. These are definitions, keys whose
// metadata it writes, private data that it purges and that this ledger was not given, and what is kept of past private data.
func (c *committed) appendOthers(keys []string, tx transaction) []string {
	for _, ns := range tx.namespaces {
		keys = c.appendDefinition(keys, ns.name)
		keys = appendRewritten(keys, ns.writeSet)
		for _, set := range ns.collections {
			keys = appendRewritten(keys, set.writeSet)
			for _, m := range set.metadata {
				keys = append(keys, c.keys.privateNameKey(ns.name, set.name, m.key))
			}
			for _, keyHash := range set.purges {
				keys = append(keys, c.keys.privateNameKey(ns.name, set.name, keyHash), c.keys.pastListKey(collectionKey{ns.name, set.name, keyHash}))
			}
			for _, w := range set.private {
				keys = append(keys, c.keys.pastListKey(collectionKey{ns.name, set.name, w.keyHash}))
			}
		}
	}
	return keys
}

// appendRewritten appends the keys of the values that get a new version because of metadata. Those that the transaction writes
// as well are not read: its writes come first.
func appendRewritten(keys []string, set writeSet) []string {
	if len(set.metadata) == 0 {
		return keys
	}
	written := make(map[string]bool, len(set.writes))
	for _, w := range set.writes {
		written[w.storeKey] = true
	}
	for _, m := range set.metadata {
		if !written[m.storeKey] {
			keys = append(keys, m.storeKey)
		}
	}
	return keys
}

// appendDefinition appends the key of a namespace's definition, unless the block has named the namespace before.
func (c *committed) appendDefinition(keys []string, namespace string) []string {
	if _, ok := c.definitions[namespace]; ok {
		return keys
	}
	c.definitions[namespace] = nil
	return append(keys, c.keys.definitionKey(namespace))
}

// decodeDefinitions decodes the definitions of the namespaces that the block has named.
func (c *committed) decodeDefinitions() (err error) {
	for namespace := range c.definitions {
		storeKey := c.keys.definitionKey(namespace)
		if c.definitions[namespace], err = c.decoder.decode(storeKey, namespace, c.fetched[storeKey]); err != nil {
			return err
		}
	}
	return nil
}

// fetch reads more of the store, in one go.
func (c *committed) fetch(ctx context.Context, keys []string) error {
	missing := slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		_, ok := c.fetched[key]
		return ok
	})
	if len(missing) == 0 {
		return nil
	}
	values, err := c.snapshot.GetMany(ctx, missing)
	if err != nil {
		return errors.Wrap(err, "read committed values")
	}
	for i, key := range missing {
		c.fetched[key] = values[i]
	}
	return nil
}

// take returns the next n values of reads.
func (c *committed) take(n int) [][]byte {
	values := c.reads[:n]
	c.reads = c.reads[n:]
	return values
}

// hasIndexes reports whether a namespace that the block touches has indexes.
func (c *committed) hasIndexes() bool {
	for _, d := range c.definitions {
		if d != nil && len(d.Indexes) > 0 {
			return true
		}
	}
	return false
}

func (c *committed) hashKey(of collectionKey) string {
	return c.keys.hashKey(of.namespace, of.collection, of.key)
}

func (c *committed) nameKey(of collectionKey) string {
	return c.keys.privateNameKey(of.namespace, of.collection, of.key)
}
