// Package gateway is Fabric's Gateway service, to which applications talk that use the client libraries fabric-gateway
// (internal/pkg/gateway).
//
//	g, err := gateway.New(gateway.Config{MSPID: "Org1MSP", Channel: channel, ACL: checker})
//	pbgrpc.RegisterGatewayServer(server, g)
//
// It has proposals endorsed by as many peers as their policies need, hands transactions to the ordering service, and tells what
// became of them and which events they have. Codes, texts, details and the order of the checks are Fabric's. It checks no signature
// of a proposal and none of a transaction, as the endorsers do so, and the ordering service does.
//
// It knows peers, an ordering service and ledgers by small interfaces, so that any peer can serve it.
package gateway

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// The names that Fabric's ACLs have for what a Gateway guards.
const (
	resourceCommitStatus    = "gateway/CommitStatus"
	resourceChaincodeEvents = "gateway/ChaincodeEvents"
)

// What a Config that says nothing has (Fabric: internal/pkg/gateway/config).
const (
	DefaultEndorsementTimeout = 10 * time.Second
	DefaultBroadcastTimeout   = 10 * time.Second
)

// Config says whose gateway it is, and what it stands on.
type Config struct {
	// MSPID is the ID of the organization whose peer serves the gateway. Required.
	MSPID string
	// Channel returns a channel that this peer is on, or nil. It must not block. Required.
	Channel func(channelID string) *Channel
	// ACL decides who may ask for commits and events. Required.
	ACL acl.Checker
	// EndorsementTimeout is how long a peer may take for a proposal (peer.gateway.endorsementTimeout). Zero: 10 s.
	EndorsementTimeout time.Duration
	// BroadcastTimeout is how long an ordering node may take for a transaction (peer.gateway.broadcastTimeout). Zero: 10 s.
	BroadcastTimeout time.Duration
	// Logger gets what clients are not told. Nil: nothing is logged.
	Logger *zap.Logger
}

// Channel is what a Gateway must know of a channel. All fields are required.
type Channel struct {
	// Peers returns the peers that are on the channel, the host among them. Clients get the error's text.
	Peers func(ctx context.Context) ([]*plan.Peer, error)
	// Policies knows the channel's chaincodes.
	Policies plan.Policies
	// Orderers returns the nodes of the ordering service, or nil if the channel's configuration has none. Clients get the error's text.
	Orderers func(ctx context.Context) (*Orderers, error)
	// Ledger is the peer's ledger of the channel.
	Ledger Ledger
}

// Orderers are the nodes of an ordering service.
type Orderers struct {
	// Nodes are those that can be reached.
	Nodes []Orderer
	// BFT says that the nodes don't trust each other. Then most of them must have a transaction, and not just one.
	BFT bool
	// Cluster is how many nodes there are, reached or not. Zero: as many as Nodes.
	Cluster int
}

// Orderer is a node of an ordering service.
type Orderer struct {
	// Address and MSPID are where the node is, and whose. Clients are told them if the node fails.
	Address, MSPID string
	// Broadcaster takes transactions there.
	Broadcaster Broadcaster
}

// Broadcaster takes transactions to be ordered. An ordering.Service is one.
type Broadcaster interface {
	// Broadcast has a marshalled Envelope ordered. If it is refused, the error is an *ordering.Error. It returns when ctx ends.
	Broadcast(ctx context.Context, envelope []byte) error
}

// Ledger is what a peer has committed of a channel. It is safe for concurrent use.
type Ledger interface {
	// Height returns the number of blocks.
	Height(ctx context.Context) (uint64, error)
	// Status returns what became of a transaction. It is false if the transaction isn't committed.
	Status(ctx context.Context, txID string) (Status, bool, error)
	// Blocks returns the blocks from a number on, those that are there and those that are to come.
	Blocks(from uint64) Blocks
}

// Blocks are the blocks of a ledger, one after the other.
type Blocks interface {
	// Next returns the next block. It waits until the block is committed, or until ctx ends. It is called by one goroutine at a time.
	Next(ctx context.Context) (*Block, error)
	// Close gives back what the blocks are read with. It is called once, after the last Next.
	Close()
}

// Status is what became of a transaction.
type Status struct {
	// Block is the number of its block.
	Block uint64
	// Code says whether it is valid.
	Code pb.TxValidationCode
}

// Block is a block that was committed. It is only read.
type Block struct {
	// Number is the block's number.
	Number uint64
	// Transactions are the block's, in its order.
	Transactions []Transaction
}

// Transaction is a transaction that was committed, valid or not.
type Transaction struct {
	// TxID is its ID. It is empty if the transaction has none.
	TxID string
	// Code says whether it is valid.
	Code pb.TxValidationCode
	// Envelope is the marshalled Envelope.
	Envelope []byte
}

// Gateway serves Fabric's Gateway. It is safe for concurrent use.
type Gateway struct {
	cfg   Config
	feeds feeds

	closing    context.Context // ends with Close
	close      context.CancelFunc
	broadcasts sync.WaitGroup // that nobody waits for any more, as enough nodes have the transaction
}

var _ pbgrpc.GatewayServer = (*Gateway)(nil)

// New returns a Gateway. Close it after use.
func New(cfg Config) (*Gateway, error) {
	switch {
	case cfg.MSPID == "":
		return nil, errors.New("make gateway: Config.MSPID is empty")
	case cfg.Channel == nil, cfg.ACL == nil:
		return nil, errors.New("make gateway: Config.Channel and ACL are required")
	case cfg.EndorsementTimeout < 0, cfg.BroadcastTimeout < 0:
		return nil, errors.New("make gateway: a timeout is negative")
	}
	if cfg.EndorsementTimeout == 0 {
		cfg.EndorsementTimeout = DefaultEndorsementTimeout
	}
	if cfg.BroadcastTimeout == 0 {
		cfg.BroadcastTimeout = DefaultBroadcastTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	g := &Gateway{cfg: cfg, feeds: feeds{byChannel: map[string]*feed{}}}
	g.closing, g.close = context.WithCancel(context.Background())
	return g, nil
}

// Close ends what is still being done for calls that have returned, and waits for it. It is called after the last call has returned.
// It may be called again.
func (g *Gateway) Close() {
	g.close()
	g.broadcasts.Wait()
}

// channel returns a channel, or an error with the text of Fabric's discovery.
func (g *Gateway) channel(channelID string) (*Channel, error) {
	if c := g.cfg.Channel(channelID); c != nil {
		return c, nil
	}
	return nil, errors.Errorf("could not get last config for channel %s", channelID)
}

// panicked is what clients are told of a peer or an orderer in this process that has panicked.
const panicked = "it has panicked"

// guard calls do, and keeps a panic from ending the process. It is for goroutines beside that of a call, where whoever serves calls
// can't see it.
func (g *Gateway) guard(address string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			g.cfg.Logger.Error("a peer or an orderer panicked", zap.String("address", address), zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
		}
	}()
	do()
}
