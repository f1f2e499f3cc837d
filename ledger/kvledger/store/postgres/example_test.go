package postgres_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
)

// A ledger in a database with a synchronous standby: when the one server is lost and the other promoted, it goes on there.
func ExampleOpen() {
	ctx := context.Background()
	s, err := postgres.Open(ctx, postgres.Config{
		URL: "postgres://peer:secret@db1.example.org,db2.example.org/ledger?sslmode=verify-full&target_session_attrs=read-write",
	})
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
	height, err := l.Height(ctx)
	fmt.Println(height, err)
}
