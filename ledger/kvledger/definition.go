package kvledger

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Definition is what a ledger must know of a chaincode: of its namespace.
type Definition struct {
	// Collections are the collections of private data. Those whose names begin with _implicit_org_ exist in any case.
	Collections []ledger.CollectionConfig
	// Indexes are those that rich queries may use.
	Indexes []Index
}

// implicitCollection is what the names of collections begin with that exist without a definition: an organization's own
// (Fabric: core/chaincode/implicitcollection).
const implicitCollection = "_implicit_org_"

// Define gives a namespace a definition, in place of the one that it has. It returns when the indexes that are new have
// all documents, which for many takes a while; queries don't use them before. Blocks may be committed meanwhile. If it
// fails, or the process ends, a next call with the same definition goes on where this one has come to.
//
// A namespace that has never been given a definition may use any collection, and nothing in it expires. Data of a
// collection that is not defined any more stays where it is. A collection's new BlockToLive applies to what is written
// from then on. A definition is not a part of a block: whoever has several peers must give it to each at the same height.
func (l *Ledger) Define(ctx context.Context, namespace string, d Definition) error {
	if err := checkName("namespace", namespace); err != nil {
		return err
	}
	if err := checkDefinition(d); err != nil {
		return errors.Wrapf(err, "define namespace %q", namespace)
	}
	c := &change{ledger: l, namespace: namespace, size: buildStep}
	for more, step := true, c.redefine(d); more; step = c.build {
		var err error
		if more, err = c.do(ctx, step); err != nil {
			return errors.Wrapf(err, "define namespace %q", namespace)
		}
	}
	return nil
}

// Definition returns the definition of a namespace, or nil if it has none. Indexes that are still being built are in it.
func (l *Ledger) Definition(ctx context.Context, namespace string) (*Definition, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	d, err := l.definitionAt(ctx, snapshot, namespace)
	if err != nil || d == nil {
		return nil, err
	}
	public := &Definition{Collections: slices.Clone(d.Collections)}
	for _, x := range d.Indexes {
		public.Indexes = append(public.Indexes, Index{Collection: x.Collection, of: x.Of})
	}
	return public, nil
}

func checkDefinition(d Definition) error {
	seen := map[string]bool{}
	for i, c := range d.Collections {
		switch {
		case checkName("collection name", c.Name) != nil:
			return checkName("collection name", c.Name)
		case strings.HasPrefix(c.Name, implicitCollection):
			return errors.Errorf("collection %q: names that begin with %s are those of collections that always exist", c.Name, implicitCollection)
		case seen[c.Name]:
			return errors.Errorf("collection %d: there are two of the name %q", i, c.Name)
		}
		seen[c.Name] = true
	}
	return checkIndexes(d)
}

// definition is what the store holds of a namespace's definition.
type definition struct {
	Collections []ledger.CollectionConfig `json:"collections,omitempty"`
	Indexes     []*index                  `json:"indexes,omitempty"`
	// Dropped are indexes that have entries left.
	Dropped []uint32 `json:"dropped,omitempty"`
	// LastIndex is the ID of the youngest index: none is used again.
	LastIndex uint32 `json:"lastIndex,omitempty"`
}

// collection returns the definition of a collection, or nil.
func (d *definition) collection(name string) *ledger.CollectionConfig {
	for i := range d.Collections {
		if d.Collections[i].Name == name {
			return &d.Collections[i]
		}
	}
	return nil
}

// has says whether a collection exists: without a definition every one does, and an organization's own always does.
func (d *definition) has(collection string) bool {
	return d == nil || strings.HasPrefix(collection, implicitCollection) || d.collection(collection) != nil
}

// definitionAt returns the definition of a namespace at a snapshot, or nil. It must not be modified.
func (l *Ledger) definitionAt(ctx context.Context, snapshot store.Snapshot, namespace string) (*definition, error) {
	storeKey := l.keys.definitionKey(namespace)
	b, err := snapshot.Get(ctx, storeKey)
	if err != nil {
		return nil, errors.Wrapf(err, "read definition of namespace %q", namespace)
	}
	return l.provider.definitions.decode(storeKey, namespace, b)
}

// definitionCache keeps decoded definitions. Every block and most queries need those of their namespaces, which hardly ever
// change, and to decode JSON takes longer than to compare it with what was decoded last. So whoever asks brings the bytes that
// the snapshot has, and the cache is never asked what is current.
type definitionCache struct {
	decoded sync.Map // decodedDefinition by the store's key
}

// decodedDefinition is a definition and what it was decoded from.
type decodedDefinition struct {
	from string
	*definition
}

// decode decodes what the store holds at a key, unless it did before. It returns nil if that is nothing. The definition is
// everybody's: it must not be modified.
func (c *definitionCache) decode(storeKey, namespace string, b []byte) (*definition, error) {
	if b == nil {
		return nil, nil
	}
	if known, ok := c.decoded.Load(storeKey); ok && known.(decodedDefinition).from == string(b) {
		return known.(decodedDefinition).definition, nil
	}
	d := new(definition)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, errors.Wrapf(err, "decode definition of namespace %q", namespace)
	}
	c.decoded.Store(storeKey, decodedDefinition{string(b), d})
	return d, nil
}
