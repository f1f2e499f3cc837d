package identity_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

func ExampleNewProposal() {
	creator, err := proto.Marshal(&pb.SerializedIdentity{Mspid: "Org1MSP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: "mychannel",
		Chaincode: "asset",
		Args:      [][]byte{[]byte("Create"), []byte("a1"), []byte("blue")},
		Creator:   creator,
		Nonce:     []byte("as random as can be"), // leave it out to get a new transaction ID each time
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.TxID)
	// Output: b2da3aa686f99741d2dfb2fd6c9c6b361499a8015dc4cac7217dbca3cbeaa5bf
}

// A peer that has a proposal of a client takes it apart, and finds out who it is from.
func ExampleParseProposal() {
	org1, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP", Organization: "org1.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	alice, err := org1.Issue(identity.Config{CommonName: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := identity.NewProposal(identity.ProposalParams{ChannelID: "mychannel", Chaincode: "asset", Args: [][]byte{[]byte("Read")}, Signer: alice})
	if err != nil {
		fmt.Println(err)
		return
	}

	p, err := identity.ParseProposal(made.Signed)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := identity.NewVerifier(org1.Organization()) // and those of the channel's other organizations
	if err != nil {
		fmt.Println(err)
		return
	}
	who, err := p.Verify(verifier, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s of %s calls %s %s on %s\n", who.Certificate().Subject, who.MSPID(), p.Chaincode, p.Args[0], p.ChannelID)
	// Output: CN=alice,OU=client,O=org1.example.com of Org1MSP calls asset Read on mychannel
}
