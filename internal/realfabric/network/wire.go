package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"math"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// codec sends bytes as they are, and so also what isn't a message. The few messages that this repository has no use for are
// written and read here by their fields.
type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (codec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

// dial connects to a server, which may still be starting.
func dial(address string, cfg *tls.Config) (*grpc.ClientConn, error) {
	soon := backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{}), grpc.WaitForReady(true), grpc.MaxCallRecvMsgSize(math.MaxInt32)))
	return conn, errors.Wrap(err, "dial")
}

// stream opens a stream of which both ends may send.
func stream(ctx context.Context, conn *grpc.ClientConn, method string) (grpc.ClientStream, error) {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	return s, errors.Wrap(err, method)
}

// message writes a message by its fields.
type message []byte

func (m message) varint(n protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

func (m message) bytes(n protowire.Number, v []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), v)
}

func (m message) text(n protowire.Number, v string) message { return m.bytes(n, []byte(v)) }

// fields reads the fields of a message that are numbers or bytes. Of repeated ones, it has the last.
func fields(b []byte) (numbers map[protowire.Number]uint64, parts map[protowire.Number][]byte, err error) {
	numbers, parts = map[protowire.Number]uint64{}, map[protowire.Number][]byte{}
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, nil, errors.WithStack(protowire.ParseError(n))
		}
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			numbers[number], n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			parts[number], n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, typ, b)
		}
		if n < 0 {
			return nil, nil, errors.WithStack(protowire.ParseError(n))
		}
		b = b[n:]
	}
	return numbers, parts, nil
}

// seek asks for the blocks from a number on, without an end (orderer/ab.proto, SeekInfo).
func seek(from uint64) []byte {
	position := func(number uint64) []byte {
		return message(nil).bytes(3, message(nil).varint(1, number)) // specified
	}
	return message(nil).bytes(1, position(from)).bytes(2, position(math.MaxUint64))
}

// readBlock reads a DeliverResponse.
func readBlock(response []byte) (*pb.Block, error) {
	numbers, parts, err := fields(response)
	if err != nil {
		return nil, err
	}
	if parts[2] == nil {
		return nil, errors.Errorf("no more blocks are delivered: status %d", numbers[1])
	}
	b := &pb.Block{}
	return b, errors.Wrap(proto.Unmarshal(parts[2], b), "decode block")
}
