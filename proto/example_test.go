package pb_test

import (
	"fmt"

	pb "github.com/ccpeer/ccpeer/proto"
)

// peerMessage stands for peer.ChaincodeMessage of Fabric's own bindings, which a program that uses them has instead of it.
type peerMessage = pb.ChaincodeMessage

// officialShim stands for what wants a stream of Fabric's own messages: shim.StartInProc, say, or a chaincode server's Connect.
func officialShim(s interface {
	Send(*peerMessage) error
	Recv() (*peerMessage, error)
}) {
	if err := s.Send(&peerMessage{Type: pb.ChaincodeMessage_REGISTER}); err != nil {
		fmt.Println(err)
	}
}

// A stream of ours is given to an official shim.
func ExampleAs() {
	ours := &queue{} // what a runtime's StreamHandler is given
	officialShim(pb.As[peerMessage](ours))
	fmt.Println(ours.msgs[0].Type)
	// Output: REGISTER
}

// A stream of Fabric's own messages, as its generated gRPC client returns it, is given to what wants one of ours.
func ExampleFrom() {
	theirs := pb.As[peerMessage](&queue{msgs: []*pb.ChaincodeMessage{{Type: pb.ChaincodeMessage_REGISTERED}}})
	ours := pb.From[peerMessage](theirs)
	m, err := ours.Recv()
	fmt.Println(m.Type, err)
	// Output: REGISTERED <nil>
}

// A single message is converted.
func ExampleConvert() {
	theirs := &peerMessage{Txid: "tx1"}
	ours, err := pb.Convert[pb.ChaincodeMessage](theirs)
	fmt.Println(ours.Txid, err)
	// Output: tx1 <nil>
}
