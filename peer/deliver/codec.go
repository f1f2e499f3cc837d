package deliver

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one stands on
	"google.golang.org/grpc/mem"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ServerOption returns an option for a gRPC server that has a Server. It makes no difference to clients. With it, blocks are sent from
// the place where they are kept for all subscribers. Without it, each stream has a copy of the block that it is sending, which may be
// for long if its client is slow.
func ServerOption() grpc.ServerOption {
	return grpc.ForceServerCodecV2(codec{encoding.GetCodecV2("proto")})
}

// codec is gRPC's codec for protobuf. What a Server has marshalled it takes as it is.
type codec struct{ encoding.CodecV2 }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *pb.DeliverResponse:
		if b := m.ProtoReflect().GetUnknown(); m.GetType() == nil && len(b) > 0 {
			return mem.BufferSlice{mem.SliceBuffer(b)}, nil
		}
	case *pb.OrdererDeliverResponse:
		if b := m.ProtoReflect().GetUnknown(); m.GetType() == nil && len(b) > 0 {
			return mem.BufferSlice{mem.SliceBuffer(b)}, nil
		}
	}
	return c.CodecV2.Marshal(v)
}
