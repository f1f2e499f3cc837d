package block_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBlock(t *testing.T, number uint64, previous *pb.BlockHeader, envelopes ...string) *pb.Block {
	t.Helper()
	var data [][]byte
	for _, e := range envelopes {
		data = append(data, []byte(e))
	}
	b, err := block.New(number, previous, data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNew(t *testing.T) {
	first := newBlock(t, 0, nil, "a", "b")
	second := newBlock(t, 1, first.GetHeader(), "c")
	hash, err := block.HeaderHash(first.GetHeader())
	if err != nil {
		t.Fatal(err)
	}
	if len(first.GetHeader().GetPreviousHash()) != 0 || !bytes.Equal(second.GetHeader().GetPreviousHash(), hash) {
		t.Errorf("previous hashes are %x and %x, want none and %x", first.GetHeader().GetPreviousHash(), second.GetHeader().GetPreviousHash(), hash)
	}
	if n := len(first.GetMetadata().GetMetadata()); n != 5 {
		t.Errorf("%d metadata, want 5", n)
	}
	// SHA-256 of "ab".
	if got, want := hex.EncodeToString(first.GetHeader().GetDataHash()), "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"; got != want {
		t.Errorf("data hash is %s, want %s", got, want)
	}
	if _, err := block.New(1, nil, nil); err == nil {
		t.Error("block 1 follows nothing")
	}
	if _, err := block.New(3, second.GetHeader(), nil); err == nil || !strings.Contains(err.Error(), "make block 3: the block before it has number 1") {
		t.Errorf("block 3 after block 1: %v", err)
	}
}

// A number is never negative, although DER would have room for that.
func TestHeaderBytes(t *testing.T) {
	for number, want := range map[uint64]string{
		0:              "3009020100040101040102",
		127:            "300902017f040101040102",
		128:            "300a02020080040101040102",
		math.MaxUint64: "3011020900ffffffffffffffff040101040102",
	} {
		b, err := block.HeaderBytes(&pb.BlockHeader{Number: number, PreviousHash: []byte{1}, DataHash: []byte{2}})
		if got := hex.EncodeToString(b); err != nil || got != want {
			t.Errorf("%d: %s, %v, want %s", number, got, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	first := newBlock(t, 0, nil, "a")
	other := newBlock(t, 0, nil, "b")
	good := func() *pb.Block { return newBlock(t, 1, first.GetHeader(), "c", "d") }
	if err := block.Check(good(), 1, first.GetHeader()); err != nil {
		t.Error(err)
	}
	if err := block.Check(first, 0, nil); err != nil {
		t.Error(err)
	}
	for want, b := range map[string]*pb.Block{
		"block 1 has no header":            {Data: good().GetData()},
		"block has number 0, want 1":       first,
		"block 1 has the previous hash ":   newBlock(t, 1, other.GetHeader(), "c", "d"),
		"block 1 has the data hash ":       {Header: good().GetHeader(), Data: &pb.BlockData{Data: [][]byte{[]byte("x")}}},
		"but its data have e3b0c44298fc1c": {Header: good().GetHeader()},
	} {
		if err := block.Check(b, 1, first.GetHeader()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := block.Check(good(), 2, first.GetHeader()); err == nil {
		t.Error("block 2 follows block 0")
	}
}
