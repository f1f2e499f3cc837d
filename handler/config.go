package handler

import (
	"sync"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger"
)

// Ledgers finds the ledger of a channel: nil if there is no such channel.
type Ledgers func(channelID string) ledger.Ledger

// Config is how a Handler behaves. The zero value of every field but Registry is usable.
type Config struct {
	// ChaincodeID is the only chaincode ID that may be registered, when it is known beforehand: from a client
	// certificate, the address that was dialled, the chaincode that was started in process. "" leaves it to
	// Registry.
	ChaincodeID string
	// Registry is required.
	Registry Registry
	// Invoker serves INVOKE_CHAINCODE. Nil: chaincode can't call chaincode.
	Invoker Invoker
	// Ledgers is asked when chaincode calls chaincode on another channel. Nil: there is no other channel.
	Ledgers Ledgers
	// ACL decides whether a transaction's creator may call a chaincode from another. Nil: on the caller's own channel
	// everyone may, and on other channels nobody.
	ACL ACLProvider
	// CollectionStore decides who may read and write private data. Nil: nobody may; hashes can be read.
	CollectionStore CollectionStore
	// ApplicationConfig knows the channels' capabilities. Nil: every channel has the newest.
	ApplicationConfig ApplicationConfig
	// Builtins are the chaincodes that belong to the peer. Nil: there are none.
	Builtins BuiltinChaincodes
	// Observer is told of messages and faults. Nil: nobody is.
	Observer Observer
	// Logger is written to under the name "chaincode". Nil: nothing is.
	Logger *zap.Logger
	// Goroutines, if not nil, counts the goroutines of the handler, some of which outlive HandleChaincodeStream: see
	// the package's documentation.
	Goroutines *sync.WaitGroup

	// ExecuteTimeout limits every Init and Invoke. 0: 30 s, as Fabric's chaincode.executetimeout.
	ExecuteTimeout time.Duration
	// RegisterTimeout is how long a stream may take to register. 0: 10 s.
	RegisterTimeout time.Duration
	// Keepalive is the interval at which KEEPALIVE messages are sent in ready. 0: none are. Node shims exit on
	// one. A stream whose chaincode leaves three in a row unanswered is ended.
	Keepalive time.Duration
	// TotalQueryLimit is how many records one query may yield; more are cut off. 0: 100,000, as Fabric's
	// ledger.state.totalQueryLimit.
	TotalQueryLimit int
	// MaxQueries is how many iterators a transaction may have open. 0: 256.
	MaxQueries int
	// MaxCallDepth is how deep chaincode may call chaincode. 0: 64.
	MaxCallDepth int
	// NoWriteBatch keeps READY from offering write batches (chaincode.runtimeParams.useWriteBatch). One that comes
	// nevertheless is served.
	NoWriteBatch bool
	// MaxSizeWriteBatch is how many writes a batch may have (chaincode.runtimeParams.maxSizeWriteBatch). 0: 1,000. Less
	// than 100 is as good as 100, which official shims insist on.
	MaxSizeWriteBatch int
	// NoGetMultipleKeys keeps READY from offering reads of many keys at once
	// (chaincode.runtimeParams.useGetMultipleKeys). One that comes nevertheless is served.
	NoGetMultipleKeys bool
	// MaxSizeGetMultipleKeys is how many keys may be read at once (chaincode.runtimeParams.maxSizeGetMultipleKeys).
	// 0: 1,000. Less than 100 is as good as 100.
	MaxSizeGetMultipleKeys int
	// SendQueue is how many messages may wait to be sent. 0: 256.
	SendQueue int
	// MaxInFlight is how many transactions may be in flight, nested ones and what is left of those that were given up
	// included. Execute refuses more with an *OverloadError. 0: 2,500, as Fabric's
	// peer.limits.concurrency.endorserService.
	MaxInFlight int
	// SendTimeout is how long a message may take to be written to the stream, which is as long as chaincode may leave
	// its messages unread once the transport's buffers are full. Longer ends the stream. 0: 30 s.
	SendTimeout time.Duration
	// MaxSendMsgSize is how many bytes a message to the chaincode may have. The chaincode gets an ERROR instead of an
	// answer that is larger, and Execute returns an error for a transaction that is. 0: the handler has no limit of
	// its own; a stream that has one, as gRPC's have, then ends by it.
	MaxSendMsgSize int
	// MaxQueuedBytes is how many bytes of messages may wait in each direction: to be sent, and for the ledger. See
	// the package's documentation. 0: 128 MiB.
	MaxQueuedBytes int
	// MaxEventBytes is how many bytes the name and the payload of a chaincode's event may have together. A
	// transaction whose event has more fails. 0: 4 MiB.
	MaxEventBytes int
	// MaxPageBytes is behind how many bytes of results a page of a query that isn't paginated ends. A page has one
	// result at least. 0: 4 MiB.
	MaxPageBytes int
	// Strict ends the stream when a transaction sends a request while another is pending. Otherwise the second
	// request is ignored, as Fabric's peer does.
	Strict bool
}

func (c Config) withDefaults() (Config, error) {
	if c.Registry == nil {
		return c, errors.New("handler: Config.Registry is required")
	}
	if err := c.checkLimits(); err != nil {
		return c, err
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	orDefault(&c.ExecuteTimeout, 30*time.Second)
	orDefault(&c.RegisterTimeout, 10*time.Second)
	orDefault(&c.TotalQueryLimit, 100_000)
	orDefault(&c.MaxQueries, 256)
	orDefault(&c.MaxCallDepth, 64)
	orDefault(&c.MaxSizeWriteBatch, 1000)
	orDefault(&c.MaxSizeGetMultipleKeys, 1000)
	orDefault(&c.SendQueue, 256)
	orDefault(&c.MaxInFlight, 2500)
	orDefault(&c.SendTimeout, 30*time.Second)
	orDefault(&c.MaxQueuedBytes, 128<<20)
	orDefault(&c.MaxEventBytes, 4<<20)
	orDefault(&c.MaxPageBytes, 4<<20)
	orDefault[CollectionStore](&c.CollectionStore, denyAll{})
	orDefault[ApplicationConfig](&c.ApplicationConfig, newestChannel{})
	orDefault[BuiltinChaincodes](&c.Builtins, noBuiltins{})
	return c, nil
}

// checkLimits returns an error for a limit that is negative.
func (c *Config) checkLimits() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"ExecuteTimeout", c.ExecuteTimeout}, {"RegisterTimeout", c.RegisterTimeout}, {"Keepalive", c.Keepalive},
		{"SendTimeout", c.SendTimeout},
	} {
		if d.value < 0 {
			return errors.Errorf("handler: Config.%s is %s, want 0 or more", d.name, d.value)
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"TotalQueryLimit", c.TotalQueryLimit}, {"MaxQueries", c.MaxQueries}, {"MaxCallDepth", c.MaxCallDepth}, {"SendQueue", c.SendQueue},
		{"MaxSizeWriteBatch", c.MaxSizeWriteBatch}, {"MaxSizeGetMultipleKeys", c.MaxSizeGetMultipleKeys},
		{"MaxInFlight", c.MaxInFlight}, {"MaxSendMsgSize", c.MaxSendMsgSize}, {"MaxQueuedBytes", c.MaxQueuedBytes},
		{"MaxEventBytes", c.MaxEventBytes}, {"MaxPageBytes", c.MaxPageBytes},
	} {
		if n.value < 0 {
			return errors.Errorf("handler: Config.%s is %d, want 0 or more", n.name, n.value)
		}
	}
	return nil
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}
