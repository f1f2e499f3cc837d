package kvledgertest

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	fabric "github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// testBlocks has two providers of a store commit blocks at the same time, and a subscription follow them. One of the blocks is
// so large that it is kept in parts. All must be found, and form one chain.
func testBlocks(t *testing.T, s store.Store) {
	const each = 8
	ledgers := []*kvledger.Ledger{OpenLedger(t, s, "mychannel"), OpenLedger(t, s, "mychannel")}
	var committers sync.WaitGroup
	defer committers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for n, l := range ledgers {
		committers.Go(func() {
			if err := commitBlocks(t.Context(), l, n, each); err != nil {
				t.Error(err)
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		committers.Wait()
		if height, err := ledgers[1].Height(ctx); err != nil || height < uint64(len(ledgers)*each) {
			cancel() // a store that loses blocks must not have the subscription wait for ever
		}
	}()
	defer func() { <-ended }()
	sub := ledgers[0].Subscribe(0)
	defer sub.Close()
	var previous *pb.BlockHeader
	for number := range uint64(len(ledgers) * each) {
		b, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("block %d: %v", number, err)
		}
		if err := fabric.Check(b.Message(), number, previous); err != nil {
			t.Error(err)
		}
		if err := findBlock(t.Context(), ledgers[1], b); err != nil {
			t.Errorf("block %d: %v", number, err)
		}
		previous = b.Header
	}
	hash, err := fabric.HeaderHash(previous)
	if err != nil {
		t.Fatal(err)
	}
	info, err := ledgers[1].Info(t.Context())
	if err != nil || info.Height != uint64(len(ledgers)*each) || !bytes.Equal(info.CurrentBlockHash, hash) || !bytes.Equal(info.PreviousBlockHash, previous.GetPreviousHash()) {
		t.Errorf("info is %+v, %v, want the hash %x", info, err, hash)
	}
}

// commitBlocks commits some blocks, the last of which is large.
func commitBlocks(ctx context.Context, l *kvledger.Ledger, committer, n int) error {
	for i := range n {
		const txs = 3
		size := 100
		if i == n-1 {
			size = 150 << 10
		}
		b := kvledger.Block{Metadata: [][]byte{fmt.Appendf(nil, "signatures %d.%d", committer, i)}}
		for range 2 {
			b.Transactions = append(b.Transactions, kvledger.Transaction{Envelope: bytes.Repeat([]byte{byte(i)}, size), Code: kvledger.InvalidOtherReason})
		}
		for j := range txs {
			b.Transactions = append(b.Transactions, kvledger.Transaction{
				TxID: fmt.Sprintf("%d.%d.%d", committer, i, j), Timestamp: time.Unix(int64(i), int64(j)), RWSet: []byte{},
			})
		}
		if codes, err := l.Commit(ctx, b); err != nil || codes[txs+1] != kvledger.Valid {
			return errors.Errorf("commit: %v, %v", codes, err)
		}
	}
	return nil
}

// findBlock finds a block in every other way.
func findBlock(ctx context.Context, l *kvledger.Ledger, want *kvledger.CommittedBlock) error {
	hash, err := fabric.HeaderHash(want.Header)
	if err != nil {
		return err
	}
	last := want.Transactions[len(want.Transactions)-1]
	byHash, err := l.BlockByHash(ctx, hash)
	if err != nil {
		return err
	}
	byTxID, err := l.BlockByTxID(ctx, last.TxID)
	if err != nil {
		return err
	}
	byNumber, err := l.Block(ctx, want.Number)
	if err != nil {
		return err
	}
	for _, got := range []*kvledger.CommittedBlock{byHash, byTxID, byNumber} {
		if !proto.Equal(got.Message(), want.Message()) || !reflect.DeepEqual(got.Transactions, want.Transactions) {
			return errors.Errorf("it is read as %.300v, want %.300v", got, want)
		}
	}
	tx, err := l.Transaction(ctx, last.TxID)
	if err != nil || !reflect.DeepEqual(*tx, last) {
		return errors.Errorf("transaction %q is read as %.300v, %v, want %.300v", last.TxID, tx, err, last)
	}
	return nil
}
