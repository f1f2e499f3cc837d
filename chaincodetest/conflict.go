package chaincodetest

import (
	"fmt"

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
			all = append(all, conflicts(first, second)...)
		}
	}
	return all
}

// conflicts says what the first transaction changes of what the second one has read.
func conflicts(first, second *Tx) []Conflict {
	var all []Conflict
	for _, ns := range second.rwset.namespaces {
		written := first.rwset.namespace(ns.name)
		add := func(collection, key string, code kvledger.ValidationCode) {
			all = append(all, Conflict{First: first, Second: second, Chaincode: ns.name, Collection: collection, Key: key, Code: code})
		}
		for _, r := range ns.public.GetReads() {
			if write(written.public, r.GetKey()) != nil {
				add("", r.GetKey(), kvledger.MVCCReadConflict)
			}
		}
		for _, r := range ns.public.GetRangeQueriesInfo() {
			for _, w := range written.public.GetWrites() {
				if inRange(r, w) {
					add("", w.GetKey(), kvledger.PhantomReadConflict)
				}
			}
		}
		for _, c := range ns.collections {
			for _, key := range hashedConflicts(first.rwset.collection(ns.name, c.name), c) {
				add(c.name, key, kvledger.MVCCReadConflict)
			}
		}
	}
	return all
}

// inRange says whether a write changes what a range has.
func inRange(r *pb.RangeQueryInfo, w *pb.KVWrite) bool {
	return w.GetKey() >= r.GetStartKey() && (r.GetEndKey() == "" || w.GetKey() < r.GetEndKey() || w.GetKey() == r.GetEndKey() && !r.GetItrExhausted())
}

// hashedConflicts returns the keys of a collection that one transaction writes and another one has read.
func hashedConflicts(written, read *collectionSet) []string {
	if written == nil {
		return nil
	}
	var keys []string
	for _, r := range read.hashed.GetHashedReads() {
		for _, w := range written.hashed.GetHashedWrites() {
			if string(r.GetKeyHash()) == string(w.GetKeyHash()) {
				keys = append(keys, written.keyOf(w.GetKeyHash()))
			}
		}
	}
	return keys
}
