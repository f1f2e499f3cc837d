package collections_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
)

func ExampleParse() {
	definitions, err := collections.Parse([]byte(`[
		{
			"name": "prices",
			"policy": "OR('Org1MSP.member', 'Org2MSP.member')",
			"blockToLive": 100,
			"memberOnlyRead": true
		}
	]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", definitions)

	_, err = collections.Parse([]byte(`[{"name": "prices", "policy": "AND('Org1MSP.member', 'Org2MSP.member')"}]`))
	fmt.Println(err)
	// Output:
	// [{Name:prices Policy:OR('Org1MSP.member', 'Org2MSP.member') RequiredPeerCount:0 MaxPeerCount:1 BlockToLive:100 MemberOnlyRead:true MemberOnlyWrite:false}]
	// parse collections: collection-name: prices -- error in member org policy: signature policy is not an OR concatenation, NOutOf 2
}

// fixed is a simulator whose ledger knows one collection. Those of kvledger know what Ledger.Define was given.
type fixed struct{ ledger.Simulator }

func (fixed) GetCollectionConfig(context.Context, string, string) (*ledger.CollectionConfig, error) {
	return &ledger.CollectionConfig{Name: "prices", Policy: "OR('Org1MSP.member')", MemberOnlyRead: true}, nil
}

// A Store is given to a peer, in chaincodesupport.Config, which asks it when chaincode names a collection.
func ExampleStore() {
	for _, mspID := range []string{"Org1MSP", "Org2MSP"} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
		if err != nil {
			fmt.Println(err)
			return
		}
		alice, err := msp.Issue(identity.Config{CommonName: "alice"})
		if err != nil {
			fmt.Println(err)
			return
		}
		p, err := identity.NewProposal(identity.ProposalParams{ChannelID: "mychannel", Chaincode: "asset", Signer: alice})
		if err != nil {
			fmt.Println(err)
			return
		}
		may, err := collections.Store{}.CollectionPermission(context.Background(), handler.CollectionRequest{
			ChannelID: "mychannel", Namespace: "asset", Collection: "prices", SignedProposal: p.Signed, Simulator: fixed{},
		})
		fmt.Printf("%s: %+v, %v\n", mspID, may, err)
	}
	// Output:
	// Org1MSP: {Read:true Write:true}, <nil>
	// Org2MSP: {Read:false Write:true}, <nil>
}
