package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

// engine is a store to measure. What is durable syncs every block.
type engine struct {
	name string
	note string
	// open starts what the store needs. end, which is never nil, ends all of it.
	open func(ctx context.Context) (s store.Store, end func() error, err error)
	// local says that simulations and queries are measured: that there is no network in between.
	local bool
}

func engines() []engine {
	return []engine{
		{"memory", "", openMemory, true},
		{"pebble", "", openPebble, true},
		{"postgres", "one server, a Unix socket", openPostgres, false},
		{"etcd", "three nodes on this machine", openEtcd, false},
	}
}

func engineNames() []string {
	var names []string
	for _, e := range engines() {
		names = append(names, e.name)
	}
	return names
}

func engineNamed(name string) (engine, error) {
	for _, e := range engines() {
		if e.name == name {
			return e, nil
		}
	}
	return engine{}, errors.Errorf("there is no store %q, only %q", name, engineNames())
}

func nothing() error { return nil }

func openMemory(context.Context) (store.Store, func() error, error) {
	s := memory.New()
	return s, s.Close, nil
}

func openPebble(context.Context) (store.Store, func() error, error) {
	dir, err := os.MkdirTemp("", "benchledger")
	if err != nil {
		return nil, nothing, errors.Wrap(err, "make data folder")
	}
	remove := func() error { return os.RemoveAll(dir) }
	s, err := pebble.Open(pebble.Config{Dir: filepath.Join(dir, "ledger")})
	if err != nil {
		return nil, remove, err
	}
	return s, both(s.Close, remove), nil
}

func openPostgres(ctx context.Context) (store.Store, func() error, error) {
	server, err := postgrestest.Start(postgrestest.Config{})
	if err != nil {
		return nil, nothing, err
	}
	stop := func() error { server.Stop(); return nil }
	s, err := postgres.Open(ctx, postgres.Config{URL: server.URL()})
	if err != nil {
		return nil, stop, err
	}
	return s, both(s.Close, stop), nil
}

func openEtcd(ctx context.Context) (store.Store, func() error, error) {
	cluster, err := etcdtest.Start(ctx, etcdtest.Config{Nodes: 3})
	if err != nil {
		return nil, nothing, err
	}
	s, err := etcd.Open(ctx, etcd.Config{Endpoints: cluster.Endpoints()})
	if err != nil {
		return nil, cluster.Stop, err
	}
	return s, both(s.Close, cluster.Stop), nil
}

// both does one after the other, and returns the first error.
func both(first, second func() error) func() error {
	return func() error {
		err := first()
		if err2 := second(); err == nil {
			err = err2
		}
		return err
	}
}
