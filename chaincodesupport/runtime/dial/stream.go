package dial

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport/internal/gate"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// goodbye is how long a server may take to end its side of a stream that the peer has closed.
const goodbye = time.Second

var errClosed = errors.New("stream is closed")

// stream is the peer's end of a stream, which is ended politely. The server is told that nothing more will come, and may
// finish its work before it is cut off. So the stream outlives the handler by a moment, in which end sends and receives.
//
// A handler that has returned may have left goroutines that are still in Send or Recv, and gRPC allows only one caller of
// each. The two locks make all of them take turns.
type stream struct {
	inner pb.ClientStream
	ctx   context.Context    // Run's; the stream outlives it by its goodbye
	cut   context.CancelFunc // ends inner at once
	gate  *gate.Gate         // of the connection

	sending   sync.Mutex
	closed    bool // nothing more is sent; guarded by sending
	receiving sync.Mutex
	lost      atomic.Bool // it ended before ctx did
}

var _ pb.Stream = (*stream)(nil)

// connect opens the stream, or returns why it couldn't within the dial timeout. If dialling has failed, the error is taken
// from failed, because gRPC's own has only its text.
func (r *Runtime) connect(ctx context.Context, conn *grpc.ClientConn, failed <-chan error) (*stream, error) {
	dialling, done := context.WithTimeout(ctx, r.cfg.DialTimeout)
	defer done()
	lasting, cut := context.WithCancel(context.WithoutCancel(ctx))
	release := context.AfterFunc(dialling, cut)
	inner, err := pbgrpc.DialChaincode(lasting, conn) // returns when there is a connection, or the first attempt has failed
	if err == nil && release() {
		return &stream{inner: inner, ctx: ctx, cut: cut}, nil
	}
	cut()
	select {
	case err = <-failed:
		return nil, r.cfg.explain(ctx, err)
	default:
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case dialling.Err() != nil:
		return nil, errors.WithMessagef(dialling.Err(), "no answer from %s within %s", r.cfg.Address, r.cfg.DialTimeout)
	default:
		return nil, r.cfg.explain(ctx, err)
	}
}

func (s *stream) Send(m *pb.ChaincodeMessage) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.closed { // gRPC would take this for a fault, and end the stream at once
		return errClosed
	}
	if m.Type == pb.ChaincodeMessage_REGISTERED {
		s.gate.Open()
	}
	return s.inner.Send(m)
}

func (s *stream) Recv() (*pb.ChaincodeMessage, error) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	m, err := s.inner.Recv()
	if err != nil && s.ctx.Err() == nil {
		s.lost.Store(true)
	}
	if err != nil && s.gate.Exceeded().Err() != nil {
		err = context.Cause(s.gate.Exceeded()) // gRPC's error has it as text, if at all
	}
	return m, err
}

// end closes the stream in good order. It says that nothing more will be sent, and takes what the server still sends, until
// the server ends its side. A server is cut off if it doesn't end in time, or doesn't even take what was sent before.
func (s *stream) end() {
	overdue := time.AfterFunc(goodbye, s.cut)
	defer overdue.Stop()
	s.sending.Lock()
	s.closed = true
	_ = s.inner.CloseSend() // if it fails, the stream has ended
	s.sending.Unlock()
	for {
		if _, err := s.Recv(); err != nil {
			s.cut()
			return
		}
	}
}
