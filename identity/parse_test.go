package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/certtest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestParseReadsWhatNewWrote(t *testing.T) {
	want := params()
	made, err := identity.NewProposal(want)
	if err != nil {
		t.Fatal(err)
	}
	p, err := identity.ParseProposal(made.Signed)
	if err != nil {
		t.Fatal(err)
	}
	clear(made.Signed.ProposalBytes) // it shares no memory
	type said struct {
		channelID, txID, chaincode string
		args                       [][]byte
		isInit                     bool
		transient                  map[string][]byte
		creator, nonce, binding    []byte
		timestamp                  time.Time
	}
	got := said{p.ChannelID, p.TxID, p.Chaincode, p.Args, p.IsInit, p.Transient, p.Creator, p.Nonce, p.Binding, p.Timestamp}
	if want := (said{
		want.ChannelID, made.TxID, want.Chaincode, want.Args, want.IsInit, want.Transient, want.Creator, want.Nonce,
		made.Binding, want.Timestamp.UTC(),
	}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// message is a proposal's layers, before they are put into one another.
type message struct {
	channel   *pb.ChannelHeader
	extension *pb.ChaincodeHeaderExtension
	signature *pb.SignatureHeader
	call      *pb.ChaincodeInvocationSpec
	raw       map[string][]byte // replaces a layer, by name
}

func valid() *message {
	return &message{
		channel: &pb.ChannelHeader{
			Type: 3, ChannelId: "mychannel",
			TxId: "709184f9d24f6ade8fcd4d6521a6eef295fef6c2e67216c58b68ac15e8946492", // printf noncecreator | sha256sum
		},
		extension: &pb.ChaincodeHeaderExtension{ChaincodeId: &pb.ChaincodeID{Name: "asset"}},
		signature: &pb.SignatureHeader{Nonce: []byte("nonce"), Creator: creator},
		call:      &pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{Input: &pb.ChaincodeInput{}}},
		raw:       map[string][]byte{},
	}
}

func (m *message) signed(t testing.TB) *pb.SignedProposal {
	layer := func(x proto.Message) []byte {
		if b, ok := m.raw[string(x.ProtoReflect().Descriptor().Name())]; ok {
			return b
		}
		b, err := proto.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	m.channel.Extension = layer(m.extension)
	return &pb.SignedProposal{ProposalBytes: layer(&pb.Proposal{
		Header:  layer(&pb.Header{ChannelHeader: layer(m.channel), SignatureHeader: layer(m.signature)}),
		Payload: layer(&pb.ChaincodeProposalPayload{Input: layer(m.call), TransientMap: map[string][]byte{"secret": {}}}),
	})}
}

func TestParseIsAsLenientAsFabric(t *testing.T) {
	for name, change := range map[string]func(*message){
		"no timestamp, no channel": func(m *message) { m.channel.ChannelId = "" },
		"CONFIG":                   func(m *message) { m.channel.Type = 1 },
		"another name in the call": func(m *message) { m.call.ChaincodeSpec.ChaincodeId = &pb.ChaincodeID{Name: "other"} },
	} {
		m := valid()
		change(m)
		p, err := identity.ParseProposal(m.signed(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Chaincode != "asset" || !p.Timestamp.IsZero() || len(p.Args) != 0 || p.ChannelID != m.channel.ChannelId {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	type test struct {
		want   string
		change func(*message)
	}
	tests := []test{
		{"header type is MESSAGE, want ENDORSER_TRANSACTION", func(m *message) { m.channel.Type = 0 }},
		{"header type is 77, want", func(m *message) { m.channel.Type = 77 }},
		{"epoch is 1, want 0", func(m *message) { m.channel.Epoch = 1 }},
		{"nonce is empty", func(m *message) { m.signature.Nonce = nil }},
		{"creator is empty", func(m *message) { m.signature.Creator = nil }},
		{"ChaincodeHeaderExtension names no chaincode", func(m *message) { m.extension.ChaincodeId.Name = "" }},
		{"ChaincodeInvocationSpec has no input", func(m *message) { m.call.ChaincodeSpec.Input = nil }},
		{"timestamp of 1 s and -1 ns is out of range", func(m *message) { m.channel.Timestamp = &timestamppb.Timestamp{Seconds: 1, Nanos: -1} }},
		{`transaction ID is "", want 709184f9`, func(m *message) { m.channel.TxId = "" }},
		{`transaction ID is "709184F9`, func(m *message) { m.channel.TxId = strings.ToUpper(m.channel.TxId) }},
		{`transaction ID is "709184f9`, func(m *message) { m.signature.Nonce = []byte("another") }},
		{"it is empty", func(m *message) { m.raw["Proposal"] = nil }},
		{"decode Proposal: ", func(m *message) { m.raw["Proposal"] = []byte{0xff} }},
	}
	for _, layer := range []string{"Header", "ChannelHeader", "ChaincodeHeaderExtension", "SignatureHeader", "ChaincodeProposalPayload", "ChaincodeInvocationSpec"} {
		tests = append(tests,
			test{": " + layer + " is missing", func(m *message) { m.raw[layer] = nil }},
			test{": decode " + layer + ": ", func(m *message) { m.raw[layer] = []byte{0xff} }})
	}
	for _, c := range tests {
		m := valid()
		c.change(m)
		p, err := identity.ParseProposal(m.signed(t))
		if p != nil || err == nil || !strings.HasPrefix(err.Error(), "parse proposal: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, %v, want an error with %q", p, err, c.want)
		}
	}
	if _, err := identity.ParseProposal(nil); err == nil {
		t.Error("nil was accepted")
	}
}

// A transaction ID of a megabyte is not repeated in the error.
func TestParseCutsWhatItRepeats(t *testing.T) {
	m := valid()
	m.channel.TxId = strings.Repeat("x", 1<<20)
	if _, err := identity.ParseProposal(m.signed(t)); err == nil || len(err.Error()) > 300 {
		t.Errorf("error has %d bytes", len(err.Error()))
	}
}

func propose(t testing.TB, signer identity.Signer) *pb.SignedProposal {
	t.Helper()
	p := params()
	p.Creator, p.Signer = nil, signer
	made, err := identity.NewProposal(p)
	if err != nil {
		t.Fatal(err)
	}
	return made.Signed
}

func TestVerify(t *testing.T) {
	org1, org2 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP")
	verifier := newVerifier(t, org1.Organization(), org2.Organization())
	alice := issue(t, org1, identity.Config{CommonName: "alice", Attributes: map[string]string{"role": "buyer"}})
	now := time.Now()
	var none time.Time
	impostor := issue(t, newMSP(t, "Org1MSP"), identity.Config{CommonName: "alice"}) // of a CA with the same name
	creator := func(mspID string, cert []byte) []byte {
		b, err := proto.Marshal(&pb.SerializedIdentity{Mspid: mspID, IdBytes: cert})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name, want string // "" is success
		signed     *pb.SignedProposal
		at         time.Time
	}{
		{"good", "", propose(t, alice), none},
		{"good at a time", "", propose(t, alice), now.Add(300 * 24 * time.Hour)},
		{"expired", "certificate has ended on ", propose(t, alice), now.Add(400 * 24 * time.Hour)},
		{"not valid yet", "", propose(t, alice), now.Add(-2 * time.Hour)},
		{"changed", "signature is not the certificate's", changed(propose(t, alice)), none},
		{"unsigned", "decode signature", propose(t, signer{alice.Creator(), nil}), none},
		{"signed by somebody else", "signature is not the certificate's", propose(t, signer{alice.Creator(), impostor.Sign}), none},
		{"high S", "higher of the two values", propose(t, signer{alice.Creator(), highS(t, alice)}), none},
		{"another CA of the name", "unknown authority", propose(t, impostor), none},
		{"another MSP's", "unknown authority", propose(t, signer{creator("Org2MSP", alice.CertificatePEM()), alice.Sign}), none},
		{"unknown MSP", `MSP "Org3MSP" is unknown`, propose(t, signer{creator("Org3MSP", alice.CertificatePEM()), alice.Sign}), none},
		{"a CA", "is a CA's", propose(t, signer{creator("Org1MSP", org1.CertificatePEM()), alice.Sign}), none},
		{"no PEM", "certificate is not PEM", propose(t, signer{creator("Org1MSP", []byte("x")), alice.Sign}), none},
		{"no certificate", "parse certificate", propose(t, signer{creator("Org1MSP", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), alice.Sign}), none},
		{"no SerializedIdentity", "decode SerializedIdentity", propose(t, signer{[]byte{0xff}, alice.Sign}), none},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := identity.ParseProposal(c.signed)
			if err != nil {
				t.Fatal(err)
			}
			who, err := p.Verify(verifier, c.at)
			switch {
			case c.want == "" && (err != nil || !who.Certificate().Equal(alice.Certificate())):
				t.Errorf("got %v, %v, want alice", who, err)
			case c.want != "" && (who != nil || err == nil || !strings.HasPrefix(err.Error(), "verify proposal: ") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, %v, want an error with %q", who, err, c.want)
			}
		})
	}
}

// signer signs as a function does, or not at all.
type signer struct {
	creator []byte
	sign    func([]byte) ([]byte, error)
}

func (s signer) Creator() []byte { return s.creator }

func (s signer) Sign(message []byte) ([]byte, error) {
	if s.sign == nil {
		return nil, nil
	}
	return s.sign(message)
}

// changed changes a letter of the channel's name.
func changed(signed *pb.SignedProposal) *pb.SignedProposal {
	signed.ProposalBytes = bytes.Replace(signed.ProposalBytes, []byte("mychannel"), []byte("mychannfl"), 1)
	return signed
}

// highS signs as id does, but returns the other valid signature.
func highS(t *testing.T, id *identity.Identity) func([]byte) ([]byte, error) {
	return func(message []byte) ([]byte, error) {
		b, err := id.Sign(message)
		if err != nil {
			return nil, err
		}
		b = certtest.OtherS(t, b)
		digest := sha256.Sum256(message)
		if !ecdsa.VerifyASN1(id.Certificate().PublicKey.(*ecdsa.PublicKey), digest[:], b) {
			t.Fatal("the other form isn't valid")
		}
		return b, nil
	}
}

func FuzzParse(f *testing.F) {
	alice := issue(f, newMSP(f, "Org1MSP"), identity.Config{CommonName: "alice"})
	for _, signed := range []*pb.SignedProposal{propose(f, alice), valid().signed(f)} {
		f.Add(signed.ProposalBytes, signed.Signature)
		f.Add(signed.ProposalBytes[:len(signed.ProposalBytes)/2], signed.Signature)
	}
	stranger := newVerifier(f, newMSP(f, "Org1MSP").Organization())
	f.Fuzz(func(t *testing.T, proposalBytes, signature []byte) {
		p, err := identity.ParseProposal(&pb.SignedProposal{ProposalBytes: proposalBytes, Signature: signature})
		if err != nil {
			if p != nil {
				t.Errorf("got both %v and %v", p, err)
			}
			return
		}
		digest := sha256.Sum256(append(bytes.Clone(p.Nonce), p.Creator...))
		if p.TxID != hex.EncodeToString(digest[:]) || p.Chaincode == "" || len(p.Nonce) == 0 || len(p.Creator) == 0 {
			t.Errorf("accepted %+v", p)
		}
		if who, err := p.Verify(stranger, time.Time{}); err == nil {
			t.Errorf("verified %v", who.Certificate().Subject)
		}
	})
}
