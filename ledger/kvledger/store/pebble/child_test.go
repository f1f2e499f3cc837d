package pebble_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

func writeForEver(dir string) error {
	fmt.Println("start")
	ctx := context.Background()
	s, err := pebble.Open(small(dir))
	if err != nil {
		return err
	}
	snap, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	n := snap.Head().Blocks
	snap.Close()
	for {
		if err := commitNext(ctx, s, n); err != nil {
			return err
		}
		n++
		fmt.Println(n)
	}
}

func commitForEver(dir string) error {
	fmt.Println("start")
	ctx := context.Background()
	s, err := pebble.Open(small(dir))
	if err != nil {
		return err
	}
	l, err := kvledger.NewProvider(s).Open(ctx, "mychannel")
	if err != nil {
		return err
	}
	n, err := l.Height(ctx)
	if err != nil {
		return err
	}
	for {
		if err := commitNumbered(ctx, l, n); err != nil {
			return err
		}
		n++
		fmt.Println(n)
	}
}
