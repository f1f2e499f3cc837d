// Package chaincodesupport runs chaincode for a peer: it serves the gRPC service that chaincode registers with,
// launches chaincode when it is needed, and executes transactions on it.
//
//	cs, err := chaincodesupport.New(chaincodesupport.Config{Runtime: …, Ledgers: …})
//	srv := grpc.NewServer(cs.ServerOptions()...)
//	pbgrpc.RegisterChaincodeSupportServer(srv, cs)
//	go srv.Serve(listener)
//	result, err := cs.Execute(ctx, "asset:1.0", handler.TxParams{ChannelID: …, TxID: …, Simulation: …}, input)
//
// Execute knows a chaincode by its ID. A peer that has definitions of chaincodes, as Fabric's, calls them by name, with
// Call: that finds the ID, and has a chaincode initialized that must be.
//
// What happens on one chaincode's stream is package handler's; what starts a chaincode is a Runtime.
package chaincodesupport

import (
	"context"
	"io"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/goroutines"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// ErrClosed is returned when a ChaincodeSupport has been closed, or is about to be.
var ErrClosed = errors.New("chaincode support is closed")

// ChaincodeSupport runs chaincode. It is safe for concurrent use.
type ChaincodeSupport struct {
	cfg       Config
	log       *zap.Logger
	instances *instances
	ending    context.Context // ends with Close's grace time, and every stream with it
	end       context.CancelFunc
	inputs    sync.Pool // of *pb.ChaincodeInput, empty

	mu         sync.Mutex
	closed     bool
	stopping   bool           // the grace time is over
	streams    int            // that are being served
	executing  sync.WaitGroup // Execute and Invoke of callers
	goroutines sync.WaitGroup // streams, handlers and launches
}

var _ pbgrpc.ChaincodeSupportServer = (*ChaincodeSupport)(nil)

// New returns a ChaincodeSupport, which is to be closed after use.
func New(cfg Config) (*ChaincodeSupport, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	log := cfg.Logger.Named("chaincode")
	ending, end := context.WithCancel(context.Background())
	cs := &ChaincodeSupport{cfg: cfg, log: log, ending: ending, end: end}
	cs.instances = newInstances(cfg.DevMode, cs.logError)
	return cs, nil
}

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
			cs.logPanic("Config.Identify", p)
			err = errors.New("panic during identification")
		}
	}()
	return cs.cfg.Identify(ctx)
}

// handleStream serves the peer's end of a stream. A chaincode ID that isn't empty is the only one it may register.
func (cs *ChaincodeSupport) handleStream(ctx context.Context, chaincodeID string, stream pb.Stream) error {
	cs.mu.Lock()
	if cs.ending.Err() != nil {
		cs.mu.Unlock()
		return status.Error(codes.Unavailable, ErrClosed.Error())
	}
	if cs.streams >= cs.cfg.MaxStreams {
		cs.mu.Unlock()
		return status.Errorf(codes.ResourceExhausted, "there are %d streams of chaincode already, which is the limit", cs.cfg.MaxStreams)
	}
	cs.streams++
	cs.goroutines.Add(1)
	cs.mu.Unlock()
	defer cs.goroutines.Done()
	defer func() {
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.streams--
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(cs.ending, cancel)()
	err := handler.HandleChaincodeStream(goroutines.Count(ctx, &cs.goroutines), cs.handlerConfig(chaincodeID), stream)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.stopping {
		err = status.Error(codes.Unavailable, ErrClosed.Error())
	}
	return err
}

func (cs *ChaincodeSupport) handlerConfig(chaincodeID string) handler.Config {
	return handler.Config{
		Hooks: cs.cfg.Hooks, Limits: cs.cfg.Limits,
		ChaincodeID: chaincodeID, Registry: cs.instances, Invoker: invoker{cs},
	}
}

// Close lets the transactions in flight finish until ctx ends, then ends every stream (status Unavailable), stops
// every chaincode, and waits for all of it to be gone, for at most Config.StopTimeout. New transactions and launches
// are refused from the start. An error says that something was left running.
func (cs *ChaincodeSupport) Close(ctx context.Context) error {
	cs.mu.Lock()
	cs.closed = true
	cs.mu.Unlock()
	finished(ctx, &cs.executing)
	cs.mu.Lock()
	cs.stopping = true
	cs.mu.Unlock()
	cs.instances.stopAll()
	cs.mu.Lock()
	cs.end() // under mu: a stream is either refused, or counted and ended
	cs.mu.Unlock()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), cs.cfg.StopTimeout)
	defer cancel()
	if !finished(stopping, &cs.executing) || !finished(stopping, &cs.goroutines) {
		return errors.Errorf("close chaincode support: something was still running after %s, in a ledger or a runtime", cs.cfg.StopTimeout)
	}
	return nil
}

// finished waits for wg until ctx ends, and reports whether wg was first.
func finished(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin counts an execution in; executing.Done must follow a nil error.
func (cs *ChaincodeSupport) begin() error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.closed {
		return ErrClosed
	}
	cs.executing.Add(1)
	return nil
}

// errPanic is what a caller is told of a panic.
var errPanic = errors.New("panic during execution")

// confine, deferred, makes a panic of what the caller's own goroutine has called, such as Config.Runtime, an error.
func (cs *ChaincodeSupport) confine(err *error) {
	if p := recover(); p != nil {
		cs.logPanic("a hook", p)
		*err = errPanic
	}
}

// logPanic is for what recovers from a panic, whose value only the log is told.
func (cs *ChaincodeSupport) logPanic(where string, p any, fields ...zap.Field) {
	cs.write(zap.ErrorLevel, "panic in "+where, append(fields, zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))...)
}

// logError is for what should not have happened.
func (cs *ChaincodeSupport) logError(err error) {
	cs.write(zap.ErrorLevel, "internal error", zap.Error(err))
}

// write writes a line to the log. If the Logger panics, the line is lost and nothing else happens.
func (cs *ChaincodeSupport) write(level zapcore.Level, text string, fields ...zap.Field) {
	defer func() { _ = recover() }()
	cs.log.Log(level, text, fields...)
}
