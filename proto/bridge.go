package pb

import (
	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"
)

// Foreign is a stream of chaincode messages of another generated type, such as that of Fabric's own bindings. P is a pointer
// to that type.
type Foreign[P proto.Message] interface {
	Send(P) error
	Recv() (P, error)
}

// ForeignStream is our stream in the form of another generated type. It has the methods that Fabric's shim expects of a
// stream, in a server (Connect) and in process (StartInProc).
type ForeignStream[T any, P message[T]] struct{ own Stream }

type message[T any] interface {
	*T
	proto.Message
}

// As presents s as a stream of T, a ChaincodeMessage of another binding:
//
//	pb.As[peer.ChaincodeMessage](stream)
//
// Each message is converted by way of its wire form. So each side keeps messages of its own.
func As[T any, P message[T]](s Stream) *ForeignStream[T, P] { return &ForeignStream[T, P]{own: s} }

// Send converts m and sends it.
func (f *ForeignStream[T, P]) Send(m P) error {
	own := new(ChaincodeMessage)
	if err := convert(own, m); err != nil {
		return err
	}
	return f.own.Send(own)
}

// Recv receives a message and converts it. It returns errors of the stream unchanged.
func (f *ForeignStream[T, P]) Recv() (P, error) {
	own, err := f.own.Recv()
	if err != nil {
		return nil, err
	}
	m := P(new(T))
	if err := convert(m, own); err != nil {
		return nil, err
	}
	return m, nil
}

// CloseSend says that nothing more will be sent. On a stream that cannot say so it does nothing.
func (f *ForeignStream[T, P]) CloseSend() error {
	if c, ok := f.own.(interface{ CloseSend() error }); ok {
		return c.CloseSend()
	}
	return nil
}

// From presents f, a stream of another binding's messages, as a Stream.
func From[T any, P message[T]](f Foreign[P]) ClientStream { return &fromStream[T, P]{foreign: f} }

type fromStream[T any, P message[T]] struct{ foreign Foreign[P] }

func (s *fromStream[T, P]) Send(own *ChaincodeMessage) error {
	m := P(new(T))
	if err := convert(m, own); err != nil {
		return err
	}
	return s.foreign.Send(m)
}

func (s *fromStream[T, P]) Recv() (*ChaincodeMessage, error) {
	m, err := s.foreign.Recv()
	if err != nil {
		return nil, err
	}
	own := new(ChaincodeMessage)
	if err := convert(own, m); err != nil {
		return nil, err
	}
	return own, nil
}

func (s *fromStream[T, P]) CloseSend() error {
	if c, ok := s.foreign.(interface{ CloseSend() error }); ok {
		return c.CloseSend()
	}
	return nil
}

// Convert returns m as a T, a message of another binding that has the same fields: Fabric's SignedProposal as ours, say, or ours as
// Fabric's. It goes by way of the wire form, so the two share no memory.
//
//	signed, err := pb.Convert[pb.SignedProposal](request.ProposedTransaction)
func Convert[T any, P message[T]](m proto.Message) (*T, error) {
	to := new(T)
	if err := convert(P(to), m); err != nil {
		return nil, err
	}
	return to, nil
}

func convert(to, from proto.Message) error {
	b, err := proto.Marshal(from)
	if err != nil {
		return errors.Wrap(err, "marshal chaincode message")
	}
	if err := proto.Unmarshal(b, to); err != nil {
		return errors.Wrap(err, "unmarshal chaincode message")
	}
	return nil
}
