// Package server runs chaincode that is a server (chaincode as a service) on this machine: it starts the server as a process,
// dials it, and ends it.
//
//	rt, err := server.New(server.Config{
//		Process: process.Config{Command: "/opt/asset/asset"},
//		Dial:    dial.Config{Address: "127.0.0.1:9999"},
//	})
//
// It is package process and package dial together. What it adds is that each knows of the other. While the server starts, it is
// dialled again and again. If it ends, nobody dials it any more, and what it printed last is the reason. When its stream has
// ended, it is ended as well.
//
// The server is told where to listen and what it is in the variables that servers for Fabric's ccaas builder read:
// CHAINCODE_SERVER_ADDRESS, CHAINCODE_ID, CORE_CHAINCODE_ID and CORE_CHAINCODE_ID_NAME. It must listen at that address.
package server

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	pb "github.com/ccpeer/ccpeer/proto"
)

const (
	// defaultRetryFor is how long a server may take to listen. A launch seldom has more time than that.
	defaultRetryFor = 5 * time.Minute
	// goodbye is how long a stream may outlive its server. If something else listens at the address, it would last for ever.
	goodbye = time.Second
)

// Config says what to start, and where it listens. New copies it.
type Config struct {
	// Process says what to start. Its PeerAddress and TLS must not be set, because a server is not told of the peer. Nil Args
	// are no arguments. In Args, {{.PeerAddress}} is the server's own address.
	Process process.Config
	// Dial says where the server listens, and how to talk to it. A RetryFor of zero means 5 minutes. The launch usually ends
	// earlier.
	Dial dial.Config
}

// Runtime runs chaincode that is a server. It is safe for concurrent use.
type Runtime struct {
	process *process.Runtime
	dial    *dial.Runtime
}

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a Runtime, or an error that says which part of cfg is wrong.
func New(cfg Config) (*Runtime, error) {
	if cfg.Process.PeerAddress != "" || cfg.Process.TLS != nil {
		return nil, errors.New("configure server runtime: Process.PeerAddress and Process.TLS are for chaincode that dials the peer: give Dial")
	}
	if cfg.Dial.RetryFor == 0 {
		cfg.Dial.RetryFor = defaultRetryFor
	}
	d, err := dial.New(cfg.Dial)
	if err != nil {
		return nil, errors.WithMessage(err, "configure server runtime")
	}
	p, err := process.NewServer(told(cfg.Process, cfg.Dial.Address), group.ServerAddress(cfg.Dial.Address))
	if err != nil {
		return nil, errors.WithMessage(err, "configure server runtime")
	}
	return &Runtime{process: p, dial: d}, nil
}

// told returns how to start a server that is told where to listen, and which chaincode it is.
func told(cfg process.Config, address string) process.Config {
	cfg.Env = append([]string{"CHAINCODE_SERVER_ADDRESS=" + address, "CHAINCODE_ID={{.ChaincodeID}}", "CORE_CHAINCODE_ID={{.ChaincodeID}}"}, cfg.Env...)
	return cfg
}

// Run starts the server, dials it, and calls handle with the stream, in the caller's goroutine. It returns when handle has
// returned, and the server and every process that it has started have ended.
//
// If the server ended of its own accord, the error is a *process.ExitError, as process.Runtime.Run returns it. Otherwise the
// error is that of dial.Runtime.Run. When ctx ends, handle must return. The stream is ended first, and then the server.
func (r *Runtime) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	s := start(ctx, r.process, chaincodeID)
	defer func() { _ = s.end(nil) }() // even if handle panics, which the caller has to deal with
	dialling, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(dialling, cancel)
	}()
	peerEnded := false // the stream, so that the server's end only follows
	err := r.dial.Run(dialling, chaincodeID, func(ctx context.Context, inner pb.Stream) error {
		s.connected.Store(true)
		stream := &stream{Stream: inner}
		err := handle(ctx, stream)
		peerEnded = !stream.lost.Load()
		return err
	})
	asked := ctx.Err() != nil && !errors.Is(context.Cause(ctx), runtime.ErrStreamEnded)
	alone := isClosed(s.exited) && !peerEnded
	cancel(nil)
	<-watched
	if !peerEnded && !asked {
		if exit := s.end(runtime.ErrStreamEnded); exit != nil {
			return exit
		}
		return err
	}
	exit := s.end(context.Cause(ctx))
	if _, itself := exit.(*process.ExitError); exit == nil || itself && !alone { //nolint:errorlint // if it was killed, that is wrapped
		return err // it was quicker than the signal
	}
	return exit
}

// stream notes whether the stream has ended before its handler did.
type stream struct {
	pb.Stream
	lost atomic.Bool
}

// Recv implements pb.Stream.
func (s *stream) Recv() (*pb.ChaincodeMessage, error) {
	m, err := s.Stream.Recv()
	if err != nil {
		s.lost.Store(true)
	}
	return m, err
}

// server is a server that has been started.
type server struct {
	stop      context.CancelCauseFunc
	exited    chan struct{} // closed when nothing of it is left
	exit      error         // how it has ended; set before exited is closed
	connected atomic.Bool   // there is a stream
}

// start starts a server. It outlives ctx, because its stream is to be ended first.
func start(ctx context.Context, p *process.Runtime, chaincodeID string) *server {
	living, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	s := &server{stop: stop, exited: make(chan struct{})}
	go func() {
		defer close(s.exited)
		s.exit = p.Run(living, chaincodeID, nil)
	}()
	return s
}

// watch ends the dialling when the server has ended. A stream that is there ends by itself, and its last messages count. It
// returns when ctx has ended.
func (s *server) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-s.exited:
	case <-ctx.Done():
		return
	}
	if s.connected.Load() {
		t := time.NewTimer(goodbye)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	cancel(errors.New("the server has ended"))
}

// end ends the server because of cause, and returns how it ended, as process.Runtime.Run does. If the cause is that its stream
// has ended, it has a moment to follow by itself.
func (s *server) end(cause error) error {
	s.stop(cause)
	<-s.exited
	return s.exit
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
