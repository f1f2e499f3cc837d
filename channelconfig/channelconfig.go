// Package channelconfig describes a channel: its organizations, who orders, how large blocks are, and whom its policies let do what.
// It writes such a description as Fabric's configuration, with a first block that has it, and reads the ones of Fabric.
//
//	c := channelconfig.Channel{Application: channelconfig.Application{Organizations: []channelconfig.Organization{{MSP: org1}}}}
//	genesis, err := c.Genesis("mychannel") // block 0, which Fabric's tools read
//
//	config, err := channelconfig.FromBlock(genesis)
//	c, err := channelconfig.Read(config)
//	readers, err := c.Policy("/Channel/Application/Readers")
//
// A configuration is a tree of groups, and its values are messages (Fabric: common/channelconfig, internal/configtxgen/encoder).
// What is written is the same bytes each time. That Fabric understands it is tested in internal/realfabric.
package channelconfig

import (
	"time"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
)

// Channel is a channel's configuration. What is left zero is written as in Fabric's samples (configtx.yaml).
type Channel struct {
	// Application is about the channel's members, and Orderer about who makes its blocks.
	Application Application
	Orderer     Orderer
	// Addresses are those of the orderers, as host:port. They are from the time before Orderer had them, by organizations.
	Addresses []string
	// Capabilities are what a peer or an orderer must know to be on the channel. Nil: V2_0.
	Capabilities []string
	// Policies are those of the whole channel, which are about changing it. Nil: Readers, Writers and Admins.
	Policies Policies
	// Sequence says how often the configuration was changed. A new channel's is 0.
	Sequence uint64
}

// Application is a channel's group of the same name.
type Application struct {
	// Organizations are the members.
	Organizations []Organization
	// ACLs say which policy guards what of a peer: event/Block may be guarded by /Channel/Application/Readers. What isn't here is
	// guarded by Fabric's defaults.
	ACLs map[string]string
	// Capabilities are what a peer must know. Nil: V2_5.
	Capabilities []string
	// Policies are those of the members together. Nil: Readers, Writers, Admins, Endorsement and LifecycleEndorsement.
	Policies Policies
}

// Orderer is a channel's group of the same name.
type Orderer struct {
	// Organizations are those whose orderers make the blocks.
	Organizations []Organization
	// Consensus is how orderers agree, such as etcdraft, and ConsensusMetadata is what they must know for it, a marshalled message.
	// Empty: solo, which is one orderer.
	Consensus         string
	ConsensusMetadata []byte
	// Batch says when a block is cut.
	Batch Batch
	// Capabilities are what an orderer must know. Nil: V2_0.
	Capabilities []string
	// Policies are those of these organizations together. Nil: Readers, Writers, Admins and BlockValidation.
	Policies Policies
}

// Batch says when a block is cut. Zero fields are those of Fabric's samples.
type Batch struct {
	// MaxMessageCount is how many envelopes a block has at most. Zero: 500.
	MaxMessageCount uint32
	// AbsoluteMaxBytes is how large an envelope may be. Zero: 10 MiB. PreferredMaxBytes is how large the envelopes of a block are
	// together, unless one of them is larger. Zero: 2 MiB.
	AbsoluteMaxBytes, PreferredMaxBytes uint32
	// Timeout is how long a block waits for more. Zero: 2 s.
	Timeout time.Duration
}

// Organization is an organization of a channel.
type Organization struct {
	// Name is the name of its group. Empty: the ID of its MSP.
	Name string
	// MSP tells its members, and the roots of its TLS certificates. An MSP of another type than Fabric's usual one is read without
	// roots. It has no members here.
	MSP identity.Organization
	// AnchorPeers are its peers by which other organizations find it, as host:port. Only members have some.
	AnchorPeers []string
	// Endpoints are the addresses of its orderers, as host:port. Only those who order have some.
	Endpoints []string
	// Policies are its own. Nil: Readers, Writers, Admins and Endorsement by roles (MemberPolicies), or the first three for those who
	// order.
	Policies Policies
}

// name is the name of the organization's group.
func (o Organization) name() string {
	if o.Name == "" {
		return o.MSP.MSPID
	}
	return o.Name
}

// Policies are the policies of a group, by their names.
type Policies map[string]Policy

// Policy is a policy as it is written. One that counts the policies of the groups below has a Rule and their name. Any other has a
// Signature. Channel.Policy returns one that can be asked.
type Policy struct {
	// Rule says how many of the groups' policies called Of are needed. Empty: the policy is Signature.
	Rule policies.Rule
	Of   string
	// Signature names those who must sign.
	Signature policies.Signature
}

// Members returns the MSPs of all who may be on the channel: its members, and those who order. Those that have no members here are
// left out.
func (c Channel) Members() []identity.Organization {
	var all []identity.Organization
	seen := map[string]bool{}
	for _, organizations := range [][]Organization{c.Application.Organizations, c.Orderer.Organizations} {
		for _, o := range organizations {
			if !seen[o.MSP.MSPID] && len(o.MSP.Roots) > 0 {
				seen[o.MSP.MSPID] = true
				all = append(all, o.MSP)
			}
		}
	}
	return all
}

// OrdererAddresses returns where the channel's orderers are, as host:port: those of their organizations, or else the channel's.
func (c Channel) OrdererAddresses() []string {
	var all []string
	for _, o := range c.Orderer.Organizations {
		all = append(all, o.Endpoints...)
	}
	if len(all) == 0 {
		all = append(all, c.Addresses...)
	}
	return all
}
