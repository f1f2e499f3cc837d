package kvledger

import (
	"context"
	"crypto/sha256"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// portionBytes is how much is decoded, encoded or hashed between two looks at the context. It takes a few milliseconds at
// most, whatever the bytes are.
const portionBytes = 64 << 10

// unmarshal decodes b into m as proto.Unmarshal does, but looks at the context every few milliseconds. A read/write set of
// 100 MiB may consist of millions of entries, which take seconds.
//
// The idea: two encodings of a message, one after the other, are the encoding of both merged. So b is cut between fields into
// portions, which are merged one by one. A field that is larger than a portion, and is a message itself, is cut in the same
// way. Any other large field is one string of bytes, which is only copied.
func unmarshal(ctx context.Context, b []byte, m proto.Message) error {
	return unmarshalPortions(ctx, b, m.ProtoReflect(), portionBytes)
}

func unmarshalPortions(ctx context.Context, b []byte, m protoreflect.Message, portion int) error {
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
			if err := unmarshalPortions(ctx, value, fieldToMerge(m, of), portion); err != nil {
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

// hashBytes returns the SHA-256 of b, until ctx ends.
func hashBytes(ctx context.Context, b []byte) ([sha256.Size]byte, error) {
	const portion = 16 * portionBytes // a MiB takes a millisecond or two
	if len(b) <= portion {
		return sha256.Sum256(b), ctx.Err()
	}
	h := sha256.New()
	for ; len(b) > 0; b = b[min(portion, len(b)):] {
		if err := ctx.Err(); err != nil {
			return [sha256.Size]byte{}, err
		}
		_, _ = h.Write(b[:min(portion, len(b))]) // a hash never fails
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
