package handler

import (
	"runtime/debug"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	pb "github.com/ccpeer/ccpeer/proto"
)

var (
	errClosed   = endStream(codes.Unavailable, "chaincode was stopped, ending chaincode support stream")
	errInternal = endStream(codes.Internal, "internal error, ending chaincode support stream")
)

// session is what every part of a handler may know of its stream: whose it is, whether it has ended, how to end it, and
// where to report what went wrong. It holds no part of the stream itself, and none of its methods waits for anything.
type session struct {
	cfg     Config
	log     *zap.Logger
	limiter *LogLimiter

	id    atomic.Pointer[string] // what REGISTER said, accepted or not yet
	named atomic.Bool            // id was accepted

	errc  chan error            // to the loop: why it is to end the stream
	done  chan struct{}         // closed when the stream has ended
	cause atomic.Pointer[error] // why the stream has ended; nil before

	goroutines sync.WaitGroup
	outside    *sync.WaitGroup // counts the goroutines of many handlers, for whoever waits for them; nil: nobody does
}

// chaincodeID is what the chaincode wants to be registered as, or "" before it has said so.
func (s *session) chaincodeID() string {
	if id := s.id.Load(); id != nil {
		return *id
	}
	return ""
}

// name is the chaincode ID once it was accepted, and "" before. It is what logs and observers are told.
func (s *session) name() string {
	if !s.named.Load() {
		return ""
	}
	return s.chaincodeID()
}

// err is why the stream has ended, or nil.
func (s *session) err() error {
	if cause := s.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// endWith makes the loop return err, unless something else ends it first.
func (s *session) endWith(err error) {
	select {
	case s.errc <- err:
	default:
	}
}

// spawn starts a goroutine that Handler.Wait waits for. A panic of f ends the stream.
func (s *session) spawn(f func()) {
	s.enroll()
	go func() {
		defer s.leave()
		f()
	}()
}

// enroll counts a goroutine that is about to start. That goroutine must defer leave.
func (s *session) enroll() {
	s.goroutines.Add(1)
	if s.outside != nil {
		s.outside.Add(1)
	}
}

// leave ends what enroll began. It is to be deferred. A panic ends the stream and nothing else.
func (s *session) leave() {
	s.confined(recover())
	if s.outside != nil {
		s.outside.Done()
	}
	s.goroutines.Done()
}

// confined takes what recover returned. If that is a panic, it ends the stream.
func (s *session) confined(p any) {
	if p != nil {
		s.logPanic(txKey{}, p)
		s.endWith(errInternal)
	}
}

func (s *session) logPanic(tx txKey, p any) {
	s.fault(FaultPanic, tx, nil, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
}

// observe tells the observer of messages about a message.
func (s *session) observe(d Direction, msg *pb.ChaincodeMessage) {
	if s.cfg.Messages != nil {
		s.cfg.Messages.Message(s.name(), d, msg)
	}
}
