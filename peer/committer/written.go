package committer

import (
	"fmt"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// keyID is a key of a chaincode, or the hash of one in a collection.
type keyID struct{ namespace, collection, key string }

// String returns the key for people.
func (k keyID) String() string {
	if k.collection == "" {
		return fmt.Sprintf("key %.64q of chaincode %.64q", k.key, k.namespace)
	}
	return fmt.Sprintf("the key with the hash %.32x of collection %.64q of chaincode %.64q", k.key, k.collection, k.namespace)
}

// namespace is what a transaction writes in a chaincode's namespace.
type namespace struct {
	name       string
	definition *Definition
	// writes are in the order in which Fabric looks at them.
	writes []write
	// private are the collections in which there are some.
	private []CollectionHash
}

// write is a key that is written, or whose metadata is.
type write struct {
	keyID
	metadata bool
	// parameter is the policy that the key's committed metadata has, or nil.
	parameter policies.Policy
}

// written returns the namespaces that need endorsements: that of the chaincode that was called, which needs them even if nothing is
// written, and the others in which something is written.
func (e *envelope) written() ([]*namespace, error) {
	sets := make([]*namespace, len(e.rwset.GetNsRwset()))
	for i, ns := range e.rwset.GetNsRwset() {
		var err error
		if sets[i], err = newNamespace(ns); err != nil {
			return nil, err
		}
	}
	if err := e.checkChaincode(); err != nil {
		return nil, err
	}
	called := &namespace{name: e.extension.GetChaincodeId().GetName()}
	all := []*namespace{called}
	seen := make(map[string]bool, len(sets))
	for _, ns := range sets {
		switch {
		case seen[ns.name]:
			return nil, refuse(kvledger.IllegalWriteSet, "the read/write set has namespace %.64q twice", ns.name)
		case ns.name == called.name:
			*called = *ns
		case len(ns.writes) > 0:
			all = append(all, ns)
		}
		seen[ns.name] = true
	}
	return all, nil
}

func newNamespace(from *pb.NsReadWriteSet) (*namespace, error) {
	ns := &namespace{name: from.GetNamespace()}
	var public pb.KVRWSet
	if err := decode(from.GetRwset(), &public, kvledger.BadRWSet); err != nil {
		return nil, err
	}
	for _, w := range public.GetWrites() {
		ns.add("", w.GetKey(), false)
	}
	for _, w := range public.GetMetadataWrites() {
		ns.add("", w.GetKey(), true)
	}
	sets := make([]pb.HashedRWSet, len(from.GetCollectionHashedRwset()))
	for i, c := range from.GetCollectionHashedRwset() {
		if err := decode(c.GetHashedRwset(), &sets[i], kvledger.BadRWSet); err != nil {
			return nil, err
		}
		before := len(ns.writes)
		for _, w := range sets[i].GetHashedWrites() {
			ns.add(c.GetCollectionName(), string(w.GetKeyHash()), false)
		}
		for _, w := range sets[i].GetMetadataWrites() {
			ns.add(c.GetCollectionName(), string(w.GetKeyHash()), true)
		}
		if len(ns.writes) > before {
			ns.private = append(ns.private, CollectionHash{Namespace: ns.name, Collection: c.GetCollectionName(), Hash: c.GetPvtRwsetHash()})
		}
	}
	return ns, nil
}

func (ns *namespace) add(collection, key string, metadata bool) {
	ns.writes = append(ns.writes, write{keyID: keyID{ns.name, collection, key}, metadata: metadata})
}
