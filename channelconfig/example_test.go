package channelconfig_test

import (
	"fmt"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
)

// A channel of one organization: its first block, and what that says.
func Example() {
	org1, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	members := []channelconfig.Organization{{MSP: org1.Organization(), AnchorPeers: []string{"peer0.example.com:7051"}}}
	genesis, err := channelconfig.Channel{Application: channelconfig.Application{Organizations: members}}.Genesis("mychannel")
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := channelconfig.FromBlock(genesis)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := channelconfig.Read(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Application.Organizations[0].AnchorPeers, c.Application.Capabilities, c.Orderer.Batch.Timeout)
	p, err := c.Policy("/Channel/Application/Readers")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Evaluate(nil))
	// Output:
	// [peer0.example.com:7051] [V2_5] 2s
	// implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Readers' sub-policies to be satisfied
}
