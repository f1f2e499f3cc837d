package kvledger_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

var someTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func Example() {
	ctx := context.Background()
	l, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	// What chaincode does: read, write. What its peer does: commit what that has come to.
	for _, colour := range []string{"blue", "red"} {
		sim, err := kvledgertest.Simulate(ctx, l, colour)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer sim.Done()
		before, err := sim.GetState(ctx, "asset", "colour")
		if err != nil {
			fmt.Println(err)
			return
		}
		if err := sim.SetState(ctx, "asset", "colour", []byte(colour)); err != nil {
			fmt.Println(err)
			return
		}
		results, err := sim.Results(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		code, err := l.CommitTx(ctx, kvledger.Transaction{TxID: colour, Timestamp: someTime, RWSet: results.RWSet})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%q to %q: %v\n", before, colour, code)
	}
	// Output:
	// "" to "blue": VALID
	// "blue" to "red": VALID
}

// What is private is not in the public read/write set, and is committed by those who are given it.
func ExampleTransaction_privateData() {
	ctx := context.Background()
	l, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	sim, err := kvledgertest.Simulate(ctx, l, "tx1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sim.Done()
	if err := sim.SetPrivateData(ctx, "asset", "prices", "a1", []byte(`{"price":7}`)); err != nil {
		fmt.Println(err)
		return
	}
	results, err := sim.Results(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, private := range [][]byte{nil, results.PrivateRWSet} {
		tx := kvledger.Transaction{TxID: fmt.Sprint(len(private)), RWSet: results.RWSet, PrivateRWSet: private}
		code, err := l.CommitTx(ctx, tx)
		if err != nil {
			fmt.Println(err)
			return
		}
		after, err := kvledgertest.Simulate(ctx, l, "tx2")
		if err != nil {
			fmt.Println(err)
			return
		}
		price, err := after.GetPrivateData(ctx, "asset", "prices", "a1")
		fmt.Printf("%v: %s, %v\n", code, price, err)
		after.Done()
	}
	// Output:
	// VALID: , private data matching public hash version is not available. Public hash version = {BlockNum: 0, TxNum: 0}, Private data version = <nil>
	// VALID: {"price":7}, <nil>
}

// A ledger that is given read/write sets makes blocks of them. They are read in the form in which Fabric's peers have them.
func ExampleLedger_Subscribe() {
	ctx := context.Background()
	l, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"tx1", "tx2"} {
		if _, err := l.CommitTx(ctx, kvledger.Transaction{TxID: id, Timestamp: someTime, RWSet: []byte{}}); err != nil {
			fmt.Println(err)
			return
		}
	}
	blocks := l.Subscribe(0)
	defer blocks.Close()
	for range 2 {
		b, err := blocks.Next(ctx) // a third call would wait for the next block
		if err != nil {
			fmt.Println(err)
			return
		}
		tx, err := b.Transactions[0].Parse()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("block %d, previous hash of %d bytes: %s is %v\n", b.Number, len(b.Header.GetPreviousHash()), tx.TxID, b.Transactions[0].Code)
	}
	// Output:
	// block 0, previous hash of 0 bytes: tx1 is VALID
	// block 1, previous hash of 32 bytes: tx2 is VALID
}
