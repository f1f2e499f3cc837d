package peer

import (
	"context"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	"github.com/ccpeer/ccpeer/policies"
)

// candidate is a peer that can endorse.
type candidate struct {
	peer    *Peer
	channel *Channel
}

// candidates are the peers that can endorse a call. The first one is to be asked first: one of the client's organization if there
// is one. If the call says who is to be asked, it is those.
func (n *Network) candidates(who identity.Signer, call Call) ([]candidate, error) {
	var own, others, named []candidate
	mspID, byName := mspIDOf(who.Creator()), map[string]candidate{}
	known := false
	for _, p := range n.peers {
		c := candidate{p, p.Channel(call.Channel)}
		if c.channel == nil {
			continue
		}
		known = true
		byName[p.Name()] = c
		if _, ok := byName[p.MSPID()]; !ok {
			byName[p.MSPID()] = c
		}
		switch {
		case !p.runs(c.channel, call.Chaincode):
		case p.MSPID() == mspID:
			own = append(own, c)
		default:
			others = append(others, c)
		}
	}
	if !known {
		return nil, errors.Errorf("channel '%s' not found", call.Channel)
	}
	for _, name := range call.Endorsers {
		c, ok := byName[name]
		if !ok {
			return nil, errors.Errorf("there is no peer %q on channel %s: Call.Endorsers takes names of peers and IDs of MSPs", name, call.Channel)
		}
		named = append(named, c)
	}
	if named != nil {
		return named, nil
	}
	if len(call.Transient) > 0 && len(own) == 0 && len(others) > 0 { // Fabric: internal/pkg/gateway, endorse.go
		return nil, errors.New("no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data")
	}
	if all := append(own, others...); len(all) > 0 {
		return all, nil
	}
	return nil, errors.Errorf("no peer of channel %s has chaincode %q: deploy it", call.Channel, call.Chaincode)
}

// runs reports whether a peer can be expected to run a channel's chaincode.
func (p *Peer) runs(c *Channel, name string) bool {
	if p.isBuiltin(name) {
		return true
	}
	d := c.definitions.find(name)
	if d == nil {
		return p.cfg.Support.Definitions != nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.runtimes[d.ID] != nil || p.cfg.Support.Runtimes != nil || p.cfg.Support.DevMode
}

// others are those who must endorse besides the first, given what the first says about policies.
func others(ctx context.Context, call Call, first *answer, candidates []candidate) ([]candidate, error) {
	var peers []*plan.Peer
	for _, c := range candidates {
		peers = append(peers, &plan.Peer{
			Address: c.peer.Name(), Identity: c.channel.self, Runs: func(name string) bool { return c.peer.runs(c.channel, name) }, Endorser: c.peer,
		})
	}
	made, err := plan.New(ctx, planPolicies{candidates[0].channel}, plan.Transaction{
		Channel: call.Channel, Chaincode: call.Chaincode, Interest: first.response.GetInterest(), Transient: len(call.Transient) > 0,
	}, peers)
	if err != nil {
		return nil, err
	}
	next, _ := made.Next(peers[:1], nil) // which the plan has found possible
	var chosen []candidate
	for _, peer := range next {
		chosen = append(chosen, candidates[slices.Index(peers, peer)])
	}
	return chosen, nil
}

// planPolicies are what plans must know of a channel.
type planPolicies struct{ channel *Channel }

var _ plan.Policies = planPolicies{}

// Endorsement implements plan.Policies. Of what was not deployed, and what the peer knows from elsewhere, nothing is known.
func (p planPolicies) Endorsement(_ context.Context, chaincode string) (policies.Policy, error) {
	of := p.channel.peer
	switch d := p.channel.definitions.find(chaincode); {
	case d != nil:
		return d.policy, nil
	case of.cfg.Support.Definitions != nil && !of.isBuiltin(chaincode):
		return policies.ImplicitMeta{}, nil
	}
	return nil, nil
}

// Collection implements plan.Policies. A collection's keys are under the policy of the chaincode, or that of an organization for its
// own collection.
func (p planPolicies) Collection(_ context.Context, _, collection string) (policies.Policy, error) {
	if mspID, ok := strings.CutPrefix(collection, ledger.ImplicitCollectionPrefix); ok {
		return organizationPolicy(mspID, rolesOf[endorsement]), nil
	}
	return nil, nil
}

// MayHave implements plan.Policies.
func (p planPolicies) MayHave(ctx context.Context, chaincode, collection string, who *identity.Verified) (bool, error) {
	return p.channel.mayHave(ctx, chaincode, collection, who)
}
