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

// Definition is what a ledger must know of a chaincode, whose namespace it is given to.
type Definition struct {
	// Collections are the collections of private data. Collections whose names begin with _implicit_org_ exist in any case.
	Collections []ledger.CollectionConfig
	// Indexes are the indexes that rich queries may use.
	Indexes []Index
}

// Define gives a namespace a definition, which replaces the one that it has. It returns when the new indexes have all
// documents. That takes a while if there are many, and queries don't use these indexes before. Blocks may be committed
// meanwhile. If Define fails, or the process ends, call it again with the same definition: it goes on where it was.
//
// A namespace that has never been given a definition may use any collection, and nothing in it expires. If a collection is
// not defined any more, its data stays where it is. If a collection gets another BlockToLive, that holds for what is written
// from then on. A definition is not a part of a block: if you have several peers, give it to each at the same height.
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

// Definition returns the definition of a namespace, or nil if it has none. It includes indexes that are still being built.
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
		case strings.HasPrefix(c.Name, ledger.ImplicitCollectionPrefix):
			return errors.Errorf("collection %q: names that begin with %s are those of collections that always exist", c.Name, ledger.ImplicitCollectionPrefix)
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
	// Dropped are the IDs of dropped indexes that still have entries.
	Dropped []uint32 `json:"dropped,omitempty"`
	// LastIndex is the ID of the youngest index. IDs are never used again.
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

// has reports whether a collection exists. Without a definition every collection does, and an organization's own always
// does.
func (d *definition) has(collection string) bool {
	return d == nil || strings.HasPrefix(collection, ledger.ImplicitCollectionPrefix) || d.collection(collection) != nil
}

// definitionAt returns the definition of a namespace at a snapshot, or nil. It must not be modified.
func (l *Ledger) definitionAt(ctx context.Context, snapshot store.Snapshot, namespace string) (*definition, error) {
	storeKey := l.keys.definitionKey(namespace)
	b, err := snapshot.Get(ctx, storeKey)
	if err != nil {
		return nil, errors.Wrapf(err, "read definition of namespace %q", shown(namespace))
	}
	return l.provider.definitions.decode(storeKey, namespace, b)
}

// definitionCache keeps decoded definitions. Every block and most queries need those of their namespaces. They hardly ever
// change, and decoding JSON takes longer than comparing bytes. So the caller brings the bytes that its snapshot has, and
// gets what was decoded from them before. The cache never has to know which definition is current.
type definitionCache struct {
	decoded sync.Map // values are decodedDefinition, by the store's key
}

// decodedDefinition is a definition, and the bytes that it was decoded from.
type decodedDefinition struct {
	from string
	*definition
}

// decode decodes what the store holds at a key, unless it has done so before. For no bytes it returns nil. Everybody shares
// the definition, so it must not be modified.
func (c *definitionCache) decode(storeKey, namespace string, b []byte) (*definition, error) {
	if b == nil {
		return nil, nil
	}
	if known, ok := c.decoded.Load(storeKey); ok && known.(decodedDefinition).from == string(b) {
		return known.(decodedDefinition).definition, nil
	}
	d := new(definition)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, errors.Wrapf(err, "decode definition of namespace %q", shown(namespace))
	}
	c.decoded.Store(storeKey, decodedDefinition{string(b), d})
	return d, nil
}
