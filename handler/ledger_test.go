package handler_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ccpeer/ccpeer/ledger"
)

// memory is a small ledger: a map of namespace/key, filled before it is used, and each key's history.
type memory struct {
	state    map[string]string
	history  map[string][]ledger.KeyModification
	metadata map[string]map[string][]byte
	plain    bool                            // simulators have no optional interface
	last     atomic.Pointer[memorySimulator] // that was made
}

var _ ledger.Ledger = (*memory)(nil)

func newMemory() *memory {
	return &memory{state: map[string]string{}, history: map[string][]ledger.KeyModification{}, metadata: map[string]map[string][]byte{}}
}

// put commits a value, or a delete if it is empty.
func (m *memory) put(namespace, key, value string) {
	name := namespace + "/" + key
	m.state[name] = value
	if value == "" {
		delete(m.state, name)
	}
	m.history[name] = slices.Insert(m.history[name], 0, ledger.KeyModification{
		TxID: "committed", Value: []byte(value), Timestamp: time.Unix(1, 2), IsDelete: value == "",
	})
}

func (m *memory) NewSimulator(context.Context, string) (ledger.Simulator, error) {
	s := &memorySimulator{m: m, writes: map[string]string{}}
	m.last.Store(s)
	if m.plain {
		return fiveMethods{s}, nil
	}
	return fullSimulator{s}, nil
}

// fiveMethods is a simulator without what it has beyond those of ledger.Simulator.
type fiveMethods struct{ ledger.Simulator }

// memorySimulator reads the map and collects writes.
type memorySimulator struct {
	m      *memory
	writes map[string]string
}

var (
	_ ledger.Simulator     = (*memorySimulator)(nil)
	_ ledger.HistoryReader = (*memorySimulator)(nil)
)

func (s *memorySimulator) GetState(_ context.Context, namespace, key string) ([]byte, error) {
	v, ok := s.m.state[namespace+"/"+key]
	if !ok {
		return nil, nil
	}
	return []byte(v), nil
}

func (s *memorySimulator) SetState(_ context.Context, namespace, key string, value []byte) error {
	s.writes[namespace+"/"+key] = string(value)
	return nil
}

func (s *memorySimulator) DeleteState(_ context.Context, namespace, key string) error {
	s.writes[namespace+"/"+key] = ""
	return nil
}

func (s *memorySimulator) GetStateRange(_ context.Context, namespace string, r ledger.Range) (ledger.Iterator, error) {
	it := &memoryIterator[ledger.KV]{}
	for name, value := range s.m.state {
		key, ok := strings.CutPrefix(name, namespace+"/")
		if ok && key >= r.Start && (r.End == "" || key < r.End) {
			it.rest = append(it.rest, &ledger.KV{Namespace: namespace, Key: key, Value: []byte(value)})
		}
	}
	slices.SortFunc(it.rest, func(a, b *ledger.KV) int { return strings.Compare(a.Key, b.Key) })
	return it, nil
}

func (s *memorySimulator) GetHistoryForKey(_ context.Context, namespace, key string) (ledger.HistoryIterator, error) {
	it := &memoryIterator[ledger.KeyModification]{}
	for _, m := range s.m.history[namespace+"/"+key] {
		it.rest = append(it.rest, &m)
	}
	return it, nil
}

func (s *memorySimulator) Done() {}

type memoryIterator[T any] struct{ rest []*T }

func (it *memoryIterator[T]) Next(context.Context) (*T, error) {
	if len(it.rest) == 0 {
		return nil, nil
	}
	next := it.rest[0]
	it.rest = it.rest[1:]
	return next, nil
}

func (it *memoryIterator[T]) Close() {}
