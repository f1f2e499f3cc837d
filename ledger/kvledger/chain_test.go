package kvledger_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// checkChain reads all blocks of a ledger, in every way, and checks their hashes with package block.
func checkChain(t testing.TB, l *kvledger.Ledger) []*kvledger.CommittedBlock {
	t.Helper()
	info, err := l.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []*kvledger.CommittedBlock
	var previous *pb.BlockHeader
	var hash, hashBefore []byte
	for number := range info.Height {
		b, err := l.Block(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if err := block.Check(b.Message(), number, previous); err != nil {
			t.Error(err)
		}
		hashBefore = hash
		if hash, err = block.HeaderHash(b.Header); err != nil {
			t.Fatal(err)
		}
		byHash, err := l.BlockByHash(t.Context(), hash)
		if err != nil || !proto.Equal(byHash.Message(), b.Message()) || !reflect.DeepEqual(byHash.Transactions, b.Transactions) {
			t.Errorf("block %d by its hash is %+v, %v", number, byHash, err)
		}
		filter := b.Metadata[pb.BlockMetadataIndex_TRANSACTIONS_FILTER]
		for i, tx := range b.Transactions {
			if filter[i] != byte(tx.Code) {
				t.Errorf("transaction %d of block %d has the code %v, and in the block %d", i, number, tx.Code, filter[i])
			}
		}
		if (len(b.Metadata[pb.BlockMetadataIndex_COMMIT_HASH]) == 0) != (number == 0) || len(filter) != len(b.Transactions) {
			t.Errorf("metadata of block %d are %x", number, b.Metadata)
		}
		all, previous = append(all, b), b.Header
	}
	if !bytes.Equal(info.CurrentBlockHash, hash) || !bytes.Equal(info.PreviousBlockHash, hashBefore) {
		t.Errorf("info has the hashes %x and %x, want %x and %x", info.CurrentBlockHash, info.PreviousBlockHash, hash, hashBefore)
	}
	return all
}

// configEnvelope returns the envelope of a channel's configuration.
func configEnvelope(t testing.TB, txID string) []byte {
	t.Helper()
	return envelopeWith(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_CONFIG), ChannelId: "mychannel", TxId: txID}, []byte("config"))
}

func envelopeWith(t testing.TB, h *pb.ChannelHeader, data []byte) []byte {
	t.Helper()
	return marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: &pb.Header{ChannelHeader: marshal(t, h)}, Data: data}), Signature: []byte("s")})
}

// TestOrderedBlocks commits blocks that an ordering service has made, with all that may stand in them.
func TestOrderedBlocks(t *testing.T) {
	l := openMemory(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	endorsed := kvledger.Transaction{TxID: "a", Timestamp: at, RWSet: simulate(t, l, get("k"), put("k", "1"))}
	endorsed.Envelope, endorsed.RWSet = envelopeOf(t, endorsed), nil
	both := kvledger.Transaction{TxID: "b", Timestamp: at, RWSet: simulate(t, l, put("k2", "2"))}
	both.Envelope = envelopeOf(t, both)
	blocks := [][]kvledger.Transaction{
		{{Envelope: configEnvelope(t, "")}},
		{
			endorsed, both,
			{Envelope: []byte{}, Code: 2},                                   // an empty entry
			{Envelope: []byte("garbage"), Code: 255},                        // without an ID
			{Envelope: []byte("garbage"), Code: 255},                        // again
			{TxID: "\xff", Envelope: []byte("garbage"), Code: 8},            // an ID that is none
			{TxID: strings.Repeat("x", 2000), Envelope: []byte{1}, Code: 8}, // or too long
			{TxID: "c", Envelope: envelopeWith(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_ENDORSER_TRANSACTION)}, nil)},
		},
		{{TxID: "config", Envelope: configEnvelope(t, "config")}, {TxID: "config", Envelope: configEnvelope(t, "config")}},
	}
	want := [][]kvledger.ValidationCode{codes(valid), {valid, valid, 2, 255, 255, 8, 8, kvledger.BadRWSet}, codes(valid, valid)}
	var previous *pb.BlockHeader
	for i, txs := range blocks {
		var data [][]byte
		for _, tx := range txs {
			data = append(data, tx.Envelope)
		}
		ordered, err := block.New(uint64(i), previous, data)
		if err != nil {
			t.Fatal(err)
		}
		metadata := [][]byte{[]byte("signatures"), []byte("last config"), []byte("what the orderer thinks"), []byte("orderer"), []byte("of another"), []byte("sixth")}
		given := fmt.Sprint(ordered.Header, metadata, txs)
		got, err := l.Commit(t.Context(), kvledger.Block{Header: ordered.Header, Metadata: metadata, Transactions: txs})
		if err != nil || !reflect.DeepEqual(got, want[i]) {
			t.Fatalf("codes of block %d are %v, %v, want %v", i, got, err, want[i])
		}
		if fmt.Sprint(ordered.Header, metadata, txs) != given {
			t.Error("what was given is modified")
		}
		previous = ordered.Header
		b, err := l.Block(t.Context(), uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(b.Header, ordered.Header) || !reflect.DeepEqual(b.Message().Data.Data, data) {
			t.Errorf("block %d is read as %+v", i, b)
		}
		for _, slot := range []int{0, 1, 3, 5} {
			if !bytes.Equal(b.Metadata[slot], metadata[slot]) {
				t.Errorf("metadata %d are %q, want %q", slot, b.Metadata[slot], metadata[slot])
			}
		}
	}
	checkChain(t, l)
	if state(t, l, "k") != "1" || state(t, l, "k2") != "2" {
		t.Error("what the envelopes have written isn't there")
	}
	tx, err := l.Transaction(t.Context(), "a")
	if err != nil || !bytes.Equal(tx.RWSet, simulate(t, openMemory(t), get("k"), put("k", "1"))) {
		t.Errorf("transaction a is %+v, %v", tx, err)
	}
	if tx, err := l.Transaction(t.Context(), "config"); err != nil || tx.RWSet != nil {
		t.Errorf("the configuration is %+v, %v", tx, err)
	} else if _, err := tx.Parse(); err == nil {
		t.Error("a configuration is parsed")
	}
	for _, txID := range []string{"", "\xff", strings.Repeat("x", 2000)} {
		if _, err := l.Transaction(t.Context(), txID); !errors.Is(err, kvledger.ErrNotFound) {
			t.Errorf("transaction %.10q: %v", txID, err)
		}
	}
	b, err := l.BlockByTxID(t.Context(), "b")
	if err != nil || b.Number != 1 {
		t.Errorf("the block of b is %+v, %v", b, err)
	}
	for _, err := range []error{
		second(l.BlockByTxID(t.Context(), "d")), second(l.BlockByHash(t.Context(), []byte("no hash"))), second(l.BlockByHash(t.Context(), nil)),
	} {
		if !errors.Is(err, kvledger.ErrNotFound) {
			t.Errorf("what is not committed: %v", err)
		}
	}
}

// TestRefusedBlocks commits blocks that don't continue the chain, or contradict themselves. They leave nothing.
func TestRefusedBlocks(t *testing.T) {
	l := openMemory(t)
	commit(t, l, simulate(t, l, put("k", "1")))
	info, err := l.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tx := kvledger.Transaction{TxID: "tx", RWSet: simulate(t, l, put("k", "2"))}
	tx.Envelope = envelopeOf(t, tx)
	hash := block.DataHash(&pb.BlockData{Data: [][]byte{tx.Envelope}})
	header := func(number uint64, previous, data []byte) *pb.BlockHeader {
		return &pb.BlockHeader{Number: number, PreviousHash: previous, DataHash: data}
	}
	other := tx
	other.RWSet = simulate(t, l, put("k", "3"))
	for want, b := range map[string]kvledger.Block{
		"block has number 0, but the ledger's next block is 1":                          {Header: header(0, info.CurrentBlockHash, hash)},
		"block has number 2, but the ledger's next block is 1":                          {Header: header(2, info.CurrentBlockHash, hash)},
		"block 1 has the previous hash 6f, but the block before it":                     {Header: header(1, []byte("o"), hash)},
		"block 1 has the previous hash , but the block before it":                       {Header: header(1, nil, hash)},
		"block 1 has the data hash 6f, but its data have":                               {Header: header(1, info.CurrentBlockHash, []byte("o"))},
		"transaction 0 of the block: the read/write set is not the one in the envelope": {Transactions: []kvledger.Transaction{other}},
		"transaction 0 of the block: it has the ID \"\", which must be":                 {Transactions: []kvledger.Transaction{{Envelope: tx.Envelope}}},
		"transaction 0 of the block: code 256 is none that a block can hold":            {Transactions: []kvledger.Transaction{{TxID: "tx", Code: 256}}},
		"transaction 0 of the block: code -1 is none":                                   {Transactions: []kvledger.Transaction{{TxID: "tx", Code: -1}}},
		"transaction 0 of the block: it has the ID \"\\xff\"":                           {Transactions: []kvledger.Transaction{{TxID: "\xff", Code: 2}}},
	} {
		if b.Transactions == nil {
			b.Transactions = []kvledger.Transaction{tx}
		}
		if _, err := l.Commit(t.Context(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("commit: %v, want %s", err, want)
		}
	}
	again, err := l.Info(t.Context())
	if err != nil || !reflect.DeepEqual(again, info) || state(t, l, "k") != "1" {
		t.Errorf("a refused block leaves %+v, %v", again, err)
	}
	good := kvledger.Block{Header: header(1, info.CurrentBlockHash, hash), Transactions: []kvledger.Transaction{tx}}
	if codes, err := l.Commit(t.Context(), good); err != nil || codes[0] != valid {
		t.Fatal(codes, err)
	}
	checkChain(t, l)
}

// TestBlocksAtRandom commits blocks of anything, and reads back what was committed.
func TestBlocksAtRandom(t *testing.T) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("the seed is %d", seed)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	anything := func() []byte {
		b := make([]byte, random.IntN(500))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		if random.IntN(20) == 0 { // so that some blocks have several parts
			b = bytes.Repeat(b, 500)
		}
		return b
	}
	l := openMemory(t)
	var blocks []kvledger.Block
	for n := range 60 {
		var b kvledger.Block
		for i := range random.IntN(12) {
			tx := kvledger.Transaction{TxID: fmt.Sprintf("tx%d.%d", n, i), Timestamp: time.Unix(random.Int64N(1e9), random.Int64N(1e9)).UTC()}
			switch random.IntN(6) {
			case 0:
				tx.TxID, tx.Envelope, tx.Code = "", anything(), kvledger.ValidationCode(1+random.IntN(254))
			case 1:
				tx.Envelope, tx.Code = anything(), kvledger.ValidationCode(random.IntN(2))
			case 2:
				tx.RWSet = anything()
				tx.Envelope = envelopeOf(t, tx)
			case 3:
				tx.RWSet = anything()
			case 4:
				tx.TxID, tx.Envelope = "", configEnvelope(t, "")
			default:
				tx.RWSet = simulate(t, l, get("k"), put("k", fmt.Sprint(n)))
				tx.Envelope = envelopeOf(t, tx)
				if random.IntN(2) == 0 {
					tx.RWSet = nil
				}
			}
			b.Transactions = append(b.Transactions, tx)
		}
		for range random.IntN(7) {
			b.Metadata = append(b.Metadata, anything())
		}
		if _, err := l.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b)
	}
	committed := checkChain(t, l)
	if len(committed) != len(blocks) {
		t.Fatalf("%d blocks are read, want %d", len(committed), len(blocks))
	}
	for n, b := range blocks {
		sameBlock(t, committed[n], b)
	}
}

// sameBlock compares a block that was read with what was committed.
func sameBlock(t *testing.T, got *kvledger.CommittedBlock, want kvledger.Block) {
	t.Helper()
	for slot, m := range want.Metadata {
		if slot != 2 && slot != 4 && !bytes.Equal(got.Metadata[slot], m) {
			t.Errorf("metadata %d of block %d differ", slot, got.Number)
		}
	}
	if len(got.Transactions) != len(want.Transactions) || len(got.Metadata) != max(len(want.Metadata), 5) {
		t.Fatalf("block %d has %d transactions and %d metadata", got.Number, len(got.Transactions), len(got.Metadata))
	}
	for i, tx := range want.Transactions {
		read := got.Transactions[i]
		if read.TxID != tx.TxID || !read.Timestamp.Equal(tx.Timestamp) || read.Version != (kvledger.Version{Block: got.Number, Tx: uint64(i)}) {
			t.Errorf("transaction %d of block %d is read as %q, %v, %v", i, got.Number, read.TxID, read.Timestamp, read.Version)
		}
		if tx.Envelope != nil && !bytes.Equal(read.Envelope, tx.Envelope) || tx.RWSet != nil && !bytes.Equal(read.RWSet, tx.RWSet) {
			t.Errorf("transaction %d of block %d has another envelope or read/write set", i, got.Number)
		}
		if tx.Code != valid && read.Code != tx.Code {
			t.Errorf("transaction %d of block %d has the code %v, want %v", i, got.Number, read.Code, tx.Code)
		}
	}
}
