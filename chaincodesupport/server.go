package chaincodesupport

import (
	"context"
	"io"
	"math"
	"net"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// maxHeaders is how many bytes of headers a client may send. Shims send a few hundred.
const maxHeaders = 16 << 10

// maxIdle is how long a connection may last without a stream.
const maxIdle = time.Minute

// Serve serves chaincode that dials the listener, until Close. It then returns nil, and Close waits for it. It closes the
// listener in any case. You may call Serve for several listeners.
//
// If your program has a gRPC server already, for other services too, make that one with ServerOptions instead.
func (cs *ChaincodeSupport) Serve(l net.Listener) error {
	if err := cs.life.hold(); err != nil {
		_ = l.Close() // the caller gets the other error
		return err
	}
	defer cs.life.goroutines.Done()
	ending, over := context.WithCancel(context.Background())
	srv := grpc.NewServer(cs.ServerOptions()...)
	defer srv.Stop()
	defer over() // must run first: the server waits for handshakes
	pbgrpc.RegisterChaincodeSupportServer(srv, cs)
	stopped := make(chan struct{})
	unneeded := context.AfterFunc(cs.life.ending, func() {
		defer close(stopped)
		defer time.AfterFunc(min(farewell, cs.cfg.StopTimeout/2), func() {
			over()
			srv.Stop()
		}).Stop()
		srv.GracefulStop()
	})
	err := srv.Serve(handshakes{Listener: l, over: ending, last: cs.cfg.RegisterTimeout + time.Second})
	if !unneeded() {
		<-stopped
		return nil
	}
	return errors.Wrap(err, "serve chaincode")
}

// farewell is how long chaincode gets to hear why its stream has ended, before the connection is cut.
const farewell = time.Second

// handshakes is a listener that closes its connections when over ends, if they may still be in their handshakes. gRPC's
// server waits for handshakes, but can't close a connection before its handshake is done.
type handshakes struct {
	net.Listener
	over context.Context
	last time.Duration // how long one handshake may take
}

// Accept returns connections without wrapping them. gRPC sets options only on connection types that it knows.
func (h handshakes) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err == nil {
		done := make(chan func() bool, 1)
		last := time.AfterFunc(h.last, func() { (<-done)() })
		done <- context.AfterFunc(h.over, func() {
			last.Stop() // or it would keep the connection in memory
			_ = c.Close()
		})
	}
	return c, err
}

// ServerOptions are for the gRPC server on which you register the ChaincodeSupport. Of chaincode they demand what
// Config.Credentials say or, without these, that it is on this machine. They allow the message sizes and the keepalive pings
// of the official shims, for which a server by default closes the connection. They notice a dead connection within 30 s, and
// a silent one within Config.RegisterTimeout. They also keep flow control from slowing down the streams. Until a chaincode
// has registered on a connection, it may send no more than 80 KiB.
//
// A stream of any other server is refused, unless Config.InsecureForeignServer is set.
func (cs *ChaincodeSupport) ServerOptions() []grpc.ServerOption {
	const window = 1 << 20
	creds := cs.cfg.Credentials
	if creds == nil {
		creds = local.NewCredentials()
	}
	return []grpc.ServerOption{
		grpc.Creds(guarded{creds, cs}),
		// A connection on which nothing useful is said never gets as far as a stream, so the stream's own limit doesn't
		// help.
		grpc.ConnectionTimeout(cs.cfg.RegisterTimeout),
		// One more than there may be, so that it hears why it is refused.
		grpc.MaxConcurrentStreams(uint32(min(cs.cfg.MaxStreamsPerConnection, math.MaxInt32-1) + 1)), //nolint:gosec // made to fit
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxRecvMsgSize(cs.cfg.MaxRecvMsgSize),
		grpc.MaxSendMsgSize(cs.cfg.MaxSendMsgSize),
		// Shims ping every 60 s, even when no transaction runs.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		// The timeout is also how long the operating system waits for a chaincode to take what was sent.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 8 * time.Second, Timeout: 20 * time.Second, MaxConnectionIdle: maxIdle}),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.ChainStreamInterceptor(cs.vouch),
	}
}

// servedBy is a key in the context of a stream. Its value is the ChaincodeSupport whose ServerOptions the server has.
type servedBy struct{}

// vouch marks the streams of a server that was made with ServerOptions.
func (cs *ChaincodeSupport) vouch(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, vouched{s, placed(context.WithValue(s.Context(), servedBy{}, cs))})
}

type vouched struct {
	grpc.ServerStream
	ctx context.Context
}

func (v vouched) Context() context.Context { return v.ctx }

// checkServer refuses a stream of a server that was made without ServerOptions. It logs so once. A foreign server would
// work, but without what keeps strangers out and idle chaincode connected, and nobody would notice.
func (cs *ChaincodeSupport) checkServer(ctx context.Context) error {
	if cs.cfg.InsecureForeignServer || ctx.Value(servedBy{}) == cs {
		return nil
	}
	err := errors.New("the gRPC server was not made with ChaincodeSupport.ServerOptions: see Config.InsecureForeignServer")
	cs.foreign.Do(func() { cs.log.write(zap.ErrorLevel, "refuse chaincode", zap.Error(err)) })
	return status.Error(codes.FailedPrecondition, err.Error())
}

// Register serves the stream of a chaincode that has dialled the peer. gRPC's server calls it.
func (cs *ChaincodeSupport) Register(stream pbgrpc.ChaincodeSupport_RegisterServer) error {
	if err := cs.checkServer(stream.Context()); err != nil {
		return err
	}
	chaincodeID, err := cs.identify(stream.Context())
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	// If the chaincode is refused, a launch that waits for it hears so at once. That needs a credential which proves that
	// this is the chaincode. Otherwise anyone could end a launch by claiming its name.
	launch := cs.instances.get(chaincodeID)
	v, err := cs.door.enter(stream.Context(), chaincodeID, cs.instances)
	if err != nil { // which says nothing of the launch: another stream may be the one that it waits for
		cs.log.refuse(err)
		return err
	}
	ctx, stop := lagging(stream.Context())
	defer stop()
	err = cs.handleVisit(ctx, v, stream)
	if launch != nil {
		cs.instances.check(launch.end(streamRefused, errors.WithMessage(err, "chaincode registration failed")))
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// lag is how long a handler may go on after its stream's own context has ended.
const lag = time.Second

// lagging returns a context that ends a while after ctx. When a stream ends, gRPC first ends its context; only then does
// Recv say why. A handler should hear the reason. But a handler that is busy doesn't ask Recv, and it must hear of the end,
// too.
func lagging(ctx context.Context) (lagging context.Context, stop func()) {
	lagging, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	over := context.AfterFunc(ctx, func() {
		t := time.NewTimer(lag)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(context.Cause(ctx))
		case <-lagging.Done():
		}
	})
	return lagging, func() {
		over()
		cancel(nil)
	}
}

// identify asks Config.Identify. If that panics, the stream is refused and nothing else happens.
func (cs *ChaincodeSupport) identify(ctx context.Context) (chaincodeID string, err error) {
	if cs.cfg.Identify == nil {
		return "", nil
	}
	defer func() {
		if p := recover(); p != nil {
			cs.log.panicked("Config.Identify", p)
			err = errors.New("panic during identification")
		}
	}()
	return cs.cfg.Identify(ctx)
}
