package kvledger

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// UnmarshalPortions is unmarshal with portions of another size.
func UnmarshalPortions(ctx context.Context, b []byte, m proto.Message, portion int) error {
	return unmarshalPortions(ctx, b, m.ProtoReflect(), portion)
}
