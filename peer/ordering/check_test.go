package ordering_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

func signedBy(t testing.TB, id *identity.Identity, message, signature []byte) bool {
	t.Helper()
	return id.Certificate().CheckSignature(id.Certificate().SignatureAlgorithm, message, signature) == nil
}

// member is an identity of an MSP.
func member(t testing.TB, msp *identity.MSP, cfg identity.Config) *identity.Identity {
	t.Helper()
	id, err := msp.Issue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newMSP(t testing.TB, id string) *identity.MSP {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return msp
}

// parts make an envelope.
type parts struct {
	channel   *pb.ChannelHeader
	signature []byte // in place of a SignatureHeader
	signer    *identity.Identity
	by        *identity.Identity // who really signs
	data      []byte
}

func (p parts) envelope(t *testing.T) []byte {
	t.Helper()
	header := &pb.Header{ChannelHeader: marshal(t, p.channel), SignatureHeader: p.signature}
	if p.signer != nil {
		header.SignatureHeader = marshal(t, &pb.SignatureHeader{Creator: p.signer.Creator(), Nonce: []byte("nonce")})
	}
	e := &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: header, Data: p.data})}
	if p.by != nil {
		var err error
		if e.Signature, err = p.by.Sign(e.Payload); err != nil {
			t.Fatal(err)
		}
	}
	return marshal(t, e)
}

const denied = "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Writers' " +
	"sub-policies to be satisfied: permission denied"

// TestRefusals has the statuses and texts of Fabric's orderer, for each thing that it looks at.
func TestRefusals(t *testing.T) {
	org, stranger := newMSP(t, "Org1MSP"), newMSP(t, "Org1MSP")
	alice, bob := member(t, org, identity.Config{CommonName: "alice"}), member(t, org, identity.Config{CommonName: "bob"})
	peer := member(t, org, identity.Config{CommonName: "peer0", OUs: []string{"peer"}})
	mallory := member(t, stranger, identity.Config{CommonName: "mallory"})
	old := member(t, org, identity.Config{CommonName: "old", NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	v, err := identity.NewVerifier(org.Organization())
	if err != nil {
		t.Fatal(err)
	}
	writers := policies.ImplicitMeta{Rule: policies.AnyRule, Name: "Writers", Policies: []policies.Policy{
		policies.SignedBy(identity.Principal{MSPID: "Org1MSP", Role: identity.Client}),
	}}
	o := newOrderer(t, ordering.Config{}, ordering.Channel{Verifier: v, Writers: writers, Batch: ordering.Batch{AbsoluteMaxBytes: 2000}})
	if err := o.AddChannel(ordering.Channel{ID: "members", Verifier: v}); err != nil {
		t.Fatal(err)
	}
	in := func(channel string, typ pb.HeaderType) *pb.ChannelHeader {
		return &pb.ChannelHeader{Type: int32(typ), ChannelId: channel}
	}
	tx := in("mychannel", pb.HeaderType_ENDORSER_TRANSACTION)
	for name, c := range map[string]struct {
		envelope []byte
		status   ordering.Status
		text     string // or, with … at its end, the beginning
	}{
		"good":                 {envelope: parts{channel: tx, signer: alice, by: alice}.envelope(t)},
		"good message":         {envelope: parts{channel: in("mychannel", pb.HeaderType_MESSAGE), signer: alice, by: alice}.envelope(t)},
		"good member":          {envelope: parts{channel: in("members", 3), signer: peer, by: peer}.envelope(t)},
		"undecodable":          {[]byte{0xff}, ordering.BadRequest, "error unmarshalling Envelope: …"},
		"empty":                {nil, ordering.BadRequest, "could not determine channel ID: header not set"},
		"undecodable payload":  {marshal(t, &pb.Envelope{Payload: []byte{0xff}}), ordering.BadRequest, "could not determine channel ID: error unmarshalling Payload: …"},
		"no channel header":    {parts{}.envelope(t), ordering.BadRequest, "could not determine channel ID: channel header not set"},
		"bad channel header":   {marshal(t, &pb.Envelope{Payload: marshal(t, &pb.Payload{Header: &pb.Header{ChannelHeader: []byte{0xff}}})}), ordering.BadRequest, "could not determine channel ID: error unmarshalling channel header: error unmarshalling ChannelHeader: …"},
		"unknown channel":      {parts{channel: in("other", 3), signer: alice, by: alice}.envelope(t), ordering.BadRequest, "channel creation request not allowed because the orderer system channel is not defined"},
		"configuration":        {parts{channel: in("mychannel", pb.HeaderType_CONFIG), signer: alice, by: alice}.envelope(t), ordering.BadRequest, "message is of type that cannot be processed directly"},
		"orderer transaction":  {parts{channel: in("mychannel", pb.HeaderType_ORDERER_TRANSACTION), signer: alice, by: alice}.envelope(t), ordering.BadRequest, "message is of type that cannot be processed directly"},
		"update":               {parts{channel: in("mychannel", pb.HeaderType_CONFIG_UPDATE), signer: alice, by: alice}.envelope(t), ordering.BadRequest, "error applying config update to existing channel 'mychannel': …"},
		"update by a stranger": {parts{channel: in("mychannel", pb.HeaderType_CONFIG_UPDATE), signer: mallory, by: mallory}.envelope(t), ordering.Forbidden, "config update for existing channel did not pass initial checks: " + denied},
		"too large":            {sized(t, 2001, 'a'), ordering.BadRequest, "message payload is 2001 bytes and exceeds maximum allowed 2000 bytes"},
		"too large, unknown":   {append(sized(t, 1000, 'a'), append([]byte{0x7a, 0xe8, 0x07}, make([]byte, 1000)...)...), ordering.BadRequest, "message payload is 2003 bytes and exceeds maximum allowed 2000 bytes"},
		"bad signature header": {parts{channel: tx, signature: []byte{0xff}}.envelope(t), ordering.BadRequest, "could not convert message to signedData: GetSignatureHeaderFromBytes failed, err …"},
		"expired":              {parts{channel: tx, signer: old, by: bob}.envelope(t), ordering.BadRequest, "broadcast client identity expired"},
		"nobody":               {parts{channel: tx}.envelope(t), ordering.Forbidden, denied},
		"stranger":             {parts{channel: tx, signer: mallory, by: mallory}.envelope(t), ordering.Forbidden, denied},
		"forged":               {parts{channel: tx, signer: alice, by: bob}.envelope(t), ordering.Forbidden, denied},
		"unsigned":             {parts{channel: tx, signer: alice}.envelope(t), ordering.Forbidden, denied},
		"no writer":            {parts{channel: tx, signer: peer, by: peer}.envelope(t), ordering.Forbidden, denied},
		"stranger, no policy":  {parts{channel: in("members", 3), signer: mallory, by: mallory}.envelope(t), ordering.Forbidden, "signature set did not satisfy policy: permission denied"},
	} {
		err := o.Broadcast(t.Context(), c.envelope)
		if c.status == 0 {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var refusal *ordering.Error
		begin, cut := strings.CutSuffix(c.text, "…")
		if !errors.As(err, &refusal) || refusal.Status != c.status || !strings.HasPrefix(refusal.Text, begin) || !cut && refusal.Text != c.text {
			t.Errorf("%s: %v, want %s: %s", name, err, c.status, c.text)
		}
	}
}

// FuzzBroadcast shows that what strangers send is refused or is in a block, in the form that peers want.
func FuzzBroadcast(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{0xff})
	f.Add(sized(f, 100, 'a'))
	f.Add(append(sized(f, 100, 'a'), 0x98, 0x06, 1))
	f.Add(letter(f, pb.HeaderType_CONFIG_UPDATE, nil))
	v, err := identity.NewVerifier(newMSP(f, "Org1MSP").Organization())
	if err != nil {
		f.Fatal(err)
	}
	o := newOrderer(f, ordering.Config{}, ordering.Channel{})
	checked := newOrderer(f, ordering.Config{}, ordering.Channel{Verifier: v})
	blocks := deliver(f, o, 0)
	f.Fuzz(func(t *testing.T, envelope []byte) {
		if err := checked.Broadcast(t.Context(), envelope); err == nil {
			t.Fatal("a stranger may broadcast")
		}
		err := o.Broadcast(t.Context(), envelope)
		var refusal *ordering.Error
		if err != nil {
			if !errors.As(err, &refusal) || refusal.Text == "" {
				t.Fatalf("refused without a status: %v", err)
			}
			return
		}
		data := next(t, blocks).GetData().GetData()
		var e pb.Envelope
		unmarshal(t, data[0], &e)
		if len(data) != 1 || string(marshal(t, &e)) != string(data[0]) {
			t.Fatalf("block has %x", data)
		}
	})
}
