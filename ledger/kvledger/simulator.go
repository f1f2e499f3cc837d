package kvledger

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
)

// The texts of Fabric's transaction simulator (core/ledger/kvledger/txmgmt/txmgr).
var (
	errDone    = errors.New("this instance should not be used after calling Done()")
	errResults = errors.New("this function should only be called once on a transaction simulator instance")
)

// Simulator reads from a snapshot, and notes what one transaction reads and writes. One goroutine at a time uses it, as
// ledger.Simulator says. After Done every method but Done returns an error.
//
// It has three parts. The view is what there is to read. The notes are what was read and written. The past decides what may
// still be done.
type Simulator struct {
	view  view
	notes notes
	past  past
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

// GetState implements ledger.Simulator. It notes the version that was read.
func (s *Simulator) GetState(ctx context.Context, namespace, key string) ([]byte, error) {
	set, err := s.namespace(namespace)
	if err != nil {
		return nil, err
	}
	if err := checkReadKey(key); err != nil {
		return nil, err
	}
	b, err := s.view.snapshot.Get(ctx, s.view.ledger.keys.stateKey(namespace, key))
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", shown(key))
	}
	v, value, err := decodeValue(b)
	if err != nil {
		return nil, errors.Wrapf(err, "read key %q", shown(key))
	}
	set.reads.set(key, v)
	return value, nil
}

// GetStateMultipleKeys implements ledger.MultiGetter, in one round trip. It notes each key as GetState does.
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
		storeKeys[i] = s.view.ledger.keys.stateKey(namespace, key)
	}
	values, err := s.view.snapshot.GetMany(ctx, storeKeys)
	if err != nil {
		return nil, errors.Wrapf(err, "read %d keys", len(keys))
	}
	versions := make([]readVersion, len(keys))
	for i, b := range values {
		if versions[i], values[i], err = decodeValue(b); err != nil {
			return nil, errors.Wrapf(err, "read key %q", shown(keys[i]))
		}
	}
	for i, key := range keys {
		set.reads.set(key, versions[i])
	}
	return values, nil
}

// SetState implements ledger.Simulator. It refuses the empty key, and keys that are not UTF-8.
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

// DeleteState implements ledger.Simulator. It refuses the keys that SetState refuses.
func (s *Simulator) DeleteState(ctx context.Context, namespace, key string) error {
	return s.SetState(ctx, namespace, key, nil)
}

// GetStateRange implements ledger.Simulator. It notes what the iterator yields, as far as it is read. A paginated query is
// refused after a write, and after it every write is refused.
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
		if err := s.past.beforePage(r.PageSize); err != nil {
			return nil, err
		}
	}
	it := newRangeIterator(&s.view, namespace, r)
	set.ranges = append(set.ranges, it)
	return it, nil
}

// Done implements ledger.Simulator. It closes the iterators that are still open, and may be called more than once.
func (s *Simulator) Done() {
	if s.view.closed {
		return
	}
	s.view.closed = true
	s.notes.closeRanges()
	s.view.close()
}

// namespace returns what was noted of a namespace so far, for a method that goes on with it.
func (s *Simulator) namespace(name string) (*namespaceSet, error) {
	if s.view.closed {
		return nil, errDone
	}
	return s.notes.namespace(name)
}

// beforeWrite returns an error if the transaction must not write a key.
func (s *Simulator) beforeWrite(namespace, collection, key string) error {
	if err := s.past.beforeWrite(); err != nil {
		return err
	}
	return s.view.ledger.keys.checkKey(namespace, collection, key)
}
