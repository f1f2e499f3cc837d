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
	pb "github.com/ccpeer/ccpeer/proto"
)

// Config is how a ChaincodeSupport behaves. The zero value of every field is usable. The settings that Fabric's
// core.yaml has are named after it and have its defaults; a value that is given is used as it is, without the lower
// bounds that Fabric puts on some.
type Config struct {
	// Runtime returns what runs a chaincode, or nil for a chaincode that this peer does not run. Nil: it runs none,
	// and chaincode is expected to connect by itself (see DevMode). It must not block.
	Runtime func(chaincodeID string) runtime.Runtime
	// Definitions finds what a channel has agreed on about a chaincode, for Call and for chaincode that calls
	// chaincode. Nil: the name is the chaincode ID, and no chaincode has to be initialized. It is needed where chaincode
	// IDs have a version (asset:1.0) and chaincode calls chaincode, which does so by name.
	Definitions Definitions
	// Decorators add to the input of every transaction that Execute and Call run, in their order. What a later one adds
	// under the same name replaces what an earlier one has added.
	Decorators []Decorator
	// ACL decides who may have chaincode call chaincode. Nil: everyone on the caller's channel, nobody on others.
	ACL handler.ACLProvider
	// CollectionStore decides who may read and write private data. Nil: nobody may.
	CollectionStore handler.CollectionStore
	// ApplicationConfig knows the channels' capabilities. Nil: every channel has the newest.
	ApplicationConfig handler.ApplicationConfig
	// Builtins are the chaincodes that belong to the peer: Fabric's system chaincodes. They are run like others; but
	// they need no permission to be called, and no channel. Nil: there are none.
	Builtins handler.BuiltinChaincodes
	// Ledgers finds the ledger of a channel, for chaincode that calls chaincode on another channel. Nil: there is
	// no other channel.
	Ledgers handler.Ledgers
	// Identify returns the chaincode ID that the credential of a stream was made for, which is then the only one
	// that it may register; an error refuses the stream. Nil, or "": any chaincode ID that is being launched may be
	// registered. ctx is the stream's, and carries gRPC's peer.Peer.
	Identify func(ctx context.Context) (chaincodeID string, err error)
	// Credentials are the TLS of the listener that chaincode dials, to which ServerOptions gives them: those of package
	// accesscontrol, say, together with its Identify. Nil: plaintext, and connections from this machine only.
	Credentials credentials.TransportCredentials
	// Restart returns whether, and how soon, a chaincode of Runtime that has ended is launched again when nobody calls it.
	// Nil: none is. It must not block.
	Restart func(chaincodeID string) RestartPolicy
	// Observer is told of messages and faults. Nil: nobody is.
	Observer handler.Observer
	// Logger is written to under the names that Fabric uses. Nil: nothing is.
	Logger *zap.Logger

	// DevMode accepts chaincode that this peer has not launched (chaincode.mode dev).
	DevMode bool
	// StartupTimeout limits a launch, from start to READY (chaincode.startuptimeout). 0: 300 s.
	StartupTimeout time.Duration
	// ExecuteTimeout limits every Init and Invoke (chaincode.executetimeout), and what hooks are asked before it. 0: 30 s.
	ExecuteTimeout time.Duration
	// RegisterTimeout is how long a stream may take to send REGISTER. 0: 10 s.
	RegisterTimeout time.Duration
	// Keepalive is the interval of KEEPALIVE messages (chaincode.keepalive). 0: none are sent. Node shims exit on
	// one; connections are kept alive by HTTP/2 pings.
	Keepalive time.Duration
	// StopTimeout is how long Close waits for what it has ended to be gone. 0: 30 s.
	StopTimeout time.Duration
	// TotalQueryLimit is how many records one query may yield (ledger.state.totalQueryLimit). 0: 100,000.
	TotalQueryLimit int
	// MaxQueries is how many iterators a transaction may have open. 0: 256.
	MaxQueries int
	// MaxCallDepth is how deep chaincode may call chaincode. 0: 64.
	MaxCallDepth int
	// MaxInFlight is how many transactions may be in flight on one chaincode, nested ones included; one more is refused with
	// a *handler.OverloadError. 0: 2,500, as Fabric's peer.limits.concurrency.endorserService.
	MaxInFlight int
	// MaxStreams is how many streams of chaincode there may be, registered or not. One more is refused with status
	// ResourceExhausted. 0: 1,000.
	MaxStreams int
	// MaxRecvMsgSize and MaxSendMsgSize limit a message, in bytes (peer.maxRecvMsgSize, peer.maxSendMsgSize).
	// 0: 100 MiB, which is what shims allow.
	MaxRecvMsgSize int
	MaxSendMsgSize int
	// MaxQueuedBytes is how many bytes of messages may wait in each direction of a stream: to be sent, and to be served.
	// What is over it waits. 0: 128 MiB.
	MaxQueuedBytes int
	// SendTimeout is how long chaincode may leave what it is sent unread, before its stream is ended. 0: 30 s.
	SendTimeout time.Duration
	// MaxEventBytes is how many bytes the name and the payload of a chaincode's event may have; a transaction with a larger
	// one fails. 0: 4 MiB.
	MaxEventBytes int
	// MaxPageBytes is behind how many bytes of results a page of a query ends, unless the chaincode has said how many records
	// it wants. 0: 4 MiB.
	MaxPageBytes int
	// NoWriteBatch, MaxSizeWriteBatch, NoGetMultipleKeys and MaxSizeGetMultipleKeys are what READY offers
	// (chaincode.runtimeParams). Zero: batches of up to 1,000 writes and reads of up to 1,000 keys.
	NoWriteBatch           bool
	MaxSizeWriteBatch      int
	NoGetMultipleKeys      bool
	MaxSizeGetMultipleKeys int
	// Strict ends the stream of a chaincode that sends a request while another of the same transaction is pending.
	Strict bool
}

// withDefaults checks the values and completes them. Where the default is the handler's, 0 is left for it to see.
func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"StartupTimeout", &c.StartupTimeout, 300 * time.Second},
		{"ExecuteTimeout", &c.ExecuteTimeout, 30 * time.Second},
		{"RegisterTimeout", &c.RegisterTimeout, 10 * time.Second},
		{"Keepalive", &c.Keepalive, 0},
		{"SendTimeout", &c.SendTimeout, 0},
		{"StopTimeout", &c.StopTimeout, 30 * time.Second},
	} {
		if *d.v < 0 {
			return c, errors.Errorf("chaincodesupport: Config.%s is %s, want 0 or more", d.name, *d.v)
		}
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	for _, n := range []struct {
		name string
		v    *int
		def  int
	}{
		{"TotalQueryLimit", &c.TotalQueryLimit, 0},
		{"MaxQueries", &c.MaxQueries, 0},
		{"MaxCallDepth", &c.MaxCallDepth, 0},
		{"MaxStreams", &c.MaxStreams, 1000},
		{"MaxInFlight", &c.MaxInFlight, 0},
		{"MaxQueuedBytes", &c.MaxQueuedBytes, 0},
		{"MaxEventBytes", &c.MaxEventBytes, 0},
		{"MaxPageBytes", &c.MaxPageBytes, 0},
		{"MaxSizeWriteBatch", &c.MaxSizeWriteBatch, 0},
		{"MaxSizeGetMultipleKeys", &c.MaxSizeGetMultipleKeys, 0},
		{"MaxRecvMsgSize", &c.MaxRecvMsgSize, pb.MaxMessageSize},
		{"MaxSendMsgSize", &c.MaxSendMsgSize, pb.MaxMessageSize},
	} {
		if *n.v < 0 {
			return c, errors.Errorf("chaincodesupport: Config.%s is %d, want 0 or more", n.name, *n.v)
		}
		if *n.v == 0 {
			*n.v = n.def
		}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Runtime == nil {
		c.Runtime = func(string) runtime.Runtime { return nil }
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
