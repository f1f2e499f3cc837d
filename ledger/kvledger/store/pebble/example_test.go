package pebble_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// A ledger in a folder, which is there when the peer starts again.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for range 2 {
		if err := addBlock(ctx, dir); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 1 block
	// 2 blocks
}

func addBlock(ctx context.Context, dir string) error {
	s, err := pebble.Open(pebble.Config{Dir: dir})
	if err != nil {
		return err
	}
	l, err := kvledger.NewProvider(s).Open(ctx, "mychannel")
	if err != nil {
		return err
	}
	if _, err := l.Commit(ctx, kvledger.Block{}); err != nil {
		return err
	}
	height, err := l.Height(ctx)
	if err != nil {
		return err
	}
	fmt.Println(height, map[bool]string{true: "block", false: "blocks"}[height == 1])
	return s.Close()
}
