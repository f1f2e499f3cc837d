package etcd_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd"
)

// A ledger in a cluster of three nodes: when one is lost, it goes on with the others.
func ExampleOpen() {
	ctx := context.Background()
	s, err := etcd.Open(ctx, etcd.Config{Endpoints: single.Endpoints(), Prefix: "peer1/"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = s.Close() }()
	l, err := kvledger.NewProvider(s).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := l.Commit(ctx, kvledger.Block{}); err != nil {
		fmt.Println(err)
		return
	}
	height, err := l.Height(ctx)
	fmt.Println(height, err)
	// Output: 1 <nil>
}
