// Package portions goes through large messages so that it can be stopped.
package portions

import (
	"context"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bytes is how much is decoded, encoded or hashed between two looks at the context. It takes a few milliseconds at most, whatever
// the bytes are.
const Bytes = 64 << 10

// Look looks at the context once in a while: i counts what a loop has done. A block may have millions of reads and writes, and whoever
// commits it may want to stop.
func Look(ctx context.Context, i int) error {
	const often = 1 << 10
	if i%often != 0 {
		return nil
	}
	return ctx.Err()
}

// Unmarshal decodes b into m as proto.Unmarshal does, but looks at the context every few milliseconds. A read/write set of
// 100 MiB may consist of millions of entries, which take seconds.
//
// The idea: two encodings of a message, one after the other, are the encoding of both merged. So b is cut between fields into
// portions, which are merged one by one. A field that is larger than a portion, and is a message itself, is cut in the same
// way. Any other large field is one string of bytes, which is only copied.
//
// m should be empty. If ctx ends, the error is its own.
func Unmarshal(ctx context.Context, b []byte, m proto.Message) error {
	return UnmarshalBy(ctx, b, m, Bytes)
}

// UnmarshalBy is Unmarshal with portions of another size, in bytes.
func UnmarshalBy(ctx context.Context, b []byte, m proto.Message, portion int) error {
	return unmarshal(ctx, b, m.ProtoReflect(), portion)
}

func unmarshal(ctx context.Context, b []byte, m protoreflect.Message, portion int) error {
	begin, at := 0, 0 // of the portion, and of the next field
	for at < len(b) {
		number, typ, n := protowire.ConsumeField(b[at:])
		if n < 0 {
			return errors.Wrap(protowire.ParseError(n), "cut message into fields")
		}
		of := m.Descriptor().Fields().ByNumber(number)
		if large := n > portion && of != nil && of.Message() != nil && !of.IsMap() && typ == protowire.BytesType; large {
			if err := merge(ctx, b[begin:at], m); err != nil {
				return err
			}
			_, _, tag := protowire.ConsumeTag(b[at:])
			value, _ := protowire.ConsumeBytes(b[at+tag:])
			if err := unmarshal(ctx, value, fieldToMerge(m, of), portion); err != nil {
				return err
			}
			begin = at + n
		}
		at += n
		if at-begin >= portion {
			if err := merge(ctx, b[begin:at], m); err != nil {
				return err
			}
			begin = at
		}
	}
	return merge(ctx, b[begin:], m)
}

// fieldToMerge returns the message that the next value of a field belongs to: a new element of a list, or the one that is
// there.
func fieldToMerge(m protoreflect.Message, of protoreflect.FieldDescriptor) protoreflect.Message {
	if of.IsList() {
		return m.Mutable(of).List().AppendMutable().Message()
	}
	return m.Mutable(of).Message()
}

func merge(ctx context.Context, b []byte, m protoreflect.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return proto.UnmarshalOptions{Merge: true}.Unmarshal(b, m.Interface())
}
