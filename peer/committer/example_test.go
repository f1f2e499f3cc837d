package committer_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/policies"
)

// A block has what a client has sent, whatever it is. Here that is nothing that anybody has signed.
func Example() {
	ctx := context.Background()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	members, err := identity.NewVerifier(msp.Organization())
	if err != nil {
		fmt.Println(err)
		return
	}
	ledger, err := kvledger.NewProvider(memory.New()).Open(ctx, "mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := policies.Parse("OR('Org1MSP.peer')")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := committer.New(committer.Config{
		ChannelID: "mychannel", Verifier: members, Ledger: ledger,
		Definitions: committer.DefinitionsFunc(func(_ context.Context, chaincode string) (*committer.Definition, error) {
			if chaincode != "asset" {
				return nil, nil // the channel doesn't have it
			}
			return &committer.Definition{Endorsement: policy}, nil
		}),
		Refused: func(r committer.Refusal) { fmt.Println(r.Block, r.Position, r.Reason) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := block.New(0, nil, [][]byte{{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Commit(ctx, b))
	// Output:
	// 0 0 there is no header
	// [BAD_COMMON_HEADER] <nil>
}
