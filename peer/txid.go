package peer

import (
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// channelHeaderOf returns the channel header of a marshalled Envelope, or an empty one if it can't be decoded.
func channelHeaderOf(envelope []byte) *pb.ChannelHeader {
	var (
		e       pb.Envelope
		payload pb.Payload
		header  pb.ChannelHeader
	)
	if proto.Unmarshal(envelope, &e) != nil || proto.Unmarshal(e.GetPayload(), &payload) != nil ||
		proto.Unmarshal(payload.GetHeader().GetChannelHeader(), &header) != nil {
		return &pb.ChannelHeader{}
	}
	return &header
}

// txIDOf returns the ID of the transaction in a marshalled Envelope, or "" if it has none.
func txIDOf(envelope []byte) string { return channelHeaderOf(envelope).GetTxId() }
