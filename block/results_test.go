package block_test

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

func newUnsigned(t testing.TB, rwset []byte) []byte {
	t.Helper()
	b, err := block.NewUnsigned(block.Unsigned{ChannelID: "mychannel", TxID: "tx", Timestamp: time.Unix(5, 6), RWSet: rwset})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnsigned parses an envelope that nobody has signed. It is as protobuf would write it.
func TestUnsigned(t *testing.T) {
	b := newUnsigned(t, []byte("rwset"))
	tx, err := block.ParseTransaction(b)
	if err != nil {
		t.Fatal(err)
	}
	if tx.ChannelID != "mychannel" || tx.TxID != "tx" || !tx.Timestamp.Equal(time.Unix(5, 6)) || string(tx.RWSet) != "rwset" ||
		tx.Response.GetStatus() != 200 || len(tx.Creator)+len(tx.Signature)+len(tx.Args)+len(tx.Endorsements) != 0 || tx.Event != nil {
		t.Errorf("transaction is parsed as %+v", tx)
	}
	var e pb.Envelope
	if err := proto.Unmarshal(b, &e); err != nil || !bytes.Equal(marshal(t, &e), b) {
		t.Errorf("an envelope is marshalled anew as other bytes: %v", err)
	}
	for _, size := range []int{0, 1, 127, 128, 20000, 3 << 20} {
		rwset := bytes.Repeat([]byte("x"), size)
		if got, want := newUnsigned(t, rwset), unsignedByMessages(t, rwset); !bytes.Equal(got, want) {
			t.Errorf("an envelope of %d bytes is %.300x, want %.300x", size, got, want)
		}
	}
	for _, u := range []block.Unsigned{{ChannelID: "c"}, {ChannelID: "c", TxID: "\xff"}, {ChannelID: "\xff", TxID: "tx"}} {
		if _, err := block.NewUnsigned(u); err == nil {
			t.Errorf("%+v is made an envelope", u)
		}
	}
}

// unsignedByMessages makes the envelope as it is defined, of one message for each layer.
func unsignedByMessages(t testing.TB, rwset []byte) []byte {
	t.Helper()
	header := &pb.Header{
		ChannelHeader: marshal(t, &pb.ChannelHeader{
			Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), ChannelId: "mychannel", TxId: "tx", Timestamp: timestamppb.New(time.Unix(5, 6)),
		}),
		SignatureHeader: marshal(t, &pb.SignatureHeader{Nonce: []byte("tx")}),
	}
	payload := &pb.ChaincodeProposalPayload{Input: marshal(t, &pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{}})}
	hash, err := block.HashProposal(header, payload)
	if err != nil {
		t.Fatal(err)
	}
	endorsed := &pb.ProposalResponsePayload{
		ProposalHash: hash, Extension: marshal(t, &pb.ChaincodeAction{Results: rwset, Response: &pb.Response{Status: 200}}),
	}
	action := &pb.ChaincodeActionPayload{
		ChaincodeProposalPayload: marshal(t, payload), Action: &pb.ChaincodeEndorsedAction{ProposalResponsePayload: marshal(t, endorsed)},
	}
	data := &pb.Transaction{Actions: []*pb.TransactionAction{{Header: header.SignatureHeader, Payload: marshal(t, action)}}}
	return marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: header, Data: marshal(t, data)})})
}

// TestResults finds the read/write set, and what kind of transaction it is, in envelopes of all kinds.
func TestResults(t *testing.T) {
	envelope := func(typ pb.HeaderType, data []byte) []byte {
		return marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{
			Header: &pb.Header{ChannelHeader: marshal(t, &pb.ChannelHeader{Type: int32(typ), ChannelId: "c"})}, Data: data,
		})})
	}
	actions := func(all ...*pb.TransactionAction) []byte { return marshal(t, &pb.Transaction{Actions: all}) }
	action := func(endorsed []byte) *pb.TransactionAction {
		return &pb.TransactionAction{Payload: marshal(t, &pb.ChaincodeActionPayload{
			Action: &pb.ChaincodeEndorsedAction{ProposalResponsePayload: endorsed},
		})}
	}
	done := func(a *pb.ChaincodeAction) []byte {
		return marshal(t, &pb.ProposalResponsePayload{Extension: marshal(t, a)})
	}
	const endorser = pb.HeaderType_ENDORSER_TRANSACTION
	for name, test := range map[string]struct {
		envelope []byte
		want     string // "-" for none
		event    string
		typ      pb.HeaderType
		noType   bool
	}{
		"unsigned":       {envelope: newUnsigned(t, []byte("rwset")), want: "rwset", typ: endorser},
		"empty results":  {envelope: newUnsigned(t, nil), want: "", typ: endorser},
		"nothing":        {want: "-", noType: true},
		"garbage":        {envelope: []byte("garbage"), want: "-", noType: true},
		"cut":            {envelope: newUnsigned(t, []byte("rwset"))[:20], want: "-", noType: true},
		"config":         {envelope: envelope(pb.HeaderType_CONFIG, []byte("config")), want: "-", typ: pb.HeaderType_CONFIG},
		"no data":        {envelope: envelope(endorser, nil), want: "-", typ: endorser},
		"no action":      {envelope: envelope(endorser, actions()), want: "-", typ: endorser},
		"two actions":    {envelope: envelope(endorser, actions(action(done(&pb.ChaincodeAction{Results: []byte("a")})), &pb.TransactionAction{})), want: "-", typ: endorser},
		"no payload":     {envelope: envelope(endorser, actions(&pb.TransactionAction{})), want: "-", typ: endorser},
		"no endorsement": {envelope: envelope(endorser, actions(action(nil))), want: "-", typ: endorser},
		"no extension":   {envelope: envelope(endorser, actions(action(done(nil)))), want: "-", typ: endorser},
		"one action":     {envelope: envelope(endorser, actions(action(done(&pb.ChaincodeAction{Results: []byte("a")})))), want: "a", typ: endorser},
		"an event":       {envelope: envelope(endorser, actions(action(done(&pb.ChaincodeAction{Results: []byte("a"), Events: []byte("e")})))), want: "a", event: "e", typ: endorser},
		"no header":      {envelope: marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Data: []byte("d")})}), want: "-", noType: true},
	} {
		t.Run(name, func(t *testing.T) {
			rwset, ok := block.Results(test.envelope)
			if ok != (test.want != "-") || ok && (rwset == nil || string(rwset) != test.want) {
				t.Errorf("results are %q, %v, want %q", rwset, ok, test.want)
			}
			if event, ok := block.Event(test.envelope); ok != (test.want != "-") || string(event) != test.event {
				t.Errorf("the event is %q, %v, want %q", event, ok, test.event)
			}
			if typ, ok := block.HeaderType(test.envelope); ok == test.noType || typ != test.typ {
				t.Errorf("type is %v, %v", typ, ok)
			}
		})
	}
}

// TestResultsMerged finds them where fields are there twice, as protobuf does.
func TestResultsMerged(t *testing.T) {
	message := func(number protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
	}
	twice := func(number protowire.Number, first, second []byte) []byte {
		return append(message(number, first), message(number, second)...)
	}
	channel := marshal(t, &pb.ChannelHeader{Type: int32(pb.HeaderType_ENDORSER_TRANSACTION)})
	// The second header has no channel header, so the first one's stays.
	header := twice(1, message(1, channel), message(2, []byte("signature header")))
	results := twice(1, []byte("first"), []byte("second"))
	endorsed := message(2, results)
	inner := twice(2, twice(1, []byte("first"), endorsed), nil)
	payload := append(header, twice(2, []byte("first"), message(1, message(2, inner)))...)
	envelope := twice(1, []byte("first"), payload)
	// An unknown field, and one of another type.
	envelope = protowire.AppendVarint(protowire.AppendTag(envelope, 1, protowire.VarintType), 7)
	if rwset, ok := block.Results(envelope); !ok || string(rwset) != "second" {
		t.Errorf("results are %q, %v", rwset, ok)
	}
	if testing.AllocsPerRun(100, func() { block.Results(envelope) }) > 0 {
		t.Error("finding them allocates")
	}
}

// FuzzResults holds that Results finds what ParseTransaction finds, in whatever ParseTransaction accepts.
func FuzzResults(f *testing.F) {
	p := newPeople(f)
	proposal := p.propose(f)
	envelope, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{endorse(f, p.peer1, proposal.Signed, nil)}, p.alice)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(envelope)
	f.Add(newUnsigned(f, []byte("rwset")))
	f.Add([]byte("garbage"))
	f.Fuzz(func(t *testing.T, envelope []byte) {
		rwset, ok := block.Results(envelope)
		tx, err := block.ParseTransaction(envelope)
		if err != nil {
			return
		}
		if !ok || !bytes.Equal(rwset, tx.RWSet) {
			t.Errorf("results are %q, %v, want %q", rwset, ok, tx.RWSet)
		}
		event, ok := block.Event(envelope)
		if got := new(pb.ChaincodeEvent); !ok || proto.Unmarshal(event, got) != nil || tx.Event != nil && !proto.Equal(got, tx.Event) || (tx.Event == nil) != (len(event) == 0) {
			t.Errorf("the event is %q, %v, want %v", event, ok, tx.Event)
		}
	})
}

func BenchmarkResults(b *testing.B) {
	envelope := newUnsigned(b, make([]byte, 500))
	b.ReportAllocs()
	for b.Loop() {
		block.Results(envelope)
	}
}

func BenchmarkNewUnsigned(b *testing.B) {
	rwset := make([]byte, 500)
	b.ReportAllocs()
	for b.Loop() {
		newUnsigned(b, rwset)
	}
}
