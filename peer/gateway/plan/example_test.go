package plan_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	"github.com/ccpeer/ccpeer/policies"
)

// A chaincode's policy needs two organizations, and the peer of the first has endorsed.
func ExampleNew() {
	var peers []*plan.Peer
	for _, mspID := range []string{"Org1MSP", "Org2MSP", "Org3MSP"} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
		if err != nil {
			fmt.Println(err)
			return
		}
		id, err := msp.Issue(identity.Config{CommonName: "peer0", OUs: []string{"peer"}})
		if err != nil {
			fmt.Println(err)
			return
		}
		verifier, err := identity.NewVerifier(msp.Organization())
		if err != nil {
			fmt.Println(err)
			return
		}
		who, err := verifier.Identify(id.Creator())
		if err != nil {
			fmt.Println(err)
			return
		}
		peers = append(peers, &plan.Peer{Address: "peer0." + mspID, Identity: who, Runs: func(string) bool { return true }})
	}
	policy, err := policies.Parse("OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")
	if err != nil {
		fmt.Println(err)
		return
	}
	known := channel{endorsement: map[string]policies.Policy{"asset": policy}}
	p, err := plan.New(context.Background(), known, plan.Transaction{Channel: "mychannel", Chaincode: "asset"}, peers)
	if err != nil {
		fmt.Println(err)
		return
	}
	next, _ := p.Next(peers[:1], nil)
	fmt.Println(next[0].Address)
	next, _ = p.Next(peers[:1], peers[1:2]) // which has failed
	fmt.Println(next[0].Address)
	// Output:
	// peer0.Org2MSP
	// peer0.Org3MSP
}
