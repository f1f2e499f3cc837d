package kvledger

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/internal/portions"
)

// Private values are kept by their keys, for chaincode. Clients want to know what a block has written, also when the keys were written
// again since. So what a transaction has written to a key is kept once more, under the transaction's version (Fabric: pvtdatastorage).
//
// Such a past value must go when it expires, and when its key is purged. Both know the key by its hash alone, and nobody should have to
// search. So the versions of a key's past values are in a list, at the key's hash. A commit reads the lists of the keys that it writes,
// together with all that it reads. They must not grow for ever: of each key, the last pastKept values are kept.
const pastKept = 64

// pastList is the list of a key's past values, as the block's transactions so far leave it.
type pastList []version

// decodePastList decodes what the store has of a list. Nil is an empty one.
func decodePastList(b []byte) (pastList, error) {
	var l pastList
	for len(b) > 0 {
		v, rest, err := decodeValue(b)
		if err != nil {
			return nil, errors.New("the store holds a list of past values that is damaged, or not this ledger's")
		}
		l, b = append(l, v.version), rest
	}
	return l, nil
}

// encode returns what the store holds of a list: nil if it is empty.
func (l pastList) encode() []byte {
	var b []byte
	for _, v := range l {
		b = binary.AppendUvarint(b, v.block)
		b = binary.AppendUvarint(b, v.tx)
	}
	return b
}

// pastValue is what a transaction has written to a key of a collection.
type pastValue struct {
	key   string
	value []byte // nil deletes
}

func (p pastValue) encode() []byte {
	deletes := byte(0)
	if p.value == nil {
		deletes = 1
	}
	b := append(make([]byte, 0, len(p.key)+len(p.value)+binary.MaxVarintLen64+1), deletes)
	return append(appendBytes(b, p.key), p.value...)
}

func decodePastValue(b []byte) (pastValue, error) {
	if len(b) > 0 && b[0] <= 1 {
		if size, rest, ok := cutUvarint(b[1:]); ok && size <= uint64(len(rest)) {
			p := pastValue{key: string(rest[:size])}
			if b[0] == 0 {
				p.value = rest[size:]
			}
			return p, nil
		}
	}
	return pastValue{}, errors.New("the store holds a past value that is damaged, or not this ledger's")
}

// applyPast keeps what a transaction has written to a collection, and forgets what it has purged, also if it isn't known.
func (e *effects) applyPast(ctx context.Context, namespace string, c collectionRWSet, at version) error {
	purged := make(map[string]bool, len(c.purges))
	for i, keyHash := range c.purges {
		if err := portions.Look(ctx, i); err != nil {
			return err
		}
		purged[keyHash] = true
		if err := e.forgetPast(ctx, collectionKey{namespace, c.name, keyHash}, at.block); err != nil {
			return err
		}
	}
	for i, w := range c.private {
		if err := portions.Look(ctx, i); err != nil {
			return err
		}
		if w.value == nil && purged[w.keyHash] {
			continue // not even the key's name is left
		}
		of := collectionKey{namespace, c.name, w.keyHash}
		list, err := e.pastOf(ctx, of)
		if err != nil {
			return err
		}
		list = append(list, at)
		e.pastValues[e.committed.keys.pastValueKey(of, at)] = pastValue{w.key, w.value}.encode()
		for ; len(list) > pastKept; list = list[1:] {
			e.pastValues[e.committed.keys.pastValueKey(of, list[0])] = nil
		}
		e.past[of] = list
	}
	return nil
}

// forgetPast drops the past values of a key that a block and those before it have written.
func (e *effects) forgetPast(ctx context.Context, of collectionKey, block uint64) error {
	list, err := e.pastOf(ctx, of)
	if err != nil || len(list) == 0 {
		return err
	}
	e.past[of] = e.drop(of, list, func(v version) bool { return v.block <= block })
	return nil
}

// pastOf returns the list of a key.
func (e *effects) pastOf(ctx context.Context, of collectionKey) (pastList, error) {
	if list, ok := e.past[of]; ok {
		return list, nil
	}
	storeKey := e.committed.keys.pastListKey(of)
	if err := e.committed.fetch(ctx, []string{storeKey}); err != nil {
		return nil, err
	}
	return decodePastList(e.committed.fetched[storeKey])
}

// writePast adds what the store is to write.
//
// The note of when a hash expires also stands for the past values, up to its block. A hash that the block has deleted has no note. So
// in a collection whose data expires, what the block has written to it is not kept.
func (e *effects) writePast(ctx context.Context) error {
	seen := 0
	for of, list := range e.past {
		if err := portions.Look(ctx, seen); err != nil {
			return err
		}
		seen++
		u, written := e.updates.Get(e.committed.hashKey(of))
		if d := e.committed.definitions[of.namespace]; written && u.value == nil && d != nil {
			if c := d.collection(of.collection); c != nil && c.BlockToLive > 0 {
				list = e.drop(of, list, func(v version) bool { return v.block == e.committed.block })
			}
		}
		e.write(e.committed.keys.pastListKey(of), list.encode())
	}
	for storeKey, value := range e.pastValues {
		if err := portions.Look(ctx, seen); err != nil {
			return err
		}
		seen++
		e.write(storeKey, value)
	}
	return nil
}

// drop drops some values of a list.
func (e *effects) drop(of collectionKey, list pastList, which func(version) bool) pastList {
	return slices.DeleteFunc(list, func(v version) bool {
		if which(v) {
			e.pastValues[e.committed.keys.pastValueKey(of, v)] = nil
		}
		return which(v)
	})
}
