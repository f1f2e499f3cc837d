package proposal_test

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport/proposal"
	pb "github.com/ccpeer/ccpeer/proto"
)

func ExampleNew() {
	creator, err := proto.Marshal(&pb.SerializedIdentity{Mspid: "Org1MSP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := proposal.New(proposal.Params{
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
