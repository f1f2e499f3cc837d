package chaincodesupport

import (
	"context"
	"slices"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/limit"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Config is how a ChaincodeSupport behaves. The zero value of every field is usable. Settings that Fabric's core.yaml has,
// too, have its names and its defaults. A value that you give is used as it is, without the lower bounds that Fabric puts on
// some.
type Config struct {
	// Hooks are what a peer decides, what it knows, and what it wants to be told. Chaincode can't do everything before you
	// have decided on Ledgers, ACL and CollectionStore.
	handler.Hooks
	// Limits are what is granted to each chaincode.
	handler.Limits

	// Runtimes find what runs a chaincode. Nil: the peer runs none, and chaincode must connect by itself (DevMode).
	Runtimes Runtimes
	// Definitions finds what a channel has agreed on about a chaincode. Execute asks it, and so does chaincode that calls
	// chaincode. Those calls go by name, so you need it where chaincode IDs have a version (asset:1.0) and chaincode calls
	// chaincode. Nil: the name is the chaincode ID, and no chaincode has to be initialized.
	Definitions Definitions
	// Decorators add to the input of every transaction that Execute and ExecuteID run, in their order. If two add something
	// under the same name, the later one replaces it.
	Decorators []Decorator
	// Identify returns the chaincode ID for which the credential of a stream was made. The stream may register only that ID.
	// An error refuses the stream. ctx is the stream's, and carries gRPC's peer.Peer. With Credentials, it is also asked about
	// each connection that has shaken hands. ctx then has only the peer.Peer, and an error refuses nothing. If Identify is nil
	// or returns "", any chaincode ID that is being launched may be registered.
	Identify func(ctx context.Context) (chaincodeID string, err error)
	// Credentials are the TLS of the listener that chaincode dials. ServerOptions passes them on. Package accesscontrol
	// makes some, with an Identify that belongs to them. Nil: plaintext, and connections from this machine only.
	Credentials credentials.TransportCredentials
	// InsecureForeignServer accepts chaincode from a gRPC server that was not made with ServerOptions. Such a server has
	// limits, keepalive and credentials of its own. By gRPC's defaults it takes plaintext from other machines, and ends the
	// connection of a shim that pings. Serve doesn't need this setting, nor do streams that a Runtime has made.
	InsecureForeignServer bool
	// Restart returns whether and how soon a chaincode of Runtimes that has ended is launched again, although nobody calls
	// it. It must not block. Nil: no chaincode is.
	Restart func(chaincodeID string) RestartPolicy
	// Lifecycle is told what becomes of chaincodes: launches, crashes, restarts. Nil: no observer is told.
	Lifecycle LifecycleObserver
	// DevMode accepts chaincode that this peer has not launched (chaincode.mode dev).
	DevMode bool
	// StartupTimeout limits a launch, from its start to READY (chaincode.startuptimeout). 0: 300 s.
	StartupTimeout time.Duration
	// StopTimeout is how long Close waits until everything that it has ended is gone. 0: 30 s.
	StopTimeout time.Duration
	// MaxStreams is how many streams there may be at once, registered or not. One more is refused with status
	// ResourceExhausted. 0: 1,000.
	MaxStreams int
	// MaxStreamsPerConnection is how many streams a connection may have at once. Shims have one. One more is refused with
	// status ResourceExhausted. Raise it for a program that has several chaincodes on one connection. 0: 2.
	MaxStreamsPerConnection int
	// MaxStreamsPerIdentity is how many streams there may be at once whose chaincode ID Identify has returned, and how many
	// connections that shake hands as that chaincode. One more is refused with status ResourceExhausted, or hung up on. 0: 2,
	// the one that is live, and a newcomer that is told so.
	MaxStreamsPerIdentity int
	// MaxConnections is how many connections there may be at once, including those in their handshakes. Those on which no
	// chaincode is registered may be half of them. One more is hung up on. 0: 1,000.
	MaxConnections int
	// MaxRecvMsgSize is how many bytes a message of a chaincode may have. A larger one ends its stream. 0:
	// pb.MaxMessageSize.
	MaxRecvMsgSize int
}

// table has a row for each limit that is not one of handler.Limits.
func (c *Config) table() []limit.Row {
	return []limit.Row{
		limit.Duration("StartupTimeout", &c.StartupTimeout, 300*time.Second),
		limit.Duration("StopTimeout", &c.StopTimeout, 30*time.Second),
		limit.Number("MaxStreams", &c.MaxStreams, 1000),
		limit.Number("MaxStreamsPerConnection", &c.MaxStreamsPerConnection, 2),
		limit.Number("MaxStreamsPerIdentity", &c.MaxStreamsPerIdentity, 2),
		limit.Number("MaxConnections", &c.MaxConnections, 1000),
		limit.Number("MaxRecvMsgSize", &c.MaxRecvMsgSize, pb.MaxMessageSize),
	}
}

// withDefaults checks the values, and completes those that are missing.
func (c Config) withDefaults() (Config, error) {
	if err := limit.Check(c.table()); err != nil {
		return c, errors.WithMessage(err, "chaincodesupport: Config")
	}
	limit.Complete(c.table())
	if c.MaxSendMsgSize == 0 {
		c.MaxSendMsgSize = pb.MaxMessageSize
	}
	limits, err := c.WithDefaults() // those of handler.Limits
	if err != nil {
		return c, errors.WithMessage(err, "chaincodesupport")
	}
	c.Limits = limits
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Runtimes == nil {
		c.Runtimes = OneRuntime(nil)
	}
	if c.Restart == nil {
		c.Restart = func(string) RestartPolicy { return RestartPolicy{} }
	}
	if c.Definitions == nil {
		c.Definitions = nameIsID{}
	}
	c.Decorators = slices.Clone(c.Decorators)
	return c, nil
}

// Runtimes find what runs a chaincode. The first call that needs the chaincode asks them.
type Runtimes interface {
	// Runtime returns what runs a chaincode. For a chaincode that this peer doesn't run, the error is ErrNoRuntime. The call
	// that needs the chaincode returns any other error.
	Runtime(ctx context.Context, chaincodeID string) (runtime.Runtime, error)
}

// ErrNoRuntime is returned by Runtimes for a chaincode that this peer doesn't run.
var ErrNoRuntime = errors.New("this peer has no runtime for the chaincode")

// RuntimesFunc is a function that implements Runtimes.
type RuntimesFunc func(ctx context.Context, chaincodeID string) (runtime.Runtime, error)

// Runtime implements Runtimes.
func (f RuntimesFunc) Runtime(ctx context.Context, chaincodeID string) (runtime.Runtime, error) {
	return f(ctx, chaincodeID)
}

// OneRuntime returns Runtimes that have the same runtime for every chaincode.
func OneRuntime(rt runtime.Runtime) Runtimes {
	return RuntimesFunc(func(context.Context, string) (runtime.Runtime, error) {
		if rt == nil {
			return nil, ErrNoRuntime
		}
		return rt, nil
	})
}
