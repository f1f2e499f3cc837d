package etcd_test

import (
	"testing"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storebench"
)

// BenchmarkLedger measures a store on three nodes that sync.
func BenchmarkLedger(b *testing.B) {
	open := func(b *testing.B) store.Store {
		return openStore(b, etcd.Config{Endpoints: startCluster(b, etcdtest.Config{}).Endpoints()})
	}
	storebench.Config{Open: open, Keys: 50000}.Run(b)
}
