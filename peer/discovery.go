package peer

import (
	"context"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/discovery"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// DiscoveryConfig says where clients find a network.
type DiscoveryConfig struct {
	// Address returns where a peer serves clients, as host:port. Clients are not told of a peer without one. Required.
	Address func(peerName string) string
	// Orderers are where the orderer serves them, as host:port. Nil: where the channels' configurations say.
	Orderers []string
	// TLSCertHash is as in discovery.Config.
	TLSCertHash func(ctx context.Context) []byte
}

// NewDiscovery returns the service that tells clients of a network, as one of its peers knows it. There is nothing to close.
func NewDiscovery(n *Network, p *Peer, cfg DiscoveryConfig) (*discovery.Service, error) {
	if cfg.Address == nil {
		return nil, errors.New("make discovery service: DiscoveryConfig.Address is missing")
	}
	d := &discovered{network: n, cfg: cfg, started: time.Now()}
	return discovery.New(discovery.Config{
		Channel: func(id string) discovery.Channel {
			if c := p.Channel(id); c != nil {
				return discoveredChannel{d, c}
			}
			return nil
		},
		Peers: func(context.Context) ([]discovery.Peer, error) {
			var all []discovery.Peer
			for _, p := range n.peers {
				all = append(all, d.peer(p))
			}
			return all, nil
		},
		Access: acl.CheckerFunc(p.mayDiscover), TLSCertHash: cfg.TLSCertHash, Logger: p.cfg.Logger,
	})
}

// mayDiscover implements acl.Checker for discovery: no channel has a say in it (Fabric: internal/peer/node, start.go).
func (p *Peer) mayDiscover(_ context.Context, r acl.Request) error {
	var policy policies.Policy = policies.SignedBy(identity.Principal{MSPID: p.mspID, Role: identity.Admin})
	verifier := p.local
	if r.ChannelID != "" {
		c := p.Channel(r.ChannelID)
		if c == nil {
			return errors.Errorf("channel '%s' not found", r.ChannelID)
		}
		verifier, policy = c.verifier, writersOf(c)
	}
	if verifier == nil {
		return errors.New("the peer has no organization")
	}
	who, err := verifier.Identify(r.Identity)
	if err != nil {
		return err
	}
	if err := who.Verify(r.Data, r.Signature); err != nil {
		return err
	}
	return policy.Evaluate([]*identity.Verified{who})
}

// discovered is a network as discovery knows it.
type discovered struct {
	network *Network
	cfg     DiscoveryConfig
	started time.Time
}

// peer is what is known of a peer without a channel.
func (d *discovered) peer(p *Peer) discovery.Peer {
	return discovery.Peer{Identity: p.Creator(), Endpoint: d.cfg.Address(p.Name()), Started: d.started}
}

// discoveredChannel is a channel of the peer that is asked.
type discoveredChannel struct {
	*discovered
	channel *Channel
}

var _ discovery.Channel = discoveredChannel{}

// Verifier implements discovery.Channel.
func (d discoveredChannel) Verifier() *identity.Verifier { return d.channel.verifier }

// Peers implements discovery.Channel.
func (d discoveredChannel) Peers(ctx context.Context) ([]discovery.Peer, error) {
	var all []discovery.Peer
	for _, p := range d.network.peers {
		c := p.Channel(d.channel.cfg.ID)
		if c == nil {
			continue
		}
		next := d.peer(p)
		var err error
		if next.Height, err = c.ledger.Height(ctx); err != nil {
			return nil, err
		}
		for _, def := range c.definitions.all() {
			if p.runs(c, def.Name) {
				next.Chaincodes = append(next.Chaincodes, discovery.Installed{Name: def.Name, Version: strconv.Itoa(def.sequence)})
			}
		}
		next.Chaincodes = append(next.Chaincodes, discovery.Installed{Name: lifecycle, Version: "1"})
		all = append(all, next)
	}
	return all, nil
}

// lifecycle is the chaincode that every peer of Fabric has, and tells clients of: they ask who endorses its transactions before they
// define chaincode. Here it can't be called yet.
const lifecycle = "_lifecycle"

// Chaincode implements discovery.Channel.
func (d discoveredChannel) Chaincode(_ context.Context, name string) (*discovery.Chaincode, error) {
	if name == lifecycle {
		return d.defined(name, 1, d.channel.policyAt("/Channel/Application/LifecycleEndorsement"))
	}
	def := d.channel.definitions.find(name)
	if def == nil {
		return nil, nil
	}
	c, err := d.defined(name, def.sequence, def.policy)
	if err != nil {
		return nil, err
	}
	for _, coll := range def.Collections {
		members, err := policies.Parse(coll.Policy)
		if err != nil {
			return nil, errors.WithMessagef(err, "parse policy of collection %s", coll.Name)
		}
		c.Collections = append(c.Collections, discovery.Collection{Name: coll.Name, Members: members})
	}
	return c, nil
}

// defined is a chaincode without collections.
func (d discoveredChannel) defined(name string, sequence int, policy policies.Policy) (*discovery.Chaincode, error) {
	c := &discovery.Chaincode{Name: name, Version: strconv.Itoa(sequence)}
	switch p := policy.(type) {
	case policies.Signature:
		c.Endorsement = p
	case policies.ImplicitMeta:
		var err error
		if c.Endorsement, err = p.Signature(); err != nil {
			return nil, err
		}
	default:
		return nil, errors.Errorf("the policy of chaincode %s is a %T, want one that names groups", name, policy)
	}
	return c, nil
}

// Configuration implements discovery.Channel. It is the channel's, but the orderers are where they are now.
func (d discoveredChannel) Configuration(ctx context.Context) (*pb.ConfigResult, error) {
	var result *pb.ConfigResult
	last, err := d.channel.Config(ctx)
	switch {
	case errors.Is(err, ErrNoConfig):
		result = d.configuration()
	case err != nil:
		return nil, err
	default:
		if result, err = discovery.FromConfig(last.Config); err != nil {
			return nil, err
		}
	}
	for mspID, m := range result.GetMsps() {
		if root := d.network.TLSRoot(mspID); root != nil && len(m.GetTlsRootCerts()) == 0 {
			m.TlsRootCerts = [][]byte{root}
		}
	}
	for mspID := range result.GetOrderers() {
		if d.cfg.Orderers != nil {
			result.Orderers[mspID] = discovery.Endpoints(d.cfg.Orderers...)
		}
	}
	return result, nil
}

// configuration is that of a channel whose blocks have none. The orderer belongs to the first organization.
func (d discoveredChannel) configuration() *pb.ConfigResult {
	all := d.channel.cfg.Organizations
	result := &pb.ConfigResult{Msps: map[string]*pb.FabricMSPConfig{}, Orderers: map[string]*pb.Endpoints{all[0].MSPID: {}}}
	for _, o := range all {
		result.Msps[o.MSPID] = channelconfig.MSP(o)
	}
	return result
}
