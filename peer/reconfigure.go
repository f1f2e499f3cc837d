package peer

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
)

// SetAddresses has the channels' configurations say where clients find the orderer, and where they find some peers of each
// organization, by its MSP ID: see NetworkConfig. What is nil stays as it is. A channel that says something else gets a block with
// another configuration, which all peers have committed when SetAddresses returns. A channel without a configuration stays as it is.
func (n *Network) SetAddresses(ctx context.Context, orderers []string, anchorPeers map[string][]string) error {
	n.configuring.Lock()
	defer n.configuring.Unlock()
	if orderers != nil {
		n.cfg.OrdererAddresses = slices.Clone(orderers)
	}
	if anchorPeers != nil {
		n.cfg.AnchorPeers = maps.Clone(anchorPeers)
	}
	for _, id := range n.cfg.Channels {
		if err := n.reconfigure(ctx, id); err != nil {
			return errors.WithMessagef(err, "set addresses of channel %s", id)
		}
	}
	return nil
}

// reconfigure has a channel's configuration say what the network is, unless it does, or there is none.
func (n *Network) reconfigure(ctx context.Context, id string) error {
	c := n.peers[0].Channel(id)
	now, err := c.Config(ctx)
	if errors.Is(err, ErrNoConfig) {
		return nil
	}
	if err != nil {
		return err
	}
	says, err := channelconfig.Read(now.Config)
	if err != nil {
		return err
	}
	next, err := n.cfg.describeAfter(says, c.cfg.Organizations).Update(now.Config)
	if err != nil || next == nil {
		return err
	}
	envelope, err := channelconfig.Envelope(id, next, c.peer.cfg.Signer)
	if err != nil {
		return err
	}
	outcomes, err := n.pass(ctx, id, [][]byte{envelope}, func() error {
		for _, p := range n.peers {
			p.Channel(id).configured.expect(next)
		}
		return n.orderer.Configure(ctx, envelope)
	})
	if err != nil {
		return err
	}
	return outcomes[0].Err()
}

// describeAfter is describe for a channel whose configuration says something already: of addresses that the network doesn't know it
// says the same again.
func (cfg *NetworkConfig) describeAfter(says *channelconfig.Channel, members []identity.Organization) channelconfig.Channel {
	described := cfg.describe(members)
	if cfg.OrdererAddresses == nil {
		described.Orderer.Organizations[0].Endpoints = says.OrdererAddresses()
	}
	if cfg.AnchorPeers != nil {
		return described
	}
	for i, o := range described.Application.Organizations {
		for _, before := range says.Application.Organizations {
			if before.MSP.MSPID == o.MSP.MSPID {
				described.Application.Organizations[i].AnchorPeers = before.AnchorPeers
			}
		}
	}
	return described
}

// describe describes a channel of some members, as far as these go by it.
func describe(members []identity.Organization) channelconfig.Channel {
	var described channelconfig.Channel
	for _, o := range members {
		described.Application.Organizations = append(described.Application.Organizations, channelconfig.Organization{MSP: o})
	}
	return described
}

// describe describes a new channel of the network. Its orderer belongs to the first organization.
func (cfg *NetworkConfig) describe(members []identity.Organization) channelconfig.Channel {
	described := describe(members)
	for i, o := range members {
		described.Application.Organizations[i].AnchorPeers = cfg.AnchorPeers[o.MSPID]
	}
	described.Orderer.Organizations = []channelconfig.Organization{{MSP: members[0], Endpoints: cfg.OrdererAddresses}}
	b := cfg.Batch
	described.Orderer.Batch = channelconfig.Batch{
		MaxMessageCount: limited(b.MaxMessageCount), AbsoluteMaxBytes: limited(b.AbsoluteMaxBytes), PreferredMaxBytes: limited(b.PreferredMaxBytes), Timeout: b.Timeout,
	}
	if b.Timeout == 0 { // each envelope has a block
		described.Orderer.Batch.MaxMessageCount = 1
	}
	return described
}

// limited returns a number as a configuration can have it.
func limited(n int) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) } //nolint:gosec // it fits
