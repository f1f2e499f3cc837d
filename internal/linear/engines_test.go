package linear_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

// engines open as many stores as are asked for on the same empty data: a store of its own for each provider, where the
// engine allows it, as two processes would have.
var engines = []struct {
	name string
	open func(t *testing.T, n int) []store.Store
}{
	{"memory", shared(func(*testing.T) (store.Store, error) { return memory.New(), nil })},
	{"pebble", shared(func(t *testing.T) (store.Store, error) {
		return pebble.Open(pebble.Config{Dir: t.TempDir(), CacheSize: 8 << 20})
	})},
	{"postgres", openPostgres},
	{"etcd", openEtcd},
}

// shared is for an engine that allows one store.
func shared(open func(t *testing.T) (store.Store, error)) func(t *testing.T, n int) []store.Store {
	return func(t *testing.T, n int) []store.Store {
		s := closed(t)(open(t))
		stores := make([]store.Store, n)
		for i := range stores {
			stores[i] = s
		}
		return stores
	}
}

func openPostgres(t *testing.T, n int) []store.Store {
	server, err := postgrestest.Start(postgrestest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	var stores []store.Store
	for range n {
		s, err := postgres.Open(t.Context(), postgres.Config{URL: server.URL()})
		stores = append(stores, closed(t)(s, err))
	}
	return stores
}

func openEtcd(t *testing.T, n int) []store.Store {
	cluster, err := etcdtest.Start(t.Context(), etcdtest.Config{Nodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	var stores []store.Store
	for range n {
		s, err := etcd.Open(t.Context(), etcd.Config{Endpoints: cluster.Endpoints()})
		stores = append(stores, closed(t)(s, err))
	}
	return stores
}

// closed sees to it that a store is closed, if it was opened.
func closed(t *testing.T) func(s store.Store, err error) store.Store {
	return func(s store.Store, err error) store.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}
