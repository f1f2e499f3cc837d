// Package pipe is a chaincode's stream within one process: two ends joined in memory, without serialization.
//
// It keeps gRPC's rules. Messages arrive in order; what was sent before an end is received before it; every Send and
// Recv returns when either side ends the stream. Send passes on a copy, so each side has messages of its own.
package pipe

import (
	"bytes"
	"io"
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/ccpeer/ccpeer/proto"
)

// capacity is how many messages a direction holds before Send waits for the receiver.
const capacity = 64

var (
	// ErrEnded is what the peer's own end returns after End.
	ErrEnded = errors.New("stream ended by its peer")
	// ErrClosedSend is what the chaincode's Send returns after CloseSend.
	ErrClosedSend = errors.New("send on a stream after CloseSend")
)

// stream is what both ends share.
type stream struct {
	toPeer, toChaincode chan *pb.ChaincodeMessage

	closeSend sync.Once
	sendDone  chan struct{} // closed by CloseSend

	end  sync.Once
	done chan struct{} // closed by End or Abort
	// Set before done is closed, and not changed after: what each operation returns once the stream is over.
	peerErr, chaincodeSend, chaincodeRecv error
}

// Peer is the end that a handler serves. Its methods are safe for concurrent use.
type Peer struct{ s *stream }

// Chaincode is the end that a shim talks on. Its methods are safe for concurrent use.
type Chaincode struct{ s *stream }

var (
	_ pb.Stream       = (*Peer)(nil)
	_ pb.ClientStream = (*Chaincode)(nil)
)

// New returns the two ends of a new stream. Nothing has to be released: a stream that both sides have let go of is
// garbage, though a Send or Recv that is waiting returns only when one of the sides ends the stream.
func New() (*Peer, *Chaincode) {
	s := &stream{
		toPeer:      make(chan *pb.ChaincodeMessage, capacity),
		toChaincode: make(chan *pb.ChaincodeMessage, capacity),
		sendDone:    make(chan struct{}),
		done:        make(chan struct{}),
	}
	return &Peer{s}, &Chaincode{s}
}

// Send passes a copy of m to the chaincode. It waits while the chaincode is 64 messages behind.
func (p *Peer) Send(m *pb.ChaincodeMessage) error {
	return p.s.send(p.s.toChaincode, m, &p.s.peerErr)
}

// Recv returns the chaincode's next message, io.EOF after its CloseSend, or the error that the stream ended with.
func (p *Peer) Recv() (*pb.ChaincodeMessage, error) {
	select {
	case m := <-p.s.toPeer:
		return m, nil
	case <-p.s.sendDone:
		return last(p.s.toPeer, io.EOF)
	case <-p.s.done:
		return last(p.s.toPeer, p.s.peerErr)
	}
}

// End ends the stream, as a gRPC method ends its stream by returning err. The chaincode receives what was sent
// before, then err, or io.EOF if err is nil. The peer's own operations return ErrEnded. Only the first End or Abort
// counts.
func (p *Peer) End(err error) {
	if err == nil {
		err = io.EOF
	}
	p.s.finish(ErrEnded, io.EOF, err)
}

// Send passes a copy of m to the peer. It waits while the peer is 64 messages behind. It returns io.EOF once the
// peer has ended the stream; Recv tells why.
func (c *Chaincode) Send(m *pb.ChaincodeMessage) error {
	select {
	case <-c.s.sendDone:
		return ErrClosedSend
	default:
		return c.s.send(c.s.toPeer, m, &c.s.chaincodeSend)
	}
}

// Recv returns the peer's next message, or the error that the stream ended with: io.EOF if it ended in good order.
func (c *Chaincode) Recv() (*pb.ChaincodeMessage, error) {
	select {
	case m := <-c.s.toChaincode:
		return m, nil
	case <-c.s.done:
		return last(c.s.toChaincode, c.s.chaincodeRecv)
	}
}

// CloseSend says that the chaincode sends nothing more: the peer receives what was sent before, then io.EOF.
func (c *Chaincode) CloseSend() error {
	c.s.closeSend.Do(func() { close(c.s.sendDone) })
	return nil
}

// Abort ends the stream from the chaincode's side, as a connection that breaks does. Each side receives what was
// sent to it before, then err, or io.EOF if err is nil; Send returns it at once. Only the first End or Abort counts.
func (c *Chaincode) Abort(err error) {
	if err == nil {
		err = io.EOF
	}
	c.s.finish(err, err, err)
}

func (s *stream) finish(peerErr, chaincodeSend, chaincodeRecv error) {
	s.end.Do(func() {
		s.peerErr, s.chaincodeSend, s.chaincodeRecv = peerErr, chaincodeSend, chaincodeRecv
		close(s.done)
	})
}

// send gives a copy of m to ch. err is where the stream's end leaves the error, read only after the end.
func (s *stream) send(ch chan<- *pb.ChaincodeMessage, m *pb.ChaincodeMessage, err *error) error {
	select {
	case <-s.done: // checked by itself: with room in ch, the select below may choose either
		return *err
	default:
	}
	select {
	case ch <- clone(m):
		return nil
	case <-s.done:
		return *err
	}
}

// last returns a message that was sent before the end, or err.
func last(ch <-chan *pb.ChaincodeMessage, err error) (*pb.ChaincodeMessage, error) {
	select {
	case m := <-ch:
		return m, nil
	default:
		return nil, err
	}
}

// clone copies a message and all that it refers to. It knows the fields: proto.Clone costs several times as much.
// Fields that are unknown to this version are not copied. As in gRPC, a nil message arrives as an empty one.
func clone(m *pb.ChaincodeMessage) *pb.ChaincodeMessage {
	c := &pb.ChaincodeMessage{
		Type:      m.GetType(),
		Payload:   bytes.Clone(m.GetPayload()),
		Txid:      m.GetTxid(),
		ChannelId: m.GetChannelId(),
	}
	if t := m.GetTimestamp(); t != nil {
		c.Timestamp = &timestamppb.Timestamp{Seconds: t.GetSeconds(), Nanos: t.GetNanos()}
	}
	if p := m.GetProposal(); p != nil {
		c.Proposal = &pb.SignedProposal{ProposalBytes: bytes.Clone(p.GetProposalBytes()), Signature: bytes.Clone(p.GetSignature())}
	}
	if e := m.GetChaincodeEvent(); e != nil {
		c.ChaincodeEvent = &pb.ChaincodeEvent{
			ChaincodeId: e.GetChaincodeId(),
			TxId:        e.GetTxId(),
			EventName:   e.GetEventName(),
			Payload:     bytes.Clone(e.GetPayload()),
		}
	}
	return c
}
