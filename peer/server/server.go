// Package server serves one peer's services to clients, by gRPC, as Fabric's peer does on its port 7051.
//
//	s, err := server.New(server.Config{Services: server.Services{Endorser: peer, Gateway: gateway}, TLS: &server.TLS{Certificate: certificate}})
//	go s.Serve(listener)
//	…
//	err = s.Close(ctx)
//
// The services are interfaces of package pbgrpc, so any peer's will do. Message sizes, pings and concurrency are limited as in
// Fabric, with its texts.
//
// A call that panics ends with the status Internal, and is logged. In Fabric that is so for the ordering service's streams only.
package server

import (
	"context"
	"math"
	"net"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

const (
	// window is HTTP/2's, of a stream and of a connection. It is fixed: gRPC's estimator costs CPU.
	window = 1 << 20
	// pingInterval is how often the server asks whether a silent client is still there.
	pingInterval = time.Minute
	// pingTimeout is how long it waits for the answer, and the operating system for what was sent to be acknowledged.
	pingTimeout = 20 * time.Second
	// farewell is how long what is left may take when a server ends.
	farewell = time.Second
)

// Server serves one peer's services. It is safe for concurrent use.
type Server struct {
	cfg   Config
	grpc  *grpc.Server
	calls *calls
	door  *door
}

// New returns a Server. Close it after use.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, errors.WithMessage(err, "make server")
	}
	creds := insecure.NewCredentials()
	if cfg.TLS != nil {
		c, err := cfg.TLS.config()
		if err != nil {
			return nil, errors.WithMessage(err, "make server")
		}
		creds = credentials.NewTLS(c)
	}
	s := &Server{cfg: cfg, calls: newCalls(&cfg), door: newDoor(&cfg)}
	s.grpc = grpc.NewServer(s.options(guarded{creds, s.door})...)
	cfg.register(s.grpc)
	return s, nil
}

func (s *Server) options(creds credentials.TransportCredentials) []grpc.ServerOption {
	c := &s.cfg
	return append([]grpc.ServerOption{
		grpc.Creds(creds),
		grpc.ConnectionTimeout(c.HandshakeTimeout),
		grpc.MaxConcurrentStreams(uint32(min(c.MaxStreamsPerConnection, math.MaxInt32))), //nolint:gosec // made to fit
		grpc.MaxHeaderListSize(uint32(min(c.MaxHeaderBytes, math.MaxInt32))),             //nolint:gosec // made to fit
		grpc.MaxRecvMsgSize(c.MaxRecvMsgSize),
		grpc.MaxSendMsgSize(c.MaxSendMsgSize),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: c.MinPingInterval, PermitWithoutStream: true}),
		// Fabric asks every two hours, and keeps the places of dead clients for as long.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingInterval, Timeout: pingTimeout}),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.UnaryInterceptor(s.calls.unary),
		grpc.StreamInterceptor(s.calls.stream),
	}, c.Options...)
}

// register adds those that there are to a server.
func (s *Services) register(to grpc.ServiceRegistrar) {
	if s.Gateway != nil {
		pbgrpc.RegisterGatewayServer(to, s.Gateway)
	}
	if s.Deliver != nil {
		pbgrpc.RegisterDeliverServer(to, s.Deliver)
	}
	if s.Endorser != nil {
		pbgrpc.RegisterEndorserServer(to, s.Endorser)
	}
	if s.AtomicBroadcast != nil {
		pbgrpc.RegisterAtomicBroadcastServer(to, s.AtomicBroadcast)
	}
	if s.Discovery != nil {
		pbgrpc.RegisterDiscoveryServer(to, s.Discovery)
	}
}

// Serve serves clients that dial the listener, until Close. It then returns nil. It closes the listener in any case. You may call
// Serve for several listeners.
func (s *Server) Serve(l net.Listener) error {
	err := s.grpc.Serve(l)
	if errors.Is(err, grpc.ErrServerStopped) {
		return errors.WithMessage(err, "serve clients")
	}
	return errors.Wrap(err, "serve clients")
}

// Close ends the server. Its streams end at once, with the status Unavailable. Other calls under way may finish until ctx ends. Then
// they are cut off. When it returns, nothing of the server is running, unless the error says so. It may be called again.
func (s *Server) Close(ctx context.Context) error {
	unary, streams := s.calls.end()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.door.close()
		s.grpc.GracefulStop()
	}()
	select {
	case <-unary:
	case <-ctx.Done():
	}
	// A stream that waits for its client doesn't hear of the end before the connection is cut.
	finish, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	select {
	case <-streams:
	case <-finish.Done():
	}
	s.grpc.Stop()
	if err := s.calls.wait(farewell, unary, streams); err != nil {
		return err // GracefulStop goes on with waiting for them
	}
	<-stopped
	return nil
}
