package broadcast_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/peer/broadcast"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

func Example() {
	orderer, err := ordering.New(ordering.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orderer.Close()
	b, err := broadcast.New(broadcast.Config{Service: orderer})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := b.Process(context.Background(), &pb.Envelope{}) // as b.Broadcast does with each envelope of a stream
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.GetStatus(), answer.GetInfo())
	// Output: BAD_REQUEST could not determine channel ID: header not set
}
