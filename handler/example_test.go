package handler_test

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A peer serves the stream of a chaincode and executes a transaction on it. Here the stream is in process and the
// chaincode is played: it greets whom it is called with.
func ExampleHandleChaincodeStream() {
	stream, chaincode := pipe.New()
	go func() {
		name, _ := proto.Marshal(&pb.ChaincodeID{Name: "greeter:1.0"})
		_ = chaincode.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_REGISTER, Payload: name})
		for m, err := chaincode.Recv(); err == nil; m, err = chaincode.Recv() {
			if m.Type != pb.ChaincodeMessage_TRANSACTION {
				continue
			}
			in := &pb.ChaincodeInput{}
			_ = proto.Unmarshal(m.Payload, in)
			answer, _ := proto.Marshal(&pb.Response{Status: 200, Payload: append([]byte("hello "), in.Args[0]...)})
			_ = chaincode.Send(&pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Payload: answer, Txid: m.Txid, ChannelId: m.ChannelId})
		}
	}()

	ready := make(readiness, 1) // a Registry: it is told when transactions can be executed
	go func() {
		stream.End(handler.HandleChaincodeStream(context.Background(), handler.Config{Registry: ready}, stream))
	}()
	h := <-ready

	reply, err := h.Execute(context.Background(), handler.TxParams{ChannelID: "ch", TxID: "tx1"},
		pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{Args: [][]byte{[]byte("world")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &pb.Response{}
	_ = proto.Unmarshal(reply.Payload, r)
	fmt.Printf("%s %d %s\n", reply.Type, r.Status, r.Payload)

	h.Close()
	h.Wait()
	// Output: COMPLETED 200 hello world
}

// A transaction of a chaincode that doesn't answer ends with its context.
func ExampleHandler_Execute() {
	h, stop := pipedHandler(func(*pb.ChaincodeMessage) *pb.ChaincodeMessage { return nil })
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 1)
	defer cancel()
	_, err := h.Execute(ctx, handler.TxParams{ChannelID: "ch", TxID: "tx1"}, pb.ChaincodeMessage_TRANSACTION, &pb.ChaincodeInput{})
	fmt.Println(err)
	// Output: timeout expired while executing transaction
}
