package handler

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// ChaincodeToChaincode is the resource that ACLProvider is asked about when chaincode calls chaincode
// (Fabric: core/aclmgmt/resources).
const ChaincodeToChaincode = "peer/ChaincodeToChaincode"

// ACLProvider decides what a proposal's creator may do. It is asked by the transaction's worker, and may wait for as
// long as ctx allows.
type ACLProvider interface {
	// CheckACL returns nil if the creator may use the resource on the channel. The error's text is what chaincode
	// gets. sp is never nil, and is not to be modified.
	CheckACL(ctx context.Context, resource, channelID string, sp *pb.SignedProposal) error
}

// CollectionStore knows who may read and write which collection of private data.
type CollectionStore interface {
	// CollectionPermission returns what the transaction's creator may do. What it allows is remembered until the
	// transaction's end. An error refuses the request, with its text.
	CollectionPermission(ctx context.Context, r CollectionRequest) (CollectionPermission, error)
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
	// ApplicationCapabilities returns the capabilities of a channel, or false if the channel has no application
	// configuration.
	ApplicationCapabilities(channelID string) (ApplicationCapabilities, bool)
}

// ApplicationCapabilities are those of Fabric's application capabilities that chaincode can tell apart.
type ApplicationCapabilities struct {
	// KeyLevelEndorsement allows key metadata: V1_3 or later.
	KeyLevelEndorsement bool
	// PurgePrivateData allows private data to be purged: V2_5 or later.
	PurgePrivateData bool
}

// BuiltinChaincodes knows the chaincodes that belong to the peer: Fabric's system chaincodes. They may be called without
// permission, and by a transaction that has no channel.
type BuiltinChaincodes interface {
	// IsBuiltin says whether the chaincode that is called name is one. It must not block: the stream may wait for it.
	IsBuiltin(name string) bool
}

// AllowAll is an ACLProvider and a CollectionStore that allows everything, with a proposal or without: for tests, and
// where everyone who reaches the peer may do everything.
type AllowAll struct{}

var (
	_ ACLProvider     = AllowAll{}
	_ CollectionStore = AllowAll{}
)

// CheckACL implements ACLProvider.
func (AllowAll) CheckACL(context.Context, string, string, *pb.SignedProposal) error { return nil }

// CollectionPermission implements CollectionStore.
func (AllowAll) CollectionPermission(context.Context, CollectionRequest) (CollectionPermission, error) {
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

func (newestChannel) ApplicationCapabilities(string) (ApplicationCapabilities, bool) {
	return ApplicationCapabilities{KeyLevelEndorsement: true, PurgePrivateData: true}, true
}

// noBuiltins are the BuiltinChaincodes of a peer that was given none.
type noBuiltins struct{}

func (noBuiltins) IsBuiltin(string) bool { return false }
