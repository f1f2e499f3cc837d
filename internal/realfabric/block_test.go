package realfabric_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// some are up to n random bytes.
func some(r *rand.Rand, n int) []byte {
	b := make([]byte, r.IntN(n+1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestBlocks compares the hashes of random blocks.
func TestBlocks(t *testing.T) {
	f := startFabric(t)
	r := rand.New(rand.NewPCG(*seed, 2)) //nolint:gosec // a test is to be repeatable
	for range 500 {
		b := &pb.Block{
			Header: &pb.BlockHeader{Number: r.Uint64() >> r.IntN(64), PreviousHash: some(r, 40), DataHash: some(r, 40)},
			Data:   &pb.BlockData{},
		}
		for range r.IntN(4) {
			b.Data.Data = append(b.Data.Data, some(r, 100))
		}
		theirs := f.ask(question{Block: marshal(t, b)})
		hash, err := block.HeaderHash(b.GetHeader())
		if err != nil || !bytes.Equal(hash, theirs.HeaderHash) || !bytes.Equal(block.DataHash(b.GetData()), theirs.DataHash) {
			t.Fatalf("%v: ours %x, %v and %x, Fabric's %x and %x", b, hash, err, block.DataHash(b.GetData()), theirs.HeaderHash, theirs.DataHash)
		}
	}
}

// TestTransactions compares what a client makes of its proposal and its endorsements, byte for byte, and reads it.
func TestTransactions(t *testing.T) {
	f := startFabric(t)
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := msp.Issue(identity.Config{CommonName: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(*seed, 3)) //nolint:gosec // as above
	made, refused := 0, 0
	for range 300 {
		proposal, err := identity.NewProposal(identity.ProposalParams{
			ChannelID: "mychannel", Chaincode: "asset", Args: [][]byte{some(r, 9), some(r, 9)}, IsInit: r.IntN(2) == 0,
			Transient: map[string][]byte{"secret": some(r, 9)}, Signer: alice,
		})
		if err != nil {
			t.Fatal(err)
		}
		responses := answers(t, r, proposal)
		q := question{Proposal: proposal.Signed.GetProposalBytes()}
		for _, response := range responses {
			q.Responses = append(q.Responses, marshal(t, response))
		}
		theirs := f.ask(q)
		envelope, err := block.NewTransaction(proposal.Signed, responses, alice)
		if err != nil {
			if refused++; theirs.Error == "" || !sameError(err, theirs.Error) {
				t.Errorf("ours %v, Fabric's %s", err, theirs.Error)
			}
			continue
		}
		made++
		tx, err := block.ParseTransaction(envelope)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(tx.Signed, theirs.Payload) {
			t.Errorf("ours\n%x, Fabric's\n%x, %s", tx.Signed, theirs.Payload, theirs.Error)
		}
	}
	t.Logf("%d are made, %d refused", made, refused)
	if made < 100 || refused < 30 {
		t.Error("that is too few to tell")
	}
}

// answers are what endorsers answer: often the same, sometimes not.
func answers(t *testing.T, r *rand.Rand, proposal *identity.Proposal) []*pb.ProposalResponse {
	t.Helper()
	var p pb.Proposal
	if err := proto.Unmarshal(proposal.Signed.GetProposalBytes(), &p); err != nil {
		t.Fatal(err)
	}
	hash, err := block.ProposalHash(&p)
	if err != nil {
		t.Fatal(err)
	}
	action := &pb.ChaincodeAction{
		Results: some(r, 30), Response: &pb.Response{Status: 200, Payload: some(r, 9)}, ChaincodeId: &pb.ChaincodeID{Name: "asset", Version: "1.0"},
	}
	payload := marshal(t, &pb.ProposalResponsePayload{ProposalHash: hash, Extension: marshal(t, action)})
	responses := make([]*pb.ProposalResponse, r.IntN(4))
	for i := range responses {
		responses[i] = &pb.ProposalResponse{
			Version: 1, Response: action.Response, Payload: payload, Endorsement: &pb.Endorsement{Endorser: some(r, 9), Signature: some(r, 9)},
		}
		switch r.IntN(12) {
		case 0:
			responses[i].Response = &pb.Response{Status: []int32{0, 199, 399, 400, 500}[r.IntN(5)], Message: "no"}
		case 1:
			responses[i].Payload = append(bytes.Clone(payload), 0x98, 0x06, 1)
		}
	}
	return responses
}

// sameError compares texts up to where Fabric's has the whole answers.
func sameError(ours error, theirs string) bool {
	text, _, _ := strings.Cut(theirs, " (base64)")
	return strings.Contains(ours.Error(), text)
}
