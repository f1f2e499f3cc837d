package handler

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// received is what one Recv returned: message and error travel together. The size of the message is looked at once, here,
// and goes with it. So everyone who counts its bytes counts the same.
type received struct {
	msg  *pb.ChaincodeMessage
	err  error
	size int
	row  *row // of the table, once the loop has admitted the message
}

// inbox is where messages of the chaincode enter. They enter one at a time, and only as many as may wait to be served.
type inbox struct {
	*session
	messages chan received // to the loop; without a buffer
	unserved *budget       // bytes of what was read and waits to be served
}

// receive is the goroutine that reads the stream, until the first error.
func (i *inbox) receive(stream pb.Stream) {
	for {
		msg, err := stream.Recv()
		if err != nil {
			i.deliver(received{err: err})
			return
		}
		if i.HandleMessage(msg) != nil {
			return
		}
	}
}

// HandleMessage implements MessageHandler.
func (i *inbox) HandleMessage(msg *pb.ChaincodeMessage) error {
	if msg == nil {
		i.deliver(received{}) // which ends the stream
		return ErrStreamTerminated
	}
	in := received{msg: msg, size: receivedSize(msg)}
	i.observe(Received, msg)
	full := i.unserved.take(in.size)
	switch {
	case !i.deliver(in):
		i.unserved.give(in.size)
		return ErrStreamTerminated
	case full:
		return i.unserved.wait(i.done)
	}
	return nil
}

// deliver gives to the loop what was received. It reports whether the loop took it.
func (i *inbox) deliver(in received) bool {
	select {
	case i.messages <- in:
		return true
	case <-i.done:
		return false
	}
}

// receivedSize is how many bytes a message of the chaincode has. Beside what messageSize counts, it may hold fields that no
// shim sends and nobody looks at.
func receivedSize(msg *pb.ChaincodeMessage) int {
	if msg.Proposal != nil || msg.ChaincodeEvent != nil || msg.Timestamp != nil || len(msg.ProtoReflect().GetUnknown()) > 0 {
		return proto.Size(msg)
	}
	return messageSize(msg)
}
