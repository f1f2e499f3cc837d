package kvledger

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Texts of Fabric's transaction simulator (core/ledger/kvledger/txmgmt/txmgr).
var (
	errDone    = errors.New("this instance should not be used after calling Done()")
	errResults = errors.New("this function should only be called once on a transaction simulator instance")
)

// Simulator reads from a snapshot, and notes what one transaction reads and writes. It is used by one goroutine at a
// time, as ledger.Simulator says. After Done every method but Done returns an error.
type Simulator struct {
	ledger     *Ledger
	txID       string
	snapshot   store.Snapshot
	namespaces []*namespaceSet        // as they were first used: few, so that a search is quicker than a map
	iterators  []interface{ Close() } // that are no ranges of the public state

	// Most transactions use one namespace: room for it comes with the simulator.
	first     namespaceSet
	onlyFirst [1]*namespaceSet

	written        bool // something was written
	paginated      bool // a paginated query was made
	queriedPrivate bool // a range or a rich query of private data was made
	resulted       bool // Results was called
	done           bool
}

var (
	_ ledger.Simulator            = (*Simulator)(nil)
	_ ledger.HistoryReader        = (*Simulator)(nil)
	_ ledger.MultiGetter          = (*Simulator)(nil)
	_ ledger.MetadataState        = (*Simulator)(nil)
	_ ledger.PrivateState         = (*Simulator)(nil)
	_ ledger.PrivateMetadataState = (*Simulator)(nil)
	_ ledger.CollectionConfigs    = (*Simulator)(nil)
)

// namespaceSet is what was read and written in one namespace.
type namespaceSet struct {
	name   string
	reads  noted[readVersion]
	writes noted[[]byte]    // nil is a delete
	ranges []*rangeIterator // as they were opened
	rare   *rareSet         // nil until it is needed
}

// rareSet is what most transactions don't have: so it takes no room in the others.
type rareSet struct {
	metadata    noted[metadata]
	collections map[string]*collectionSet
	definition  *definition // of the namespace, or nil
	defined     bool        // definition was read
}

func (n *namespaceSet) needRare() *rareSet {
	if n.rare == nil {
		n.rare = &rareSet{collections: map[string]*collectionSet{}}
	}
	return n.rare
}

// GetState implements ledger.Simulator. It notes the version that was read.
func (s *Simulator) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if err := checkReadKey(key); err != nil {
		return nil, err
	}
	b, err := s.snapshot.Get(ctx, s.ledger.stateKey(namespace, key))
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", key)
	}
	v, value, err := decodeValue(b)
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", key)
	}
	set.reads.set(key, v)
	return value, nil
}

// GetStateMultipleKeys implements ledger.MultiGetter, in one round trip. It notes what GetState would.
func (s *Simulator) GetStateMultipleKeys(ctx context.Context, namespace string, keys []string) ([][]byte, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	storeKeys := make([]string, len(keys))
	for i, key := range keys {
		if err := checkReadKey(key); err != nil {
			return nil, err
		}
		storeKeys[i] = s.ledger.stateKey(namespace, key)
	}
	values, err := s.snapshot.GetMany(ctx, storeKeys)
	if err != nil {
		return nil, errors.Wrapf(err, "read %d keys", len(keys))
	}
	versions := make([]readVersion, len(keys))
	for i, b := range values {
		if versions[i], values[i], err = decodeValue(b); err != nil {
			return nil, errors.Wrapf(err, "read key %q", keys[i])
		}
	}
	for i, key := range keys {
		set.reads.set(key, versions[i])
	}
	return values, nil
}

// SetState implements ledger.Simulator. The empty key and keys that are no UTF-8 are refused.
func (s *Simulator) SetState(_ context.Context, namespace, key string, value []byte) error {
	set, err := s.namespace(namespace)
	if err != nil {
		return err
	}
	if err := s.beforeWrite(namespace, "", key); err != nil {
		return err
	}
	if len(value) == 0 {
		value = nil
	}
	set.writes.set(key, value)
	return nil
}

// DeleteState implements ledger.Simulator. The keys that SetState refuses are refused.
func (s *Simulator) DeleteState(ctx context.Context, namespace, key string) error {
	return s.SetState(ctx, namespace, key, nil)
}

// GetStateRange implements ledger.Simulator. It notes what the iterator yields, as far as it is read. A paginated
// query is refused after a write, and makes every later write be refused.
func (s *Simulator) GetStateRange(_ context.Context, namespace string, r ledger.Range) (ledger.Iterator, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{r.Start, r.End} {
		if err := checkReadKey(key); err != nil {
			return nil, err
		}
	}
	if r.PageSize != 0 {
		if err := s.beforePage(r.PageSize); err != nil {
			return nil, err
		}
	}
	it := newRangeIterator(s, namespace, r)
	set.ranges = append(set.ranges, it)
	return it, nil
}

// Done implements ledger.Simulator. It closes the iterators that are still open, and may be called more than once.
func (s *Simulator) Done() {
	if s.done {
		return
	}
	s.done = true
	for _, set := range s.namespaces {
		for _, it := range set.ranges {
			it.Close()
		}
	}
	for _, it := range s.iterators {
		it.Close()
	}
	s.snapshot.Close()
}

// namespace returns what was noted of a namespace so far, for a method to go on with.
func (s *Simulator) namespace(name string) (*namespaceSet, error) {
	if s.done {
		return nil, errDone
	}
	for _, set := range s.namespaces {
		if set.name == name {
			return set, nil
		}
	}
	if err := checkName("namespace", name); err != nil {
		return nil, err
	}
	set := &s.first
	if s.namespaces == nil {
		s.namespaces = s.onlyFirst[:0]
	} else {
		set = new(namespaceSet)
	}
	set.name = name
	s.namespaces = append(s.namespaces, set)
	return set, nil
}

// beforeWrite says whether the transaction may write a key. One that is refused for what it is counts as a write, as
// in Fabric.
func (s *Simulator) beforeWrite(namespace, collection, key string) error {
	switch {
	case s.queriedPrivate:
		return s.unsupported("Transaction has already performed queries on pvt data. Writes are not allowed")
	case s.paginated:
		return s.unsupported("Transaction has already performed a paginated query. Writes are not allowed")
	}
	s.written = true
	return s.ledger.checkKey(namespace, collection, key)
}

// beforePage says whether the transaction may make a paginated query.
func (s *Simulator) beforePage(size int32) error {
	switch {
	case size < 0:
		return errors.Errorf("page size %d must not be negative", size)
	case s.written:
		return s.unsupported("Paginated queries are supported only in a read-only transaction")
	}
	s.paginated = true
	return nil
}

// beforePrivateQuery says whether the transaction may make a range or a rich query of private data. It comes first: one that
// is refused for what it asks for counts, as in Fabric.
func (s *Simulator) beforePrivateQuery() error {
	switch {
	case s.done:
		return errDone
	case s.written:
		return s.unsupported("Queries on pvt data is supported only in a read-only transaction")
	}
	s.queriedPrivate = true
	return nil
}

// unsupported returns Fabric's error for what may not follow what the transaction did before. The spelling is
// Fabric's.
func (s *Simulator) unsupported(why string) error {
	return errors.Errorf("txid [%s]: unsuppored transaction. %s", s.txID, why)
}
