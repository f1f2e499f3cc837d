package realfabric_test

import (
	"context"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/envelopes"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// channelOf is what this repository's packages know of a real network's channel.
type channelOf struct {
	t        *testing.T
	network  *network.Network
	table    envelopes.Config
	verifier *identity.Verifier
}

func newChannelOf(t *testing.T, n *network.Network) *channelOf {
	t.Helper()
	first, second := n.Organizations[0], n.Organizations[1]
	v, err := identity.NewVerifier(n.OrdererMSP.Organization(), first.MSP.Organization(), second.MSP.Organization())
	if err != nil {
		t.Fatal(err)
	}
	return &channelOf{t: t, network: n, verifier: v, table: envelopes.Config{
		ChannelID: network.ChannelID, Both: network.Both, Either: network.Either, Version: network.Version,
		Client: first.User, Peer1: first.Peer, Peer2: second.Peer,
	}}
}

func (c *channelOf) parse(policy string) policies.Policy {
	c.t.Helper()
	p, err := policies.Parse(policy)
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// orderer is one of ours, with the channel's policies, that goes on from a block.
func (c *channelOf) orderer(last *pb.BlockHeader) *ordering.Orderer {
	c.t.Helper()
	o, err := ordering.New(ordering.Config{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(o.Close)
	anyOf := func(all ...policies.Policy) policies.Policy {
		return policies.ImplicitMeta{Rule: policies.AnyRule, Name: "Writers", Policies: all}
	}
	err = o.AddChannel(ordering.Channel{
		ID: network.ChannelID, Head: ordering.Head{Header: last}, Verifier: c.verifier,
		Batch: ordering.Batch{PreferredMaxBytes: network.PreferredMaxBytes, Timeout: time.Hour},
		Writers: anyOf(
			anyOf(c.parse("OR('Org1MSP.admin', 'Org1MSP.client')"), c.parse("OR('Org2MSP.admin', 'Org2MSP.client')")),
			anyOf(c.parse("OR('OrdererMSP.member')")),
		),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return o
}

// ledger is one of ours, and a committer of the channel's blocks.
func (c *channelOf) ledger() (*kvledger.Ledger, *committer.Committer) {
	c.t.Helper()
	l, err := kvledger.NewProvider(memory.New()).Open(c.t.Context(), network.ChannelID)
	if err != nil {
		c.t.Fatal(err)
	}
	defined := map[string]*committer.Definition{
		network.Both: {Endorsement: c.parse(c.table.BothPolicy()), Collections: map[string]policies.Policy{
			envelopes.SharedCollection: nil, envelopes.FirstCollection: c.parse(c.table.FirstPolicy()),
		}},
		network.Either: {Endorsement: c.parse(c.table.EitherPolicy())},
		"_lifecycle":   {Endorsement: c.parse(c.table.BothPolicy())},
	}
	ours, err := committer.New(committer.Config{
		ChannelID: network.ChannelID, Verifier: c.verifier, Ledger: l, Configs: configs{},
		Organizations: map[string]policies.Policy{"Org1MSP": c.parse("OR('Org1MSP.peer')"), "Org2MSP": c.parse("OR('Org2MSP.peer')")},
		Definitions: committer.DefinitionsFunc(func(_ context.Context, name string) (*committer.Definition, error) {
			return defined[name], nil
		}),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return l, ours
}

// configs accepts the configuration of block 0.
type configs struct{}

func (configs) Configure(_ context.Context, b *pb.Block, _ int, _ *pb.Payload) error {
	if b.GetHeader().GetNumber() != 0 {
		return committer.ErrInvalidConfig
	}
	return nil
}
