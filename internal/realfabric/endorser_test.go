package realfabric_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/endorser"
	pb "github.com/ccpeer/ccpeer/proto"
)

// errAdmitted is what follows the checks.
var errAdmitted = errors.New("admitted")

// TestProposals spoils proposals, and compares what an endorser says to them. What is admitted is proposed for a channel whose
// transactions can't be looked for.
func TestProposals(t *testing.T) {
	f := startFabric(t)
	o := newOrganizations(t, f)
	e := newEndorser(t, o)
	r := rand.New(rand.NewPCG(*seed, 6)) //nolint:gosec // a test is to be repeatable
	said := map[string]int{}
	for range *rounds {
		q := o.proposal(r)
		theirs := f.ask(q)
		_, err := e.ProcessProposal(t.Context(), &pb.SignedProposal{ProposalBytes: q.Proposal, Signature: q.Signature})
		ours, want := err.Error(), theirs.ParseError
		switch {
		case theirs.Error != "":
			want = "error validating proposal: " + theirs.Error
		case want == "":
			want = "look for transaction "
		case strings.Contains(want, "error unmarshalling"): // what follows is protobuf's, and not always the same
			want, _, _ = strings.Cut(want, ":")
		}
		if !strings.Contains(ours, want) {
			t.Errorf("ours %q, Fabric's %q", ours, want)
		}
		key, _, _ := strings.Cut(want, "'")
		said[key]++
	}
	for text, n := range said {
		t.Logf("%4d times %s", n, text)
	}
	if len(said) < 14 {
		t.Errorf("%d texts are too few to tell", len(said))
	}
}

func newEndorser(t *testing.T, o *organizations) *endorser.Endorser {
	t.Helper()
	support, err := chaincodesupport.New(chaincodesupport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := support.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	channel := &endorser.Channel{Verifier: o.verifier, Committed: func(context.Context, string) (bool, error) { return false, errAdmitted }}
	e, err := endorser.New(endorser.Config{
		Signer: o.signers["B.peer"], Chaincode: support, Channel: func(string) *endorser.Channel { return channel },
		Definitions: chaincodesupport.DefinitionsFunc(func(context.Context, handler.TxParams) (chaincodesupport.Definition, error) {
			return chaincodesupport.Definition{}, errAdmitted
		}),
		TimeWindow: 100 * 365 * 24 * 3600e9, // Fabric's filters are not asked
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// proposal is one that is spoiled in one of many ways, or not.
func (o *organizations) proposal(r *rand.Rand) question {
	o.t.Helper()
	id := o.signers[o.names[r.IntN(len(o.names))]]
	made, err := identity.NewProposal(identity.ProposalParams{ChannelID: "mychannel", Chaincode: "asset", Args: [][]byte{[]byte("x")}, Signer: id})
	if err != nil {
		o.t.Fatal(err)
	}
	var outer pb.Proposal
	var header pb.Header
	var channel pb.ChannelHeader
	var signature pb.SignatureHeader
	o.unmarshal(made.Signed.GetProposalBytes(), &outer)
	o.unmarshal(outer.GetHeader(), &header)
	o.unmarshal(header.GetChannelHeader(), &channel)
	o.unmarshal(header.GetSignatureHeader(), &signature)
	q := question{Endorse: true}
	spoil := r.IntN(20)
	switch spoil {
	case 0:
		channel.Type = int32(r.IntN(8))
	case 1:
		channel.Epoch = 1
	case 2:
		signature.Nonce = nil
	case 3:
		signature.Creator = nil
	case 4:
		channel.TxId = "abc"
	case 5:
		channel.Extension = marshal(o.t, &pb.ChaincodeHeaderExtension{})
	case 6:
		channel.Extension = marshal(o.t, &pb.ChaincodeHeaderExtension{ChaincodeId: &pb.ChaincodeID{Version: "1"}})
	case 7:
		channel.Extension = []byte{0xff}
	case 8:
		outer.Payload = []byte{0xff}
	case 9:
		outer.Payload = marshal(o.t, &pb.ChaincodeProposalPayload{Input: []byte{0xff}})
	case 10:
		outer.Payload = marshal(o.t, &pb.ChaincodeProposalPayload{})
	case 11:
		outer.Payload = marshal(o.t, &pb.ChaincodeProposalPayload{Input: marshal(o.t, &pb.ChaincodeInvocationSpec{ChaincodeSpec: &pb.ChaincodeSpec{}})})
	case 12:
		signature.Creator = []byte("x")
	}
	header.ChannelHeader, header.SignatureHeader = marshal(o.t, &channel), marshal(o.t, &signature)
	outer.Header = marshal(o.t, &header)
	if spoil == 13 {
		outer.Header = []byte{0xff}
	}
	q.Proposal = marshal(o.t, &outer)
	if q.Signature, err = id.Sign(q.Proposal); err != nil {
		o.t.Fatal(err)
	}
	switch spoil {
	case 14:
		q.Signature = []byte("x")
	case 15:
		q.Proposal = protowire.AppendTag(q.Proposal, 99, protowire.VarintType) // and no number
	case 16:
		q.Signature = nil
	}
	return q
}

func (o *organizations) unmarshal(b []byte, m proto.Message) {
	o.t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		o.t.Fatal(err)
	}
}
