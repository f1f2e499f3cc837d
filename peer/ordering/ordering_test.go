package ordering_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// letter is an envelope with some data in it.
func letter(t testing.TB, typ pb.HeaderType, data []byte) []byte {
	t.Helper()
	header := &pb.Header{ChannelHeader: marshal(t, &pb.ChannelHeader{Type: int32(typ), ChannelId: "mychannel"})}
	return marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: header, Data: data})})
}

// sized is an envelope of a size, as batches count it, and with a mark.
func sized(t testing.TB, size int, mark byte) []byte {
	t.Helper()
	payload := marshal(t, &pb.Payload{Header: &pb.Header{ChannelHeader: marshal(t, &pb.ChannelHeader{Type: 3, ChannelId: "mychannel"})}, Data: []byte{mark}})
	if size < len(payload) {
		t.Fatalf("an envelope has at least %d bytes", len(payload))
	}
	return marshal(t, &pb.Envelope{Payload: payload, Signature: make([]byte, size-len(payload))})
}

// newOrderer returns an orderer of channel mychannel, which the test closes.
func newOrderer(t testing.TB, cfg ordering.Config, c ordering.Channel) *ordering.Orderer {
	t.Helper()
	o, err := ordering.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	c.ID = "mychannel"
	if err := o.AddChannel(c); err != nil {
		t.Fatal(err)
	}
	return o
}

func deliver(t testing.TB, o *ordering.Orderer, from uint64) ordering.Blocks {
	t.Helper()
	blocks, err := o.Deliver(t.Context(), "mychannel", from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(blocks.Close)
	return blocks
}

func next(t testing.TB, blocks ordering.Blocks) *pb.Block {
	t.Helper()
	b, err := blocks.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func broadcast(t testing.TB, o *ordering.Orderer, envelopes ...[]byte) {
	t.Helper()
	for _, e := range envelopes {
		if err := o.Broadcast(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// TestChain follows the head of a ledger, and checks what an orderer says in a block beside its envelopes.
func TestChain(t *testing.T) {
	signer := member(t, newMSP(t, "OrdererMSP"), identity.Config{CommonName: "orderer", OUs: []string{"orderer"}})
	head, err := block.New(6, &pb.BlockHeader{Number: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := newOrderer(t, ordering.Config{Signer: signer}, ordering.Channel{Head: ordering.Head{Header: head.GetHeader(), LastConfig: 4}})
	blocks := deliver(t, o, 7)
	broadcast(t, o, sized(t, 100, 'a'), sized(t, 100, 'b'))
	first, second := next(t, blocks), next(t, blocks)
	for i, b := range []*pb.Block{first, second} {
		if err := block.Check(b, uint64(7+i), []*pb.BlockHeader{head.GetHeader(), first.GetHeader()}[i]); err != nil {
			t.Error(err)
		}
	}
	if got := first.GetData().GetData(); len(got) != 1 || !bytes.Equal(got[0], sized(t, 100, 'a')) {
		t.Errorf("block has %x", got)
	}
	checkMetadata(t, first, signer)
}

func checkMetadata(t *testing.T, b *pb.Block, signer *identity.Identity) {
	t.Helper()
	var (
		old, now pb.Metadata
		last     pb.LastConfig
		value    pb.OrdererBlockMetadata
		by       pb.SignatureHeader
	)
	slots := b.GetMetadata().GetMetadata()
	unmarshal(t, slots[pb.BlockMetadataIndex_LAST_CONFIG], &old)
	unmarshal(t, old.GetValue(), &last)
	unmarshal(t, slots[pb.BlockMetadataIndex_SIGNATURES], &now)
	unmarshal(t, now.GetValue(), &value)
	if last.GetIndex() != 4 || value.GetLastConfig().GetIndex() != 4 {
		t.Errorf("last configuration is in block %d, for old readers %d", value.GetLastConfig().GetIndex(), last.GetIndex())
	}
	if len(now.GetSignatures()) != 1 {
		t.Fatalf("signatures are %v", now.GetSignatures())
	}
	s := now.GetSignatures()[0]
	unmarshal(t, s.GetSignatureHeader(), &by)
	header, err := block.HeaderBytes(b.GetHeader())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(by.GetCreator(), signer.Creator()) || len(by.GetNonce()) != 24 {
		t.Errorf("signature header is %v", &by)
	}
	if !signedBy(t, signer, append(append(now.GetValue(), s.GetSignatureHeader()...), header...), s.GetSignature()) {
		t.Error("signature is wrong")
	}
	if len(slots) != 5 || len(slots[pb.BlockMetadataIndex_TRANSACTIONS_FILTER]) != 0 {
		t.Errorf("metadata are %x", slots)
	}
}

func unmarshal(t testing.TB, b []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
}

// TestReadersOwnMetadata has two peers write into the block that they get.
func TestReadersOwnMetadata(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{})
	one, two := deliver(t, o, 0), deliver(t, o, 0)
	broadcast(t, o, sized(t, 100, 'a'))
	next(t, one).GetMetadata().GetMetadata()[pb.BlockMetadataIndex_TRANSACTIONS_FILTER] = []byte{0}
	if f := next(t, two).GetMetadata().GetMetadata()[pb.BlockMetadataIndex_TRANSACTIONS_FILTER]; f != nil {
		t.Errorf("the other reader's filter is %x", f)
	}
}

func TestClose(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{Batch: ordering.Batch{Timeout: time.Hour}})
	blocks, closed := deliver(t, o, 0), deliver(t, o, 0)
	closed.Close()
	closed.Close()
	if _, err := closed.Next(t.Context()); !errors.Is(err, ordering.ErrClosed) {
		t.Errorf("closed reader: %v", err)
	}
	broadcast(t, o, sized(t, 100, 'a'))
	o.Close()
	o.Close()
	for _, reader := range []ordering.Blocks{blocks, deliver(t, o, 0)} {
		if n := len(next(t, reader).GetData().GetData()); n != 1 {
			t.Errorf("what was pending is a block of %d", n)
		}
	}
	if _, err := blocks.Next(t.Context()); !errors.Is(err, ordering.ErrClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	var refusal *ordering.Error
	if err := o.Broadcast(t.Context(), sized(t, 100, 'b')); !errors.As(err, &refusal) || refusal.Status != ordering.ServiceUnavailable {
		t.Errorf("Broadcast after Close: %v", err)
	}
	if err := o.AddChannel(ordering.Channel{ID: "other"}); !errors.Is(err, ordering.ErrClosed) {
		t.Errorf("AddChannel after Close: %v", err)
	}
}

func TestChannels(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{})
	if err := o.AddChannel(ordering.Channel{ID: "mychannel"}); err == nil {
		t.Error("a channel is added twice")
	}
	if err := o.AddChannel(ordering.Channel{ID: "b"}); err != nil {
		t.Fatal(err)
	}
	if ids := o.Channels(); len(ids) != 2 || ids[0] != "b" || ids[1] != "mychannel" {
		t.Errorf("channels are %v", ids)
	}
	blocks := deliver(t, o, 0)
	o.RemoveChannel("mychannel")
	o.RemoveChannel("mychannel")
	if _, err := blocks.Next(t.Context()); !errors.Is(err, ordering.ErrClosed) {
		t.Errorf("reader of a channel that is removed: %v", err)
	}
	_, err := o.Deliver(t.Context(), "mychannel", 0)
	var refusal *ordering.Error
	if !errors.As(err, &refusal) || refusal.Status != ordering.NotFound {
		t.Errorf("Deliver of an unknown channel: %v", err)
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]ordering.Config{
		"room":     {MaxWaitingBytes: -1},
		"patience": {Patience: -1},
	} {
		if _, err := ordering.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	o := newOrderer(t, ordering.Config{}, ordering.Channel{})
	for name, c := range map[string]ordering.Channel{
		"no ID":                {},
		"Writers, no Verifier": {ID: "c", Writers: nobody{}},
		"negative count":       {ID: "c", Batch: ordering.Batch{MaxMessageCount: -1}},
		"negative timeout":     {ID: "c", Batch: ordering.Batch{Timeout: -1}},
		"preferred > absolute": {ID: "c", Batch: ordering.Batch{PreferredMaxBytes: 2, AbsoluteMaxBytes: 1}},
		"absolute > room":      {ID: "c", Batch: ordering.Batch{AbsoluteMaxBytes: 65 << 20}},
	} {
		if err := o.AddChannel(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

type nobody struct{}

func (nobody) Evaluate([]*identity.Verified) error { return errors.New("nobody may") }

// brokenSigner can't sign.
type brokenSigner struct{}

func (brokenSigner) Creator() []byte             { return []byte("creator") }
func (brokenSigner) Sign([]byte) ([]byte, error) { return nil, errors.New("no key") }

// TestSignerFails is the end of the channel.
func TestSignerFails(t *testing.T) {
	o := newOrderer(t, ordering.Config{Signer: brokenSigner{}}, ordering.Channel{})
	blocks := deliver(t, o, 0)
	for range 2 {
		err := o.Broadcast(t.Context(), sized(t, 100, 'a'))
		var refusal *ordering.Error
		if !errors.As(err, &refusal) || refusal.Status != ordering.ServiceUnavailable || refusal.Text != "chain is stopped" {
			t.Errorf("Broadcast: %v", err)
		}
	}
	if _, err := blocks.Next(t.Context()); err == nil || errors.Is(err, ordering.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
}

// TestContexts ends Next, and readers.
func TestContexts(t *testing.T) {
	o := newOrderer(t, ordering.Config{}, ordering.Channel{})
	ctx, cancel := context.WithCancel(t.Context())
	blocks, err := o.Deliver(ctx, "mychannel", 0)
	if err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithCancel(t.Context())
	cancelShort()
	if _, err := blocks.Next(short); !errors.Is(err, context.Canceled) {
		t.Errorf("Next whose context has ended: %v", err)
	}
	broadcast(t, o, sized(t, 100, 'a'))
	if b := next(t, blocks); b.GetHeader().GetNumber() != 0 {
		t.Errorf("after that, Next gives block %d", b.GetHeader().GetNumber())
	}
	cancel()
	if _, err := blocks.Next(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("Next of a reader whose context has ended: %v", err)
	}
}
