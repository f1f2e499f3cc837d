package deliver_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/deliver"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// single is a ledger that has one block, and never gets another.
type single struct{ block *pb.Block }

// Height implements deliver.Ledger.
func (s single) Height(context.Context) (uint64, error) { return 1, nil }

// Block implements deliver.Ledger.
func (s single) Block(ctx context.Context, number uint64) (*pb.Block, error) {
	if number == 0 {
		return s.block, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// allBlocks asks for all blocks that are there.
func allBlocks() (*pb.Envelope, error) {
	var firstErr error
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			firstErr = err
		}
		return b
	}
	payload := marshal(&pb.Payload{
		Header: &pb.Header{
			ChannelHeader:   marshal(&pb.ChannelHeader{ChannelId: "mychannel", Timestamp: timestamppb.Now()}),
			SignatureHeader: marshal(&pb.SignatureHeader{Creator: []byte("alice")}),
		},
		Data: marshal(&pb.SeekInfo{Start: oldest, Stop: newest}),
	})
	return &pb.Envelope{Payload: payload, Signature: []byte("alice's")}, firstErr
}

func Example() {
	b, err := block.New(0, nil, [][]byte{{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mychannel := &deliver.Channel{Ledger: single{b}}
	s, err := deliver.New(deliver.Config{
		Channel: func(id string) *deliver.Channel {
			if id == "mychannel" {
				return mychannel
			}
			return nil
		},
		ACL: acl.CheckerFunc(func(_ context.Context, r acl.Request) error {
			fmt.Printf("%s wants %s\n", r.Identity, r.Resource)
			return nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := grpc.NewServer(deliver.ServerOption())
	defer server.Stop()
	pbgrpc.RegisterDeliverServer(server, s)
	l := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(l) }()
	if err := read(context.Background(), l); err != nil {
		fmt.Println(err)
	}
	// Output:
	// alice wants event/Block
	// block 0
	// SUCCESS
}

// read is a client.
func read(ctx context.Context, l *bufconn.Listener) error {
	cc, err := grpc.NewClient("passthrough:peer", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		return err
	}
	defer func() { _ = cc.Close() }()
	stream, err := pbgrpc.Open[pb.Envelope, pb.DeliverResponse](ctx, cc, pbgrpc.Deliver_Deliver_FullMethodName)
	if err != nil {
		return err
	}
	e, err := allBlocks()
	if err == nil {
		err = stream.Send(e)
	}
	for err == nil {
		var r *pb.DeliverResponse
		if r, err = stream.Recv(); r.GetBlock() == nil {
			fmt.Println(r.GetStatus())
			return err
		}
		fmt.Println("block", r.GetBlock().GetHeader().GetNumber())
	}
	return err
}
