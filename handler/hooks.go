package handler

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Hooks are what a peer decides, what it knows of its network, and what it wants to be told.
//
// A hook that decides is an interface of one method, which takes a context and returns an error. Each has a function type
// that implements it. A transaction's worker asks it, so a hook that is slow or panics concerns that transaction alone.
// Observers are only told, and nothing depends on them. They return nothing, and must not block.
type Hooks struct {
	// Ledgers finds the ledger of a channel when chaincode calls chaincode on another channel. Nil: there is no other
	// channel.
	Ledgers Ledgers
	// ACL decides whether a transaction's creator may call a chaincode from another. Nil: on the caller's own channel
	// everyone may, and on other channels nobody may.
	ACL ACLProvider
	// CollectionStore decides who may read and write private data. Nil: nobody may, but hashes can be read.
	CollectionStore CollectionStore
	// ApplicationConfig knows the channels' capabilities. Nil: every channel has the newest ones.
	ApplicationConfig ApplicationConfig
	// Builtins are the names of the chaincodes that belong to the peer: Fabric's system chaincodes. They may be called
	// without permission, even by a transaction that has no channel. Apart from that they run like other chaincode.
	Builtins []string

	// Requests are put around every request of chaincode, the first one outermost.
	Requests []RequestInterceptor
	// Transactions are put around every Execute, the first one outermost.
	Transactions []TransactionInterceptor
	// Messages is told of every message. Nil: no observer is told.
	Messages MessageObserver
	// Faults is told of everything that should not have happened. Nil: no observer is told.
	Faults FaultObserver
	// Logger gets the logs, under the names that Fabric uses, which begin with "chaincode". Nil: nothing is logged.
	Logger *zap.Logger
}

// ErrUnknownChannel is what Ledgers and ApplicationConfig return for a channel that they don't know. Chaincode then gets the
// text that Fabric's peer has for it.
var ErrUnknownChannel = errors.New("channel is unknown")

// Ledgers finds the ledgers of channels.
type Ledgers interface {
	// Ledger returns the ledger of a channel. It returns ErrUnknownChannel for a channel that doesn't exist.
	Ledger(ctx context.Context, channelID string) (ledger.Ledger, error)
}

// LedgersFunc is a function that implements Ledgers.
type LedgersFunc func(ctx context.Context, channelID string) (ledger.Ledger, error)

// Ledger implements Ledgers.
func (f LedgersFunc) Ledger(ctx context.Context, channelID string) (ledger.Ledger, error) {
	return f(ctx, channelID)
}

// ChaincodeToChaincode is the resource that ACLProvider is asked about when chaincode calls chaincode
// (Fabric: core/aclmgmt/resources).
const ChaincodeToChaincode = "peer/ChaincodeToChaincode"

// ACLProvider decides what a proposal's creator may do. It may wait for as long as ctx allows.
type ACLProvider interface {
	// CheckACL returns nil if the creator may use the resource on the channel. Chaincode gets the error's text. sp is never
	// nil, and must not be modified.
	CheckACL(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error
}

// ACLFunc is a function that implements ACLProvider.
type ACLFunc func(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error

// CheckACL implements ACLProvider.
func (f ACLFunc) CheckACL(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error {
	return f(ctx, resource, channelID, sp)
}

// CollectionStore knows who may read and write which collection of private data.
type CollectionStore interface {
	// CollectionPermission returns what the transaction's creator may do with a collection. What it allows is remembered
	// until the transaction ends. An error refuses the request, and chaincode gets its text.
	CollectionPermission(ctx context.Context, r CollectionRequest) (CollectionPermission, error)
}

// CollectionStoreFunc is a function that implements CollectionStore.
type CollectionStoreFunc func(ctx context.Context, r CollectionRequest) (CollectionPermission, error)

// CollectionPermission implements CollectionStore.
func (f CollectionStoreFunc) CollectionPermission(ctx context.Context, r CollectionRequest) (CollectionPermission, error) {
	return f(ctx, r)
}

// CollectionRequest says who asks for which collection.
type CollectionRequest struct {
	ChannelID  string
	TxID       string
	Namespace  string
	Collection string
	// SignedProposal is the transaction's proposal, or nil if it has none. It must not be modified.
	SignedProposal *pb.SignedProposal
	// Simulator is the transaction's simulator. Use it if collections are defined by the channel's state. It must not be
	// used after CollectionPermission has returned.
	Simulator ledger.Simulator
}

// CollectionPermission is what a transaction's creator may do with a collection.
type CollectionPermission struct{ Read, Write bool }

// ApplicationConfig knows which capabilities the members of a channel have agreed on.
type ApplicationConfig interface {
	// ApplicationCapabilities returns the capabilities of a channel. It returns ErrUnknownChannel for a channel that has no
	// application configuration.
	ApplicationCapabilities(ctx context.Context, channelID string) (ApplicationCapabilities, error)
}

// ApplicationConfigFunc is a function that implements ApplicationConfig.
type ApplicationConfigFunc func(ctx context.Context, channelID string) (ApplicationCapabilities, error)

// ApplicationCapabilities implements ApplicationConfig.
func (f ApplicationConfigFunc) ApplicationCapabilities(ctx context.Context, channelID string) (ApplicationCapabilities, error) {
	return f(ctx, channelID)
}

// ApplicationCapabilities are those of Fabric's application capabilities whose presence chaincode can notice.
type ApplicationCapabilities struct {
	// KeyLevelEndorsement allows key metadata: V1_3 or later.
	KeyLevelEndorsement bool
	// PurgePrivateData allows private data to be purged: V2_5 or later.
	PurgePrivateData bool
}

// InsecureAllowAll is an ACLProvider and a CollectionStore that allow everything, with a proposal or without. Use it in
// tests, or in a peer where everyone who reaches it may do everything.
type InsecureAllowAll struct{}

var (
	_ ACLProvider     = InsecureAllowAll{}
	_ CollectionStore = InsecureAllowAll{}
)

// CheckACL implements ACLProvider.
func (InsecureAllowAll) CheckACL(context.Context, string, string, *pb.SignedProposal) error {
	return nil
}

// CollectionPermission implements CollectionStore.
func (InsecureAllowAll) CollectionPermission(context.Context, CollectionRequest) (CollectionPermission, error) {
	return CollectionPermission{Read: true, Write: true}, nil
}

// denyAll is the CollectionStore that a peer has if it sets none.
type denyAll struct{}

func (denyAll) CollectionPermission(_ context.Context, r CollectionRequest) (CollectionPermission, error) {
	return CollectionPermission{}, errors.Errorf("access denied: this peer has no CollectionStore, so that nobody reads or writes collection %s of %s",
		quoted(r.Collection), r.Namespace)
}

// newestChannel is the ApplicationConfig that a peer has if it sets none.
type newestChannel struct{}

func (newestChannel) ApplicationCapabilities(context.Context, string) (ApplicationCapabilities, error) {
	return ApplicationCapabilities{KeyLevelEndorsement: true, PurgePrivateData: true}, nil
}
