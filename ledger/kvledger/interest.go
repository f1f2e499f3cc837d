package kvledger

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
)

// interestBytes is how many bytes the policies of the keys that a transaction writes may have together. A few bytes of writes
// can name keys with large policies, and a response repeats all of them. Fabric's peer has no such limit.
const interestBytes = 16 << 20

var _ ledger.InterestReporter = (*Simulator)(nil)

// Interest implements ledger.InterestReporter. It reads the metadata of the keys that were written, many at once. As long as
// no metadata was ever committed on the channel, it reads no more than that there is none. If nothing was written, it reads nothing.
func (s *Simulator) Interest(ctx context.Context) (*ledger.Interest, error) {
	if s.view.closed {
		return nil, errDone
	}
	sets := slices.Clone(s.notes.namespaces)
	slices.SortFunc(sets, func(a, b *namespaceSet) int { return strings.Compare(a.name, b.name) })
	in := new(ledger.Interest)
	for _, set := range sets {
		if set.touched() {
			in.Namespaces = append(in.Namespaces, set.interest())
		}
	}
	if err := s.addPolicies(ctx, in); err != nil {
		return nil, errors.WithMessage(err, "read the policies of keys")
	}
	return in, nil
}

// touched reports whether the namespace is in the public read/write set.
func (n *namespaceSet) touched() bool {
	if n.reads.n > 0 || n.writes.n > 0 || slices.ContainsFunc(n.ranges, func(it *rangeIterator) bool { return it.pulled }) {
		return true
	}
	if n.rare == nil {
		return false
	}
	for _, c := range n.rare.collections {
		if c.reads.n > 0 || c.written() {
			return true
		}
	}
	return n.rare.metadata.n > 0
}

// written reports whether something was written to the collection.
func (c *collectionSet) written() bool { return c.writes.n > 0 || c.metadata.n > 0 }

// interest is what is known of a namespace without its keys' metadata: that all keys that were written have none.
func (n *namespaceSet) interest() ledger.NamespaceInterest {
	in := ledger.NamespaceInterest{Name: n.name}
	if n.writes.n > 0 || n.rare != nil && n.rare.metadata.n > 0 {
		in.Written = append(in.Written, ledger.WrittenKeys{Others: true})
	}
	if n.rare == nil {
		return in
	}
	for _, name := range slices.Sorted(maps.Keys(n.rare.collections)) {
		c := n.rare.collections[name]
		if c.written() {
			in.Written = append(in.Written, ledger.WrittenKeys{Collection: name, Others: true})
		}
		if c.valueRead {
			in.PrivateReads = append(in.PrivateReads, name)
		}
	}
	return in
}

// addPolicies reads the metadata of the keys that were written, and says which policies they have.
func (s *Simulator) addPolicies(ctx context.Context, in *ledger.Interest) error {
	if !slices.ContainsFunc(in.Namespaces, func(n ledger.NamespaceInterest) bool { return len(n.Written) > 0 }) {
		return nil
	}
	t, err := s.view.ledger.tipAt(ctx, s.view.snapshot)
	if err != nil || !t.metadata {
		return err
	}
	var keys []string
	var of []*ledger.WrittenKeys
	for _, n := range in.Namespaces {
		for i := range n.Written {
			n.Written[i].Others = false
			written, err := s.metadataKeys(ctx, n.Name, n.Written[i].Collection)
			if err != nil {
				return err
			}
			for _, key := range written {
				keys, of = append(keys, key), append(of, &n.Written[i])
			}
		}
	}
	left := interestBytes
	return readEach(ctx, s.view.snapshot, keys, func(i int, value []byte) error {
		var m map[string][]byte
		if value != nil {
			var err error
			if m, err = decodeMetadata(value); err != nil {
				return err
			}
		}
		policy, ok := m[ledger.ValidationParameter]
		if !ok {
			of[i].Others = true
			return nil
		}
		if left -= len(policy); left < 0 {
			return errors.Errorf("those of the keys that the transaction writes have more than %d bytes", interestBytes)
		}
		of[i].Policies = append(of[i].Policies, policy)
		return nil
	})
}

// metadataKeys returns the store's keys of the metadata of the keys that were written, in the order of the latter.
func (s *Simulator) metadataKeys(ctx context.Context, namespace, collection string) ([]string, error) {
	i := slices.IndexFunc(s.notes.namespaces, func(n *namespaceSet) bool { return n.name == namespace })
	set, keys := s.notes.namespaces[i], s.view.ledger.keys
	if collection != "" {
		c := set.rare.collections[collection]
		names, err := written(ctx, &c.writes, &c.metadata)
		return storeKeys(names, func(key string) string { return keys.hashMetadataKey(namespace, collection, hash(key)) }), err
	}
	var none noted[metadata]
	own := &none
	if set.rare != nil {
		own = &set.rare.metadata
	}
	names, err := written(ctx, &set.writes, own)
	return storeKeys(names, func(key string) string { return keys.metadataKey(namespace, key) }), err
}

func storeKeys(keys []string, storeKey func(string) string) []string {
	for i, key := range keys {
		keys[i] = storeKey(key)
	}
	return keys
}

// written returns the keys of which the value or the metadata was written, in order and once each.
func written[W any](ctx context.Context, writes *noted[W], ofKeys *noted[metadata]) ([]string, error) {
	values, err := writes.sorted(ctx)
	if err != nil {
		return nil, err
	}
	others, err := ofKeys.sorted(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(values)+len(others))
	for _, e := range values {
		keys = append(keys, e.key)
	}
	for _, e := range others {
		keys = append(keys, e.key)
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
