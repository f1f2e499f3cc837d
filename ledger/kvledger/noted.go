package kvledger

import (
	"cmp"
	"context"
	"slices"

	"github.com/ccpeer/ccpeer/internal/portions"
)

// noted is what a transaction noted of keys. It is a map that holds the first few entries in place, because most
// transactions touch few keys, and a map costs two allocations. Its zero value is empty.
type noted[V any] struct {
	n    int // how many entries few has
	few  [4]entry[V]
	many map[string]V // all entries, once few is too small
}

type entry[V any] struct {
	key   string
	value V
}

// set notes a value of a key. It replaces what was noted of the key before.
func (m *noted[V]) set(key string, value V) {
	if m.many != nil {
		m.many[key] = value
		return
	}
	for i := range m.n {
		if m.few[i].key == key {
			m.few[i].value = value
			return
		}
	}
	if m.n < len(m.few) {
		m.few[m.n] = entry[V]{key, value}
		m.n++
		return
	}
	m.many = make(map[string]V, 2*len(m.few))
	for _, e := range m.few {
		m.many[e.key] = e.value
	}
	m.many[key] = value
}

// has reports whether anything was noted of a key.
func (m *noted[V]) has(key string) bool {
	if m.many != nil {
		_, ok := m.many[key]
		return ok
	}
	for i := range m.n {
		if m.few[i].key == key {
			return true
		}
	}
	return false
}

// sorted returns what was noted, by key. There may be millions of entries, so it stops when ctx ends. All are taken for equal
// then, which soon ends a sort.
func (m *noted[V]) sorted(ctx context.Context) ([]entry[V], error) {
	all := slices.Clone(m.few[:m.n])
	if m.many != nil {
		all = make([]entry[V], 0, len(m.many))
		for key, value := range m.many {
			if err := portions.Look(ctx, len(all)); err != nil {
				return nil, err
			}
			all = append(all, entry[V]{key, value})
		}
	}
	var ended error
	compared := 0
	slices.SortFunc(all, func(a, b entry[V]) int {
		if compared++; ended == nil {
			ended = portions.Look(ctx, compared)
		}
		if ended != nil {
			return 0
		}
		return cmp.Compare(a.key, b.key)
	})
	return all, ended
}
