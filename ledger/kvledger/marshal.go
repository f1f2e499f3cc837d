package kvledger

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// portionEntries is how many entries of a read/write set are encoded between two looks at the context.
const portionEntries = 64

// marshal returns bytes that are never nil. Equal messages have equal bytes.
func marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{}, m)
}

// marshalKVRWSet returns marshal of a set, which may have millions of entries. It encodes them in portions: two encodings, one
// after the other, are the encoding of both together.
func marshalKVRWSet(ctx context.Context, kv *pb.KVRWSet) ([]byte, error) {
	if len(kv.Reads)+len(kv.RangeQueriesInfo)+len(kv.Writes)+len(kv.MetadataWrites) <= portionEntries {
		return marshal(kv)
	}
	var all []proto.Message
	for part := range slices.Chunk(kv.Reads, portionEntries) {
		all = append(all, &pb.KVRWSet{Reads: part})
	}
	for part := range slices.Chunk(kv.RangeQueriesInfo, portionEntries) {
		all = append(all, &pb.KVRWSet{RangeQueriesInfo: part})
	}
	for part := range slices.Chunk(kv.Writes, portionEntries) {
		all = append(all, &pb.KVRWSet{Writes: part})
	}
	for part := range slices.Chunk(kv.MetadataWrites, portionEntries) {
		all = append(all, &pb.KVRWSet{MetadataWrites: part})
	}
	return marshalEach(ctx, all)
}

// marshalHashedRWSet returns marshal of a set, as marshalKVRWSet does.
func marshalHashedRWSet(ctx context.Context, set *pb.HashedRWSet) ([]byte, error) {
	if len(set.HashedReads)+len(set.HashedWrites)+len(set.MetadataWrites) <= portionEntries {
		return marshal(set)
	}
	var all []proto.Message
	for part := range slices.Chunk(set.HashedReads, portionEntries) {
		all = append(all, &pb.HashedRWSet{HashedReads: part})
	}
	for part := range slices.Chunk(set.HashedWrites, portionEntries) {
		all = append(all, &pb.HashedRWSet{HashedWrites: part})
	}
	for part := range slices.Chunk(set.MetadataWrites, portionEntries) {
		all = append(all, &pb.HashedRWSet{MetadataWrites: part})
	}
	return marshalEach(ctx, all)
}

// marshalEach returns the encodings of messages, one after the other.
func marshalEach(ctx context.Context, all []proto.Message) ([]byte, error) {
	size := 0
	for _, m := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		size += proto.Size(m)
	}
	b := make([]byte, 0, size)
	for _, m := range all {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if b, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(b, m); err != nil {
			return nil, err
		}
	}
	return b, nil
}
