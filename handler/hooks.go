package handler

import (
	"context"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Hooks are what a peer decides, what it knows of its network, and what it wants to be told. Hooks that decide are
// interfaces of one method, which takes a context and returns an error; each has a type of function that implements it.
// They are asked by the worker of a transaction, so that one that is slow or panics concerns that transaction alone. Observers
// are told, and nothing depends on them: they return nothing, and must not block.
type Hooks struct {
	// Ledgers finds the ledger of a channel when chaincode calls chaincode on another one. Nil: there is no other channel.
	Ledgers Ledgers
	// ACL decides whether a transaction's creator may call a chaincode from another. Nil: on the caller's own channel
	// everyone may, and on other channels nobody.
	ACL ACLProvider
	// CollectionStore decides who may read and write private data. Nil: nobody may; hashes can be read.
	CollectionStore CollectionStore
	// ApplicationConfig knows the channels' capabilities. Nil: every channel has the newest.
	ApplicationConfig ApplicationConfig
	// Builtins are the names of the chaincodes that belong to the peer: Fabric's system chaincodes. They may be called
	// without permission, and by a transaction that has no channel. They are run like others.
	Builtins []string

	// Requests are put around every request of chaincode, the first one outermost.
	Requests []RequestInterceptor
	// Transactions are put around every Execute, the first one outermost.
	Transactions []TransactionInterceptor
	// Messages is told of every message. Nil: nobody is.
	Messages MessageObserver
	// Faults is told of what should not have happened. Nil: nobody is.
	Faults FaultObserver
	// Logger is written to under the names that Fabric uses, beginning with "chaincode". Nil: nothing is.
	Logger *zap.Logger
}

// ErrUnknownChannel is what Ledgers and ApplicationConfig return for a channel that they don't know. Chaincode then gets the
// text that Fabric's peer has for it.
var ErrUnknownChannel = errors.New("channel is unknown")

// Ledgers finds the ledgers of channels.
type Ledgers interface {
	// Ledger returns the ledger of a channel. The error for a channel that doesn't exist is ErrUnknownChannel.
	Ledger(ctx context.Context, channelID string) (ledger.Ledger, error)
}

// LedgersFunc is a function that is Ledgers.
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
	// CheckACL returns nil if the creator may use the resource on the channel. The error's text is what chaincode
	// gets. sp is never nil, and is not to be modified.
	CheckACL(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error
}

// ACLFunc is a function that is an ACLProvider.
type ACLFunc func(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error

// CheckACL implements ACLProvider.
func (f ACLFunc) CheckACL(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error {
	return f(ctx, resource, channelID, sp)
}

// CollectionStore knows who may read and write which collection of private data.
type CollectionStore interface {
	// CollectionPermission returns what the transaction's creator may do. What it allows is remembered until the
	// transaction's end. An error refuses the request, with its text.
	CollectionPermission(ctx context.Context, r CollectionRequest) (CollectionPermission, error)
}

// CollectionStoreFunc is a function that is a CollectionStore.
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
	// SignedProposal is the transaction's, or nil if it has none. It is not to be modified.
	SignedProposal *pb.SignedProposal
	// Simulator is the transaction's: for collections that are defined by the channel's state. It must not be used
	// after CollectionPermission has returned.
	Simulator ledger.Simulator
}

// CollectionPermission is what a transaction's creator may do with a collection.
type CollectionPermission struct{ Read, Write bool }

// ApplicationConfig knows what the members of a channel have agreed on that their peers can do.
type ApplicationConfig interface {
	// ApplicationCapabilities returns the capabilities of a channel. The error for a channel that has no application
	// configuration is ErrUnknownChannel.
	ApplicationCapabilities(ctx context.Context, channelID string) (ApplicationCapabilities, error)
}

// ApplicationConfigFunc is a function that is an ApplicationConfig.
type ApplicationConfigFunc func(ctx context.Context, channelID string) (ApplicationCapabilities, error)

// ApplicationCapabilities implements ApplicationConfig.
func (f ApplicationConfigFunc) ApplicationCapabilities(ctx context.Context, channelID string) (ApplicationCapabilities, error) {
	return f(ctx, channelID)
}

// ApplicationCapabilities are those of Fabric's application capabilities that chaincode can tell apart.
type ApplicationCapabilities struct {
	// KeyLevelEndorsement allows key metadata: V1_3 or later.
	KeyLevelEndorsement bool
	// PurgePrivateData allows private data to be purged: V2_5 or later.
	PurgePrivateData bool
}

// InsecureAllowAll is an ACLProvider and a CollectionStore that allows everything, with a proposal or without. It is for
// tests, and for peers where everyone who reaches them may do everything.
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

// denyAll is the CollectionStore of a peer that was given none.
type denyAll struct{}

func (denyAll) CollectionPermission(_ context.Context, r CollectionRequest) (CollectionPermission, error) {
	return CollectionPermission{}, errors.Errorf("access denied: this peer has no CollectionStore, so that nobody reads or writes collection %s of %s",
		quoted(r.Collection), r.Namespace)
}

// newestChannel is the ApplicationConfig of a peer that was given none.
type newestChannel struct{}

func (newestChannel) ApplicationCapabilities(context.Context, string) (ApplicationCapabilities, error) {
	return ApplicationCapabilities{KeyLevelEndorsement: true, PurgePrivateData: true}, nil
}
