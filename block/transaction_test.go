package block_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

// people are a client, two peers, and the organization that has certified them.
type people struct {
	alice, peer1, peer2 *identity.Identity
	verifier            *identity.Verifier
}

func newPeople(t testing.TB) people {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(name, unit string) *identity.Identity {
		id, err := msp.Issue(identity.Config{CommonName: name, OUs: []string{unit}})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	p := people{alice: issue("alice", "client"), peer1: issue("peer1", "peer"), peer2: issue("peer2", "peer")}
	if p.verifier, err = identity.NewVerifier(msp.Organization()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p people) propose(t testing.TB) *identity.Proposal {
	t.Helper()
	made, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: "mychannel", Chaincode: "asset", Args: [][]byte{[]byte("Create"), {0xff}}, IsInit: true,
		Transient: map[string][]byte{"secret": []byte("hidden")}, Signer: p.alice,
		Timestamp: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// endorse is what an endorser answers. change may change what was done, before it is signed.
func endorse(t testing.TB, peer *identity.Identity, signed *pb.SignedProposal, change func(*pb.ChaincodeAction)) *pb.ProposalResponse {
	t.Helper()
	var proposal pb.Proposal
	if err := proto.Unmarshal(signed.GetProposalBytes(), &proposal); err != nil {
		t.Fatal(err)
	}
	hash, err := block.ProposalHash(&proposal)
	if err != nil {
		t.Fatal(err)
	}
	action := &pb.ChaincodeAction{
		Results: []byte("rwset"), Events: marshal(t, &pb.ChaincodeEvent{ChaincodeId: "asset", EventName: "Created", Payload: []byte("e")}),
		Response: &pb.Response{Status: 200, Payload: []byte("done")}, ChaincodeId: &pb.ChaincodeID{Name: "asset", Version: "1.0"},
	}
	if change != nil {
		change(action)
	}
	payload := marshal(t, &pb.ProposalResponsePayload{ProposalHash: hash, Extension: marshal(t, action)})
	signature, err := peer.Sign(append(bytes.Clone(payload), peer.Creator()...))
	if err != nil {
		t.Fatal(err)
	}
	return &pb.ProposalResponse{
		Version: 1, Response: action.Response, Payload: payload, Endorsement: &pb.Endorsement{Endorser: peer.Creator(), Signature: signature},
	}
}

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTransaction(t *testing.T) {
	p := newPeople(t)
	proposal := p.propose(t)
	envelope, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{
		endorse(t, p.peer1, proposal.Signed, nil), endorse(t, p.peer2, proposal.Signed, nil),
		endorse(t, p.peer1, proposal.Signed, nil), // again
	}, p.alice)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(envelope, []byte("hidden")) {
		t.Error("the transient map is recorded")
	}
	tx, err := block.ParseTransaction(envelope)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := block.NewPayload(proposal.Signed, []*pb.ProposalResponse{endorse(t, p.peer1, proposal.Signed, nil)})
	if err != nil {
		t.Fatal(err)
	}
	var one pb.Payload
	if err := proto.Unmarshal(payload, &one); err != nil || !bytes.HasPrefix(tx.Signed, payload[:len(payload)-len(one.GetData())-4]) {
		t.Errorf("whoever else lets the client sign gets another payload, %v", err)
	}
	if tx.ChannelID != "mychannel" || tx.TxID != proposal.TxID || !tx.Timestamp.Equal(proposal.Timestamp) || !tx.IsInit || len(tx.Nonce) != 24 ||
		tx.Chaincode != "asset" || tx.Version != "1.0" || string(tx.RWSet) != "rwset" || tx.Event.GetEventName() != "Created" ||
		tx.Response.GetStatus() != 200 || string(tx.Response.GetPayload()) != "done" || !reflect.DeepEqual(tx.Args, [][]byte{[]byte("Create"), {0xff}}) {
		t.Errorf("got %+v", tx)
	}
	if len(tx.Endorsements) != 2 {
		t.Errorf("%d endorsements, want 2", len(tx.Endorsements))
	}
	creator, err := p.verifier.Identify(tx.Creator)
	if err != nil {
		t.Fatal(err)
	}
	if err := creator.Verify(tx.Signed, tx.Signature); err != nil {
		t.Errorf("creator's signature: %v", err)
	}
	for i, want := range []*identity.Identity{p.peer1, p.peer2} {
		endorser, err := p.verifier.Identify(tx.Endorsements[i].GetEndorser())
		if err != nil || !endorser.Certificate().Equal(want.Certificate()) {
			t.Fatalf("endorser %d: %v", i, err)
		}
		if err := endorser.Verify(append(bytes.Clone(tx.Endorsed), tx.Endorsements[i].GetEndorser()...), tx.Endorsements[i].GetSignature()); err != nil {
			t.Errorf("endorsement %d: %v", i, err)
		}
	}
}

func TestNewTransactionRefuses(t *testing.T) {
	p := newPeople(t)
	proposal := p.propose(t)
	good := endorse(t, p.peer1, proposal.Signed, nil)
	failed := endorse(t, p.peer1, proposal.Signed, func(a *pb.ChaincodeAction) { a.Response = &pb.Response{Status: 500, Message: "no"} })
	differs := endorse(t, p.peer2, proposal.Signed, func(a *pb.ChaincodeAction) { a.Results = []byte("other") })
	for _, c := range []struct {
		signer    identity.Signer
		signed    *pb.SignedProposal
		responses []*pb.ProposalResponse
		want      string
	}{
		{p.alice, proposal.Signed, nil, "at least one proposal response is required"},
		{p.peer1, proposal.Signed, []*pb.ProposalResponse{good}, "signer must be the same as the one referenced in the header"},
		{p.alice, proposal.Signed, []*pb.ProposalResponse{good, failed}, "proposal response was not successful, error code 500, msg no"},
		{p.alice, proposal.Signed, []*pb.ProposalResponse{good, differs}, "ProposalResponsePayloads do not match"},
		{p.alice, proposal.Signed, []*pb.ProposalResponse{{Response: good.GetResponse(), Payload: good.GetPayload()}}, "has no endorsement"},
		{p.alice, nil, []*pb.ProposalResponse{good}, "Proposal is missing"},
		{p.alice, &pb.SignedProposal{ProposalBytes: []byte{0xff}}, []*pb.ProposalResponse{good}, "decode Proposal"},
	} {
		if _, err := block.NewTransaction(c.signed, c.responses, c.signer); err == nil || !strings.Contains(err.Error(), "make transaction: "+c.want) && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// rewrap changes the messages of an envelope, from the outside in.
func rewrap(t testing.TB, envelope []byte, change func(p *pb.Payload, c *pb.ChannelHeader, tx *pb.Transaction, a *pb.ChaincodeActionPayload)) []byte {
	t.Helper()
	var e pb.Envelope
	var p pb.Payload
	var c pb.ChannelHeader
	var tx pb.Transaction
	var a pb.ChaincodeActionPayload
	unmarshal := func(b []byte, m proto.Message) {
		t.Helper()
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
	}
	unmarshal(envelope, &e)
	unmarshal(e.GetPayload(), &p)
	unmarshal(p.GetHeader().GetChannelHeader(), &c)
	unmarshal(p.GetData(), &tx)
	unmarshal(tx.GetActions()[0].GetPayload(), &a)
	before := proto.Clone(&tx)
	change(&p, &c, &tx, &a)
	if proto.Equal(before, &tx) {
		tx.Actions[0].Payload = marshal(t, &a)
	}
	p.Header.ChannelHeader = marshal(t, &c)
	if len(p.Data) > 0 {
		p.Data = marshal(t, &tx)
	}
	e.Payload = marshal(t, &p)
	return marshal(t, &e)
}

func TestParseTransactionRefuses(t *testing.T) {
	p := newPeople(t)
	proposal := p.propose(t)
	good, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{endorse(t, p.peer1, proposal.Signed, nil)}, p.alice)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(p *pb.Payload, c *pb.ChannelHeader, tx *pb.Transaction, a *pb.ChaincodeActionPayload){
		"header type is CONFIG": func(_ *pb.Payload, c *pb.ChannelHeader, _ *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			c.Type = int32(pb.HeaderType_CONFIG)
		},
		"SignatureHeader is missing": func(p *pb.Payload, _ *pb.ChannelHeader, _ *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			p.Header.SignatureHeader = nil
		},
		"Transaction is missing": func(p *pb.Payload, _ *pb.ChannelHeader, _ *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			p.Data = nil
		},
		"there are 2 actions, want 1": func(_ *pb.Payload, _ *pb.ChannelHeader, tx *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			tx.Actions = append(tx.Actions, tx.GetActions()[0])
		},
		"decode ChaincodeActionPayload": func(_ *pb.Payload, _ *pb.ChannelHeader, tx *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			tx.Actions[0].Payload = []byte{0xff}
		},
		"ChaincodeProposalPayload is missing": func(_ *pb.Payload, _ *pb.ChannelHeader, _ *pb.Transaction, a *pb.ChaincodeActionPayload) {
			a.ChaincodeProposalPayload = nil
		},
		"decode ChaincodeProposalPayload": func(_ *pb.Payload, _ *pb.ChannelHeader, _ *pb.Transaction, a *pb.ChaincodeActionPayload) {
			a.ChaincodeProposalPayload = []byte{0xff}
		},
		"ProposalResponsePayload is missing": func(_ *pb.Payload, _ *pb.ChannelHeader, _ *pb.Transaction, a *pb.ChaincodeActionPayload) {
			a.Action = nil
		},
		"what was endorsed is another proposal": func(_ *pb.Payload, c *pb.ChannelHeader, _ *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			c.ChannelId = "other"
		},
		"another proposal: the hashes differ": func(_ *pb.Payload, _ *pb.ChannelHeader, tx *pb.Transaction, _ *pb.ChaincodeActionPayload) {
			tx.Actions[0].Header = nil
		},
	} {
		if tx, err := block.ParseTransaction(rewrap(t, good, change)); tx != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %+v, %v, want %s", tx, err, want)
		}
	}
	for _, b := range [][]byte{nil, {0xff}, good[:len(good)/2]} {
		if _, err := block.ParseTransaction(b); err == nil {
			t.Errorf("%x is a transaction", b)
		}
	}
	same := func(*pb.Payload, *pb.ChannelHeader, *pb.Transaction, *pb.ChaincodeActionPayload) {}
	if _, err := block.ParseTransaction(rewrap(t, good, same)); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// What was endorsed has the signature header of the action. That of the envelope may be another one, as for Fabric's peers.
func TestParseTransactionOfTwoHeaders(t *testing.T) {
	p := newPeople(t)
	proposal := p.propose(t)
	good, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{endorse(t, p.peer1, proposal.Signed, nil)}, p.alice)
	if err != nil {
		t.Fatal(err)
	}
	other := marshal(t, &pb.SignatureHeader{Creator: []byte("somebody"), Nonce: []byte("other")})
	tx, err := block.ParseTransaction(rewrap(t, good, func(p *pb.Payload, _ *pb.ChannelHeader, _ *pb.Transaction, _ *pb.ChaincodeActionPayload) {
		p.Header.SignatureHeader = other
	}))
	if err != nil || string(tx.Creator) != "somebody" || string(tx.Nonce) != "other" {
		t.Errorf("got %+v, %v", tx, err)
	}
}

func FuzzParseTransaction(f *testing.F) {
	p := newPeople(f)
	proposal := p.propose(f)
	good, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{endorse(f, p.peer1, proposal.Signed, nil)}, p.alice)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		tx, err := block.ParseTransaction(b)
		if (tx == nil) == (err == nil) {
			t.Errorf("got %v and %v", tx, err)
		}
		if err == nil && (len(tx.Signed) == 0 || len(tx.Endorsed) == 0) {
			t.Errorf("accepted %+v", tx)
		}
	})
}
