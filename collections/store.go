// Package collections decides who may read and write which collection of private data, as Fabric's peers do.
//
//	definitions, err := collections.Parse(file)                                              // a collections_config.json
//	err = ledger.Define(ctx, "asset", kvledger.Definition{Collections: definitions})         // for chaincode asset
//	peer, err := chaincodesupport.New(chaincodesupport.Config{Hooks: handler.Hooks{CollectionStore: collections.Store{}}, …})
package collections

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Store is a handler.CollectionStore that goes by the definitions of the collections, as Fabric's SimpleCollectionStore does
// (core/common/privdata). A client that the collection's policy names may read and write it. Others may read it unless it is
// memberOnlyRead, and write it unless it is memberOnlyWrite. A collection that is neither is for everyone, even for a
// transaction without a proposal. The implicit collections of organizations are such collections, because Fabric generates
// them like that.
//
// The transaction's simulator is asked for the definitions, so they are those of the state that the transaction sees. For
// that the simulator must implement ledger.CollectionConfigs. If you wrap a simulator, pass GetCollectionConfig on.
// Otherwise no collection is found, except implicit ones.
//
// The creator of the signed proposal is the one who asks. Everyone who names an MSP's ID is a member of it. Other roles
// follow from the organizational units in the certificate's subject. It must have exactly one of client, peer, admin and
// orderer. In Fabric an MSP can also list its administrators; those lists are not known here.
//
// The zero Store believes the creator. That is right for a peer that has verified each proposal before it executes it, as
// Fabric's do. Any other peer must set Verify. Otherwise anyone can write another MSP's ID into a proposal, and read that
// MSP's data. A Store is safe for concurrent use if its functions are.
type Store struct {
	// Verify returns an error unless the proposal is its creator's, and the creator its MSP's. Use
	// identity.ParsedProposal.Verify for that. An error refuses the request, and chaincode gets its text. Verify is not
	// called for collections that are for everyone. channelID is the chaincode's channel. If the chaincode was called from
	// another channel, the proposal's is that other one. p must not be modified. Nil: the proposal has been verified
	// already.
	Verify func(ctx context.Context, channelID string, p *identity.ParsedProposal) error
	// MSPIDs returns the IDs of the MSPs that are members of a channel. Only they have implicit collections. It must not
	// block. Nil: every name with the prefix of implicit collections is one, as in Fabric.
	MSPIDs func(channelID string) []string
}

var _ handler.CollectionStore = Store{}

// CollectionPermission implements handler.CollectionStore.
func (s Store) CollectionPermission(ctx context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	everything := handler.CollectionPermission{Read: true, Write: true}
	if s.isImplicit(r) {
		return everything, nil
	}
	config, err := configOf(ctx, r)
	if err != nil {
		return handler.CollectionPermission{}, err
	}
	if !config.MemberOnlyRead && !config.MemberOnlyWrite {
		return everything, nil
	}
	member, err := s.isMember(ctx, r, config)
	if err != nil {
		return handler.CollectionPermission{}, errors.WithMessagef(err, "collection %s/%s/%s", r.ChannelID, r.Namespace, r.Collection)
	}
	return handler.CollectionPermission{Read: member || !config.MemberOnlyRead, Write: member || !config.MemberOnlyWrite}, nil
}

// isImplicit reports whether the collection is an organization's own.
func (s Store) isImplicit(r handler.CollectionRequest) bool {
	mspID, ok := strings.CutPrefix(r.Collection, ledger.ImplicitCollectionPrefix)
	return ok && mspID != "" && (s.MSPIDs == nil || slices.Contains(s.MSPIDs(r.ChannelID), mspID))
}

// configOf returns the definition of the collection.
func configOf(ctx context.Context, r handler.CollectionRequest) (*ledger.CollectionConfig, error) {
	configs, ok := r.Simulator.(ledger.CollectionConfigs)
	if !ok {
		return nil, errors.Errorf("collection %s/%s/%s could not be found: this peer's ledger has no definitions of collections",
			r.ChannelID, r.Namespace, r.Collection)
	}
	config, err := configs.GetCollectionConfig(ctx, r.Namespace, r.Collection)
	if err != nil {
		return nil, errors.WithMessagef(err, "read definition of collection %s/%s/%s", r.ChannelID, r.Namespace, r.Collection)
	}
	if config == nil {
		return nil, errors.Errorf("collection %s/%s/%s could not be found", r.ChannelID, r.Namespace, r.Collection)
	}
	return config, nil
}

// isMember reports whether the collection's policy names the creator of the proposal.
func (s Store) isMember(ctx context.Context, r handler.CollectionRequest, config *ledger.CollectionConfig) (bool, error) {
	policy, err := policies.Parse(config.Policy)
	if err != nil {
		return false, errors.WithMessage(err, "parse policy")
	}
	principals, err := policy.AnyOf()
	if err != nil {
		return false, errors.WithMessage(err, "parse policy")
	}
	if r.SignedProposal == nil {
		return false, errors.New("it is for its members, and the transaction has no signed proposal that says who asks")
	}
	p, err := identity.ParseProposal(r.SignedProposal)
	if err != nil {
		return false, err
	}
	if s.Verify != nil {
		if err := s.Verify(ctx, r.ChannelID, p); err != nil {
			return false, err
		}
	}
	var creator pb.SerializedIdentity
	if err := proto.Unmarshal(p.Creator, &creator); err != nil {
		return false, errors.Wrap(err, "decode creator")
	}
	return slices.ContainsFunc(principals, func(p identity.Principal) bool {
		for part := &p; part != nil; part = part.Also {
			if part.MSPID != creator.GetMspid() || part.Role != identity.Member && part.Role != roleIn(creator.GetIdBytes()) {
				return false
			}
		}
		return true
	}), nil
}

// roleIn returns the role that a certificate, in PEM, gives its owner. It returns "" if the certificate gives none, or more
// than one, which makes it invalid in Fabric (msp, mspimplvalidate.go).
func roleIn(certificate []byte) identity.Role {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return ""
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	var found identity.Role
	for _, ou := range cert.Subject.OrganizationalUnit {
		switch role := identity.Role(ou); role {
		case identity.Admin, identity.Client, identity.Peer, identity.Orderer:
			if found != "" {
				return ""
			}
			found = role
		}
	}
	return found
}
