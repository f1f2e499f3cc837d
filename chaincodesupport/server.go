package chaincodesupport

import (
	"context"
	"io"
	"math"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// maxHeaders is how much a client may say before it sends a message, in bytes. Shims have a few hundred to say.
const maxHeaders = 16 << 10

// maxIdle is how long a connection may be without a stream.
const maxIdle = time.Minute

// ServerOptions are for the gRPC server on which the ChaincodeSupport is served. They want of chaincode what
// Config.Credentials say, or that it is on this machine; allow the message sizes and the keepalive pings of the official
// shims, which a server closes the connection on by default; notice a dead connection within 30 s, and one that says
// nothing within Config.RegisterTimeout; and keep flow control out of the way.
func (cs *ChaincodeSupport) ServerOptions() []grpc.ServerOption {
	const window = 1 << 20
	creds := cs.cfg.Credentials
	if creds == nil {
		creds = local.NewCredentials()
	}
	return []grpc.ServerOption{
		grpc.Creds(creds),
		// A connection on which nothing of use is said doesn't get as far as a stream, whose limit this is.
		grpc.ConnectionTimeout(cs.cfg.RegisterTimeout),
		grpc.MaxConcurrentStreams(uint32(min(cs.cfg.MaxStreams, math.MaxInt32))), //nolint:gosec // made to fit
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.MaxRecvMsgSize(cs.cfg.MaxRecvMsgSize),
		grpc.MaxSendMsgSize(cs.cfg.MaxSendMsgSize),
		// Shims ping every 60 s, also when no transaction runs.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		// The timeout is also how long the operating system waits for a chaincode to take what was sent.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 8 * time.Second, Timeout: 20 * time.Second, MaxConnectionIdle: maxIdle}),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
	}
}

// Register serves the stream of a chaincode that has dialled the peer.
func (cs *ChaincodeSupport) Register(stream pbgrpc.ChaincodeSupport_RegisterServer) error {
	chaincodeID, err := cs.identify(stream.Context())
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	launch := cs.instances.get(chaincodeID) // whose credential it is
	ctx, stop := lagging(stream.Context())
	defer stop()
	err = cs.handleStream(ctx, chaincodeID, stream)
	if launch != nil {
		cs.instances.check(launch.end(streamRefused, errors.WithMessage(err, "chaincode registration failed")))
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// lag is how long a stream's own context may have ended before its handler hears of it.
const lag = time.Second

// lagging returns a context that ends a while after ctx. gRPC ends a stream's context before Recv says why; but a handler
// that has enough to do doesn't ask Recv, and must hear of it nevertheless.
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
