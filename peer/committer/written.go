package committer

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/internal/portions"
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
	writes writes
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

// writes is a list that doesn't move when it grows. A block may have millions of writes, and moving them takes long.
type writes struct {
	parts [][]write
	count int
}

const writesOfPart = 1 << 12

func (l *writes) add(w write) {
	if l.count%writesOfPart == 0 {
		l.parts = append(l.parts, nil)
	}
	last := &l.parts[len(l.parts)-1]
	*last = append(*last, w)
	l.count++
}

// each calls do for each write, and looks at ctx once in a while. An error ends it.
func (l *writes) each(ctx context.Context, do func(*write) error) error {
	for _, part := range l.parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i := range part {
			if err := do(&part[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// written returns the namespaces that need endorsements: that of the chaincode that was called, which needs them even if nothing is
// written, and the others in which something is written.
func (e *envelope) written(ctx context.Context) ([]*namespace, error) {
	sets := make([]*namespace, len(e.rwset.GetNsRwset()))
	for i, ns := range e.rwset.GetNsRwset() {
		var err error
		if sets[i], err = newNamespace(ctx, ns); err != nil {
			return nil, err
		}
	}
	if err := e.checkChaincode(ctx); err != nil {
		return nil, err
	}
	called := &namespace{name: e.extension.GetChaincodeId().GetName()}
	all := []*namespace{called}
	seen := make(map[string]bool, min(len(sets), writesOfPart)) // it grows: making a large one takes long
	for i, ns := range sets {
		if err := portions.Look(ctx, i); err != nil {
			return nil, err
		}
		switch {
		case seen[ns.name]:
			return nil, refuse(kvledger.IllegalWriteSet, "the read/write set has namespace %.64q twice", ns.name)
		case ns.name == called.name:
			*called = *ns
		case ns.writes.count > 0:
			all = append(all, ns)
		}
		seen[ns.name] = true
	}
	return all, nil
}

// CollectionHashes returns the hashes of what a transaction writes in collections, by its read/write set: a marshalled TxReadWriteSet.
func CollectionHashes(ctx context.Context, rwset []byte) ([]CollectionHash, error) {
	var set pb.TxReadWriteSet
	if err := decode(ctx, rwset, &set, kvledger.BadRWSet); err != nil {
		return nil, err
	}
	var all []CollectionHash
	for _, ns := range set.GetNsRwset() {
		for _, c := range ns.GetCollectionHashedRwset() {
			var hashed pb.HashedRWSet
			if err := decode(ctx, c.GetHashedRwset(), &hashed, kvledger.BadRWSet); err != nil {
				return nil, err
			}
			if hasWrites(&hashed) {
				all = append(all, CollectionHash{Namespace: ns.GetNamespace(), Collection: c.GetCollectionName(), Hash: c.GetPvtRwsetHash()})
			}
		}
	}
	return all, nil
}

// hasWrites reports whether a transaction writes in a collection, so that there is private data (Fabric: gossip/privdata, coordinator.go).
func hasWrites(set *pb.HashedRWSet) bool {
	return len(set.GetHashedWrites())+len(set.GetMetadataWrites()) > 0
}

func newNamespace(ctx context.Context, from *pb.NsReadWriteSet) (*namespace, error) {
	ns := &namespace{name: from.GetNamespace()}
	var public pb.KVRWSet
	if err := decode(ctx, from.GetRwset(), &public, kvledger.BadRWSet); err != nil {
		return nil, err
	}
	if err := addAll(ctx, ns, "", public.GetWrites(), (*pb.KVWrite).GetKey, false); err != nil {
		return nil, err
	}
	if err := addAll(ctx, ns, "", public.GetMetadataWrites(), (*pb.KVMetadataWrite).GetKey, true); err != nil {
		return nil, err
	}
	for _, c := range from.GetCollectionHashedRwset() {
		var set pb.HashedRWSet
		if err := decode(ctx, c.GetHashedRwset(), &set, kvledger.BadRWSet); err != nil {
			return nil, err
		}
		if err := addAll(ctx, ns, c.GetCollectionName(), set.GetHashedWrites(), (*pb.KVWriteHash).GetKeyHash, false); err != nil {
			return nil, err
		}
		if err := addAll(ctx, ns, c.GetCollectionName(), set.GetMetadataWrites(), (*pb.KVMetadataWriteHash).GetKeyHash, true); err != nil {
			return nil, err
		}
		if hasWrites(&set) {
			ns.private = append(ns.private, CollectionHash{Namespace: ns.name, Collection: c.GetCollectionName(), Hash: c.GetPvtRwsetHash()})
		}
	}
	return ns, nil
}

// addAll adds what a transaction writes in a collection of a namespace, or, without a collection, in the namespace itself.
func addAll[W any, K string | []byte](ctx context.Context, ns *namespace, collection string, all []*W, key func(*W) K, metadata bool) error {
	for i, w := range all {
		if err := portions.Look(ctx, i); err != nil {
			return err
		}
		ns.writes.add(write{keyID: keyID{ns.name, collection, string(key(w))}, metadata: metadata})
	}
	return nil
}
