package chaincodetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Conflict says why a transaction would be invalid if it came after another one in the same block.
type Conflict struct {
	// First is the transaction that writes, and Second the one that has read before that.
	First, Second *Tx
	// Chaincode and Key are what both touch. Collection is the key's collection, if any.
	Chaincode, Collection, Key string
	// Code is the code that Second gets: MVCCReadConflict, or PhantomReadConflict if the key is in a range that it has read.
	Code kvledger.ValidationCode
}

// String says it in a sentence.
func (c Conflict) String() string {
	how := "reads"
	if c.Code == kvledger.PhantomReadConflict {
		how = "reads a range with"
	}
	where := c.Chaincode
	if c.Collection != "" {
		where += ", collection " + c.Collection
	}
	return fmt.Sprintf("%s is %s after %s: it %s %s (%s), which the other one writes",
		c.Second.name(), c.Code, c.First.name(), how, showKey(c.Key), where)
}

// Conflicts says which of the transactions would make which others invalid, if both were in one block, whichever comes first. They
// need not be committed, and this commits nothing. Two that only write the same key don't conflict: the later one wins.
func (n *Net) Conflicts(txs ...*Tx) []Conflict {
	n.t.Helper()
	var all []Conflict
	for _, first := range txs {
		for _, second := range txs {
			if first == second || first.rwset == nil || second.rwset == nil || first.call.channel != second.call.channel {
				continue
			}
			found, err := n.conflicts(first, second)
			if err != nil {
				n.fatal("Conflicts: %v", err)
			}
			all = append(all, found...)
		}
	}
	return all
}

// conflicts says what the first transaction changes of what the second one has read. It is in the order in which a peer validates.
func (c *core) conflicts(first, second *Tx) ([]Conflict, error) {
	ctx := context.Background()
	l, err := c.backend.ledger(ctx, first.call.channel, "")
	if err != nil {
		return nil, err
	}
	present := func(chaincode, key string) (bool, error) {
		s, err := l.KeyState(ctx, chaincode, key)
		return s != nil, err
	}
	var all []Conflict
	for _, ns := range second.rwset.namespaces {
		written := first.rwset.namespace(ns.name)
		add := func(collection, key string, code kvledger.ValidationCode) {
			all = append(all, Conflict{First: first, Second: second, Chaincode: ns.name, Collection: collection, Key: key, Code: code})
		}
		for _, r := range ns.public.GetReads() {
			if changes(written.public, r) {
				add("", r.GetKey(), kvledger.MVCCReadConflict)
			}
		}
		for _, r := range ns.public.GetRangeQueriesInfo() {
			keys, err := phantoms(written, r, present)
			if err != nil {
				return nil, err
			}
			for _, key := range keys {
				add("", key, kvledger.PhantomReadConflict)
			}
		}
		for _, c := range ns.collections {
			for _, key := range hashedConflicts(first.rwset.collection(ns.name, c.name), c) {
				add(c.name, key, kvledger.MVCCReadConflict)
			}
		}
	}
	return all, nil
}

// changes says whether a transaction changes a key that another one has read. Each write does, also a delete of a key that isn't
// there. Metadata, such as a key's policy, gives a new version to a key that is there.
func changes(written *pb.KVRWSet, r *pb.KVRead) bool {
	if write(written, r.GetKey()) != nil {
		return true
	}
	return r.GetVersion() != nil && slices.ContainsFunc(written.GetMetadataWrites(), func(m *pb.KVMetadataWrite) bool {
		return m.GetKey() == r.GetKey()
	})
}

// phantoms returns the keys of a range that a transaction changes. What is not there before, and not after, doesn't count.
func phantoms(written *namespaceSet, r *pb.RangeQueryInfo, present func(chaincode, key string) (bool, error)) ([]string, error) {
	var keys []string
	for _, w := range written.public.GetWrites() {
		if !inRange(r, w.GetKey()) {
			continue
		}
		if there, err := present(written.name, w.GetKey()); err != nil {
			return nil, err
		} else if there || !w.GetIsDelete() {
			keys = append(keys, w.GetKey())
		}
	}
	for _, m := range written.public.GetMetadataWrites() {
		if !inRange(r, m.GetKey()) || write(written.public, m.GetKey()) != nil {
			continue
		}
		if there, err := present(written.name, m.GetKey()); err != nil {
			return nil, err
		} else if there {
			keys = append(keys, m.GetKey())
		}
	}
	return keys, nil
}

// inRange says whether a key is in a range. One that wasn't read to its end ends with the last key that was read.
func inRange(r *pb.RangeQueryInfo, key string) bool {
	if !r.GetItrExhausted() {
		return key >= r.GetStartKey() && key <= r.GetEndKey()
	}
	return key >= r.GetStartKey() && (r.GetEndKey() == "" || key < r.GetEndKey())
}

// hashedConflicts returns the keys of a collection that one transaction changes and another one has read.
func hashedConflicts(written, read *collectionSet) []string {
	if written == nil {
		return nil
	}
	var keys []string
	for _, r := range read.hashed.GetHashedReads() {
		hash := string(r.GetKeyHash())
		if slices.ContainsFunc(written.hashed.GetHashedWrites(), func(w *pb.KVWriteHash) bool { return string(w.GetKeyHash()) == hash }) ||
			r.GetVersion() != nil && slices.ContainsFunc(written.hashed.GetMetadataWrites(), func(m *pb.KVMetadataWriteHash) bool { return string(m.GetKeyHash()) == hash }) {
			keys = append(keys, written.keyOf(r.GetKeyHash()))
		}
	}
	return keys
}
