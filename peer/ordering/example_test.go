package ordering_test

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// transaction is an envelope for a channel. Real ones are made by block.NewTransaction.
func transaction(channelID string) ([]byte, error) {
	channel, err := proto.Marshal(&pb.ChannelHeader{Type: int32(pb.HeaderType_ENDORSER_TRANSACTION), ChannelId: channelID})
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&pb.Payload{Header: &pb.Header{ChannelHeader: channel}})
	if err != nil {
		return nil, err
	}
	return proto.Marshal(&pb.Envelope{Payload: payload})
}

// order has two envelopes ordered, and returns the block that one of them is in.
func order(ctx context.Context, o *ordering.Orderer) (*pb.Block, error) {
	if err := o.AddChannel(ordering.Channel{ID: "mychannel"}); err != nil {
		return nil, err
	}
	blocks, err := o.Deliver(ctx, "mychannel", 0)
	if err != nil {
		return nil, err
	}
	defer blocks.Close()
	for _, channel := range []string{"mychannel", "yourchannel"} {
		envelope, err := transaction(channel)
		if err != nil {
			return nil, err
		}
		fmt.Println(channel, "-", o.Broadcast(ctx, envelope))
	}
	return blocks.Next(ctx)
}

func Example() {
	o, err := ordering.New(ordering.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer o.Close()
	b, err := order(context.Background(), o)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("block", b.GetHeader().GetNumber(), "has", len(b.GetData().GetData()), "envelope")
	// Output:
	// mychannel - <nil>
	// yourchannel - BAD_REQUEST: channel creation request not allowed because the orderer system channel is not defined
	// block 0 has 1 envelope
}
