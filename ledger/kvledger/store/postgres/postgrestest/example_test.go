//go:build unix

package postgrestest_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

func ExampleStart() {
	server, err := postgrestest.Start(postgrestest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Stop()
	s, err := postgres.Open(context.Background(), postgres.Config{URL: server.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the store is open; close:", s.Close())
	// Output: the store is open; close: <nil>
}
