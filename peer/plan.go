package peer

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
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
	if all := append(own, others...); len(all) > 0 {
		return all, nil
	}
	return nil, errors.Errorf("no peer of channel %s has chaincode %q: deploy it", call.Channel, call.Chaincode)
}

// runs reports whether a peer can be expected to run a channel's chaincode.
func (p *Peer) runs(c *Channel, name string) bool {
	d := c.definitions.find(name)
	if d == nil {
		return p.cfg.Support.Definitions != nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.runtimes[d.ID] != nil || p.cfg.Support.Runtimes != nil || p.cfg.Support.DevMode
}

// plan returns who must endorse besides the first, given what the first says about policies, as Fabric's gateway does by discovery.
// The texts are Fabric's.
func plan(ctx context.Context, call Call, first *answer, candidates []candidate) ([]candidate, error) {
	w, err := wants(candidates[0].channel, call, first.response.GetInterest())
	if err != nil {
		return nil, err
	}
	var may []candidate
	for _, c := range candidates {
		ok, err := w.trusts(ctx, c.channel.self)
		if err != nil {
			return nil, err
		}
		if ok {
			may = append(may, c)
		}
	}
	if len(may) == 0 || may[0].peer != first.peer {
		may = append([]candidate{candidates[0]}, may...) // it has seen the data already
	}
	tries := 0
	enough := func(chosen []candidate) bool {
		tries++
		return tries <= maxTries && w.enough(chosen)
	}
	for size := range len(may) {
		if chosen := choose(may[:1], may[1:], size, enough); chosen != nil {
			return chosen[1:], nil
		}
	}
	if w.enough(may) {
		return may[1:], nil
	}
	if len(w.collections) > 0 && len(may) < len(candidates) {
		return nil, errors.Errorf("requires endorsement from organisation(s) that are not in the distribution policy of the private data "+
			"collection(s): [%s]; retry specifying trusted endorsing organizations to protect transient data", w.collectionNames())
	}
	return nil, errors.Errorf("no combination of peers can be derived which satisfy the endorsement policy: %d can endorse chaincode %s on channel %s",
		len(may), call.Chaincode, call.Channel)
}

// maxTries is how many combinations of peers are tried, fewest peers first, before all are asked.
const maxTries = 10_000

// choose adds as many peers as it is told to those that are chosen, so that they are enough. It returns nil if it can't.
func choose(chosen, from []candidate, more int, enough func([]candidate) bool) []candidate {
	if more == 0 {
		if enough(chosen) {
			return chosen
		}
		return nil
	}
	for i := 0; i+more <= len(from); i++ {
		with := append(chosen[:len(chosen):len(chosen)], from[i])
		if found := choose(with, from[i+1:], more-1, enough); found != nil {
			return found
		}
	}
	return nil
}
