package main

import (
	"strconv"

	"github.com/hyperledger/fabric-protos-go/common"
	gossipproto "github.com/hyperledger/fabric-protos-go/gossip"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"github.com/hyperledger/fabric-protos-go/peer"
	ccmetadata "github.com/hyperledger/fabric/common/chaincode"
	"github.com/hyperledger/fabric/common/flogging"
	"github.com/hyperledger/fabric/common/policies"
	"github.com/hyperledger/fabric/common/policies/inquire"
	"github.com/hyperledger/fabric/discovery/endorsement"
	"github.com/hyperledger/fabric/gossip/api"
	gossipcommon "github.com/hyperledger/fabric/gossip/common"
	"github.com/hyperledger/fabric/gossip/discovery"
	"github.com/hyperledger/fabric/protoutil"
)

// peers are those that a channel has. Each runs every chaincode, which is called by the number of its policy.
type peers struct {
	oracle     *oracle
	identities [][]byte
	policies   []*common.SignaturePolicyEnvelope
}

// layouts says whose endorsements fulfil all of some policies: a marshalled EndorsementDescriptor.
func (o *oracle) layouts(q question) (a answer, err error) {
	flogging.ActivateSpec("fatal") // it warns of each policy that can't be fulfilled
	p := peers{oracle: o, identities: q.Signers}
	interest := &peer.ChaincodeInterest{}
	for i, b := range q.Layouts {
		policy, err := protoutil.UnmarshalSignaturePolicy(b)
		if err != nil {
			return a, err
		}
		p.policies = append(p.policies, policy)
		interest.Chaincodes = append(interest.Chaincodes, &peer.ChaincodeCall{Name: strconv.Itoa(i)})
	}
	d, err := endorsement.NewEndorsementAnalyzer(p, p, p, p).PeersForEndorsement(nil, interest)
	if err != nil {
		return answer{Error: err.Error()}, nil //nolint:nilerr // that is what was asked
	}
	a.Payload, err = protoutil.Marshal(d)
	return a, err
}

func (p peers) members() discovery.Members {
	var all discovery.Members
	for i := range p.identities {
		properties := &gossipproto.Properties{}
		for name := range p.policies {
			properties.Chaincodes = append(properties.Chaincodes, &gossipproto.Chaincode{Name: strconv.Itoa(name)})
		}
		all = append(all, discovery.NetworkMember{PKIid: gossipcommon.PKIidType(strconv.Itoa(i)), Properties: properties, Envelope: &gossipproto.Envelope{}})
	}
	return all
}

// Peers, PeersOfChannel and IdentityInfo are what gossip knows.
func (p peers) Peers() discovery.Members { return p.members() }

func (p peers) PeersOfChannel(gossipcommon.ChannelID) discovery.Members { return p.members() }

func (p peers) IdentityInfo() api.PeerIdentitySet {
	var all api.PeerIdentitySet
	for i, id := range p.identities {
		all = append(all, api.PeerIdentityInfo{PKIId: gossipcommon.PKIidType(strconv.Itoa(i)), Identity: id})
	}
	return all
}

// SatisfiesPrincipal is asked of peers.
func (p peers) SatisfiesPrincipal(_ string, identity []byte, principal *mspproto.MSPPrincipal) error {
	id, err := p.oracle.msps.DeserializeIdentity(identity)
	if err != nil {
		return err
	}
	return id.SatisfiesPrincipal(principal)
}

// Metadata and PoliciesByChaincode are what the channel knows of chaincodes.
func (p peers) Metadata(_, name string, _ ...string) *ccmetadata.Metadata {
	return &ccmetadata.Metadata{Name: name}
}

func (p peers) PoliciesByChaincode(_, name string, _ ...string) []policies.InquireablePolicy {
	i, err := strconv.Atoi(name)
	if err != nil {
		return nil
	}
	return []policies.InquireablePolicy{inquire.NewInquireableSignaturePolicy(p.policies[i])}
}
