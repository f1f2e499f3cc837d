package kvledger

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// UnmarshalPortions is unmarshal with portions of another size.
func UnmarshalPortions(ctx context.Context, b []byte, m proto.Message, portion int) error {
	return unmarshalPortions(ctx, b, m.ProtoReflect(), portion)
}

// Decode decodes a transaction's read/write sets, and returns its code.
func Decode(ctx context.Context, tx Transaction) ValidationCode {
	return rwsetDecoder{}.decode(ctx, tx).code
}
