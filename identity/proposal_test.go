package identity_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

var creator = []byte("creator")

func params() identity.ProposalParams {
	return identity.ProposalParams{
		ChannelID: "mychannel",
		Chaincode: "asset",
		Args:      [][]byte{[]byte("Create"), {0, 0xff}, {}},
		IsInit:    true,
		Transient: map[string][]byte{"secret": {0, 1}, "empty": {}},
		Creator:   creator,
		Nonce:     []byte("nonce"),
		Timestamp: time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.FixedZone("", 3600)),
	}
}

// opened is a proposal taken apart.
type opened struct {
	pb.ChannelHeader
	signature pb.SignatureHeader
	extension pb.ChaincodeHeaderExtension
	payload   pb.ChaincodeProposalPayload
	spec      pb.ChaincodeInvocationSpec
}

func open(t *testing.T, signed *pb.SignedProposal) *opened {
	t.Helper()
	var (
		o      opened
		prop   pb.Proposal
		header pb.Header
	)
	for _, m := range []struct {
		bytes func() []byte
		into  proto.Message
	}{
		{signed.GetProposalBytes, &prop},
		{prop.GetHeader, &header},
		{header.GetChannelHeader, &o.ChannelHeader},
		{o.GetExtension, &o.extension},
		{header.GetSignatureHeader, &o.signature},
		{prop.GetPayload, &o.payload},
		{o.payload.GetInput, &o.spec},
	} {
		if err := proto.Unmarshal(m.bytes(), m.into); err != nil {
			t.Fatalf("unmarshal %T: %v", m.into, err)
		}
	}
	return &o
}

func TestNewSaysWhatItWasGiven(t *testing.T) {
	p, err := identity.NewProposal(params())
	if err != nil {
		t.Fatal(err)
	}
	// printf noncecreator | sha256sum
	const txID = "709184f9d24f6ade8fcd4d6521a6eef295fef6c2e67216c58b68ac15e8946492"
	if p.TxID != txID {
		t.Errorf("TxID is %s, want %s", p.TxID, txID)
	}
	// printf 'noncecreator\0\0\0\0\0\0\0\0' | sha256sum
	if got, want := hex.EncodeToString(p.Binding), "c687916be6842bb55ca90e2ecdca68680cb8e0bb460f639d4be14ea61c6d1379"; got != want {
		t.Errorf("Binding is %s, want %s", got, want)
	}
	if len(p.Signed.Signature) != 0 {
		t.Errorf("signature is %x, want none", p.Signed.Signature)
	}
	o, want := open(t, p.Signed), params()
	if o.Type != 3 || o.TxId != txID || o.ChannelId != "mychannel" || o.Epoch != 0 {
		t.Errorf("channel header is %v", &o.ChannelHeader)
	}
	if ts := o.Timestamp.AsTime(); !ts.Equal(want.Timestamp) || !p.Timestamp.Equal(ts) || p.Timestamp.Location() != time.UTC {
		t.Errorf("timestamps are %s and %s, want %s", ts, p.Timestamp, want.Timestamp)
	}
	if o.extension.ChaincodeId.GetName() != "asset" {
		t.Errorf("header extension is %v", &o.extension)
	}
	if !proto.Equal(&o.signature, &pb.SignatureHeader{Creator: want.Creator, Nonce: want.Nonce}) {
		t.Errorf("signature header is %v", &o.signature)
	}
	if got := o.payload.TransientMap; len(got) != 2 || !bytes.Equal(got["secret"], []byte{0, 1}) || len(got["empty"]) != 0 {
		t.Errorf("transient map is %v", got)
	}
	call := &pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{
		ChaincodeId: &pb.ChaincodeID{Name: "asset"},
		Input:       &pb.ChaincodeInput{Args: want.Args, IsInit: true},
	}}
	if !proto.Equal(&o.spec, call) {
		t.Errorf("call is %v", &o.spec)
	}
}

func TestNewFillsIn(t *testing.T) {
	before := time.Now()
	p := identity.ProposalParams{Chaincode: "asset", Creator: creator}
	first, err := identity.NewProposal(p)
	if err != nil {
		t.Fatal(err)
	}
	second, err := identity.NewProposal(p)
	if err != nil {
		t.Fatal(err)
	}
	if first.TxID == second.TxID {
		t.Errorf("two proposals have the same transaction ID, %s", first.TxID)
	}
	if n := len(open(t, first.Signed).signature.Nonce); n != 24 {
		t.Errorf("nonce has %d bytes, want 24", n)
	}
	if at := first.Timestamp; at.Before(before.Truncate(0)) || at.After(time.Now().Truncate(0)) {
		t.Errorf("timestamp is %s, want one after %s", at, before)
	}
	if p.Nonce != nil || !p.Timestamp.IsZero() {
		t.Errorf("New changed its parameters to %+v", p)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*identity.ProposalParams)
	}{
		{"no chaincode", "ProposalParams.Chaincode is empty", func(p *identity.ProposalParams) { p.Chaincode = "" }},
		{"no creator", "ProposalParams.Creator is empty", func(p *identity.ProposalParams) { p.Creator = nil }},
		{"signer and creator", "ProposalParams.Signer and ProposalParams.Creator are both set", func(p *identity.ProposalParams) { p.Signer = signer{creator: creator} }},
		{"signer without creator", "ProposalParams.Creator is empty", func(p *identity.ProposalParams) { p.Signer, p.Creator = signer{}, nil }},
		{"signer that cannot sign", "make proposal: sign: locked", func(p *identity.ProposalParams) {
			p.Signer = signer{creator, func([]byte) ([]byte, error) { return nil, errors.New("locked") }}
			p.Creator = nil
		}},
		{"channel that is no UTF-8", "marshal ChannelHeader", func(p *identity.ProposalParams) { p.ChannelID = "\xff" }},
		{"transient name that is no UTF-8", "marshal ChaincodeProposalPayload", func(p *identity.ProposalParams) {
			p.Transient = map[string][]byte{"\xff": nil}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := params()
			c.change(&p)
			if _, err := identity.NewProposal(p); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	unsigned := params()
	unsigned.Nonce = nil
	signed := unsigned
	signed.Creator, signed.Signer = nil, issue(b, newMSP(b, "Org1MSP"), identity.Config{CommonName: "alice"})
	for _, c := range []struct {
		name   string
		params identity.ProposalParams
	}{{"unsigned", unsigned}, {"signed", signed}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := identity.NewProposal(c.params); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	signed := propose(b, issue(b, newMSP(b, "Org1MSP"), identity.Config{CommonName: "alice"}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := identity.ParseProposal(signed); err != nil {
			b.Fatal(err)
		}
	}
}
