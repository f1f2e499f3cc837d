package kvledger

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

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
	for more, step := true, l.redefine(d); more; step = l.build {
		var err error
		if more, err = l.changeDefinition(ctx, namespace, step); err != nil {
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
		public.Indexes = append(public.Indexes, x.Index)
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

// definitionAt returns the definition of a namespace at a snapshot, or nil. It must not be modified.
func (l *Ledger) definitionAt(ctx context.Context, snapshot store.Snapshot, namespace string) (*definition, error) {
	b, err := snapshot.Get(ctx, l.definitionKey(namespace))
	if err != nil {
		return nil, errors.Wrapf(err, "read definition of namespace %q", namespace)
	}
	return l.decodeDefinition(namespace, b)
}

// decodedDefinition is a definition and what it was decoded from.
type decodedDefinition struct {
	from string
	*definition
}

// decodeDefinition decodes what the store holds, unless it did before. It returns nil if that is nothing.
func (l *Ledger) decodeDefinition(namespace string, b []byte) (*definition, error) {
	if b == nil {
		return nil, nil
	}
	key := l.definitionKey(namespace)
	if known, ok := l.provider.definitions.Load(key); ok && known.(decodedDefinition).from == string(b) {
		return known.(decodedDefinition).definition, nil
	}
	d := new(definition)
	if err := json.Unmarshal(b, d); err != nil {
		return nil, errors.Wrapf(err, "decode definition of namespace %q", namespace)
	}
	l.provider.definitions.Store(key, decodedDefinition{string(b), d})
	return d, nil
}

// definitionStep is one step of a change: it changes d, which is its own, and returns what else is to be written, and
// whether there are more steps to come.
type definitionStep func(ctx context.Context, snapshot store.Snapshot, namespace string, d *definition) ([]store.Write, bool, error)

// changeDefinition does one step of a change, at a moment when no block is committed.
func (l *Ledger) changeDefinition(ctx context.Context, namespace string, step definitionStep) (more bool, err error) {
	release, err := l.provider.lock(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	for {
		more, err = l.tryChangeDefinition(ctx, namespace, step)
		if !errors.Is(err, store.ErrHeadMoved) {
			return more, err
		}
	}
}

func (l *Ledger) tryChangeDefinition(ctx context.Context, namespace string, step definitionStep) (bool, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return false, err
	}
	defer snapshot.Close()
	d := new(definition)
	now, err := snapshot.Get(ctx, l.definitionKey(namespace))
	if err != nil {
		return false, errors.Wrap(err, "read definition")
	}
	if now != nil {
		if err := json.Unmarshal(now, d); err != nil {
			return false, errors.Wrap(err, "decode definition")
		}
	}
	writes, more, err := step(ctx, snapshot, namespace, d)
	if err != nil {
		return false, err
	}
	b, err := json.Marshal(d)
	if err != nil {
		return false, errors.Wrap(err, "encode definition")
	}
	if len(writes) == 0 && string(b) == string(now) {
		return more, nil // as it was
	}
	writes = append(writes, store.Write{Key: l.definitionKey(namespace), Value: b})
	if height, err := l.heightAt(ctx, snapshot); err != nil {
		return false, err
	} else if height == 0 { // the channel has nothing yet: what it will have is of this format
		writes = append(writes, store.Write{Key: l.heightKey(), Value: encodeHeight(0)})
	}
	return more, l.provider.commit(ctx, snapshot.Head(), writes)
}

// redefine is the first step: it replaces the definition, and keeps the indexes that stay as they are.
func (l *Ledger) redefine(to Definition) definitionStep {
	return func(_ context.Context, _ store.Snapshot, _ string, d *definition) ([]store.Write, bool, error) {
		d.Collections = to.Collections
		before := d.Indexes
		d.Indexes = nil
		for _, x := range to.Indexes {
			same := func(y *index) bool { return y.sameAs(x) }
			if at := slices.IndexFunc(before, same); at >= 0 {
				d.Indexes = append(d.Indexes, before[at])
				before = slices.Delete(before, at, at+1)
				continue
			}
			d.LastIndex++
			d.Indexes = append(d.Indexes, &index{Index: x, ID: d.LastIndex})
		}
		for _, x := range before {
			d.Dropped = append(d.Dropped, x.ID)
		}
		if slices.ContainsFunc(to.Collections, func(c ledger.CollectionConfig) bool { return c.BlockToLive > 0 }) {
			return []store.Write{{Key: l.expiresKey(), Value: []byte{}}}, true, nil
		}
		return nil, true, nil
	}
}
