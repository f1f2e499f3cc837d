package realfabric_test

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	pb "github.com/ccpeer/ccpeer/proto"
)

// submit has chaincode Both run by a client, endorsed by both organizations.
func submit(t *testing.T, n *network.Network, args ...string) {
	t.Helper()
	params := identity.ProposalParams{ChannelID: network.ChannelID, Chaincode: network.Both, Signer: n.Organizations[0].User}
	for _, a := range args {
		params.Args = append(params.Args, []byte(a))
	}
	p, err := identity.NewProposal(params)
	if err != nil {
		t.Fatal(err)
	}
	var responses []*pb.ProposalResponse
	for _, o := range n.Organizations {
		r, err := o.Endorse(t.Context(), p.Signed)
		if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, r)
	}
	envelope, err := block.NewTransaction(p.Signed, responses, n.Organizations[0].User)
	if err != nil {
		t.Fatal(err)
	}
	if status, info, err := n.Broadcast(t.Context(), envelope); err != nil || status != network.Success {
		t.Fatalf("broadcast: %d, %s, %v", status, info, err)
	}
}

// TestNetwork has a transaction of this repository's chaincode endorsed, ordered and committed by Fabric, and reads its blocks.
func TestNetwork(t *testing.T) {
	n := network.Start(t, bin)
	submit(t, n, "a", "1")
	submit(t, n, "a", "2") // it doesn't see the first one
	if err := n.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, o := range n.Organizations {
		blocks, err := o.Blocks(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var previous *pb.BlockHeader
		for number := range uint64(8) {
			b, err := blocks.Next()
			if err != nil {
				t.Fatal(err)
			}
			if err := block.Check(b, number, previous); err != nil {
				t.Error(err)
			}
			if codes := network.Codes(b); number == 6 && !bytes.Equal(codes, []byte{0, 11}) {
				t.Errorf("peer of %s gives codes %v", o.MSP.ID(), codes)
			}
			if number > 0 && !signedByOrderer(t, n, b) {
				t.Errorf("block %d is not signed by the orderer, in the form that ours signs", number)
			}
			previous = b.GetHeader()
		}
	}
}

// signedByOrderer reports whether an orderer has signed a block, and what peer/ordering signs: the value, the signature's header, and the
// block's header.
func signedByOrderer(t *testing.T, n *network.Network, b *pb.Block) bool {
	t.Helper()
	var (
		m     pb.Metadata
		value pb.OrdererBlockMetadata
		by    pb.SignatureHeader
	)
	unmarshal(t, b.GetMetadata().GetMetadata()[pb.BlockMetadataIndex_SIGNATURES], &m)
	unmarshal(t, m.GetValue(), &value)
	if len(m.GetSignatures()) != 1 || value.GetLastConfig().GetIndex() != 0 {
		return false
	}
	signature := m.GetSignatures()[0]
	unmarshal(t, signature.GetSignatureHeader(), &by)
	v, err := identity.NewVerifier(n.OrdererMSP.Organization())
	if err != nil {
		t.Fatal(err)
	}
	orderer, err := v.Identify(by.GetCreator())
	if err != nil {
		t.Fatal(err)
	}
	header, err := block.HeaderBytes(b.GetHeader())
	if err != nil {
		t.Fatal(err)
	}
	return orderer.Verify(slices.Concat(m.GetValue(), signature.GetSignatureHeader(), header), signature.GetSignature()) == nil
}

func unmarshal(t *testing.T, b []byte, into proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}
