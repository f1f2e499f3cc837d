// Package streamtest is a stream whose far side is played by a test: it scripts what is received, sees what is sent,
// and makes either fail. It waits on channels only, and so works in a testing/synctest bubble.
package streamtest

import (
	"io"
	"sync"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// ErrEnded is what both operations of a stream return once it has ended.
var ErrEnded = errors.New("stream ended")

// capacity is how many events a script may be ahead of Recv, and how many messages Send may be ahead of Next.
const capacity = 1 << 12

// Stream is a stream. Send and Recv are for what is tested, everything else is for the test; all of it is safe for
// concurrent use.
type Stream struct {
	script chan func() (*pb.ChaincodeMessage, error) // one for each Recv
	sent   chan *pb.ChaincodeMessage
	ended  chan struct{}
	once   sync.Once

	mu     sync.Mutex
	onSend func(*pb.ChaincodeMessage) error // protected by mu
}

var _ pb.Stream = (*Stream)(nil)

// New returns a stream with an empty script: Recv waits. End releases it.
func New() *Stream {
	return &Stream{
		script: make(chan func() (*pb.ChaincodeMessage, error), capacity),
		sent:   make(chan *pb.ChaincodeMessage, capacity),
		ended:  make(chan struct{}),
	}
}

// Recv does what is next in the script, or waits for it.
func (s *Stream) Recv() (*pb.ChaincodeMessage, error) {
	select {
	case next := <-s.script:
		return next()
	case <-s.ended:
		return nil, ErrEnded
	}
}

// Send does what OnSend says, and keeps a copy of the message for Next unless that is an error.
func (s *Stream) Send(m *pb.ChaincodeMessage) error {
	s.mu.Lock()
	onSend := s.onSend
	s.mu.Unlock()
	if onSend != nil {
		if err := onSend(m); err != nil {
			return err
		}
	}
	select {
	case s.sent <- proto.CloneOf(m):
		return nil
	case <-s.ended:
		return ErrEnded
	}
}

// Deliver makes Recv return the messages, after what was scripted before.
func (s *Stream) Deliver(msgs ...*pb.ChaincodeMessage) {
	for _, m := range msgs {
		s.Do(func() (*pb.ChaincodeMessage, error) { return m, nil })
	}
}

// Fail makes Recv return err, after what was scripted before.
func (s *Stream) Fail(err error) {
	s.Do(func() (*pb.ChaincodeMessage, error) { return nil, err })
}

// CloseSend makes Recv return io.EOF, after what was scripted before: the far side sends nothing more.
func (s *Stream) CloseSend() { s.Fail(io.EOF) }

// Do makes Recv call f, which may wait or panic, after what was scripted before.
func (s *Stream) Do(f func() (*pb.ChaincodeMessage, error)) { s.script <- f }

// OnSend makes every later Send call f first, which may return an error, wait or panic. Nil sets it right again.
func (s *Stream) OnSend(f func(*pb.ChaincodeMessage) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onSend = f
}

// Block makes every later Send wait until release is closed or the stream ends: a far side that doesn't read.
func (s *Stream) Block(release <-chan struct{}) {
	s.OnSend(func(*pb.ChaincodeMessage) error {
		select {
		case <-release:
			return nil
		case <-s.ended:
			return ErrEnded
		}
	})
}

// Next waits for the next message that was sent. It returns nil when the stream has ended and there is none.
func (s *Stream) Next() *pb.ChaincodeMessage {
	select {
	case m := <-s.sent:
		return m
	case <-s.ended:
	}
	select {
	case m := <-s.sent:
		return m
	default:
		return nil
	}
}

// Sent returns the messages that were sent and that Next has not returned, without waiting.
func (s *Stream) Sent() []*pb.ChaincodeMessage {
	var msgs []*pb.ChaincodeMessage
	for {
		select {
		case m := <-s.sent:
			msgs = append(msgs, m)
		default:
			return msgs
		}
	}
}

// End releases every Send and Recv that waits, and makes all later ones return ErrEnded, as a gRPC stream does when
// the method that serves it has returned.
func (s *Stream) End() { s.once.Do(func() { close(s.ended) }) }
