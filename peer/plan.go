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
	s := search{tries: maxTries, enough: w.enough}
	for size := range len(may) {
		if chosen := s.choose(may[:1], may[1:], size); chosen != nil {
			return chosen[1:], nil
		}
		if err := ctx.Err(); err != nil {
			return nil, errors.Wrap(err, "find enough peers")
		}
	}
	if w.enough(may) { // nobody has the time to find fewer
		return may[1:], nil
	}
	return nil, w.cannot(call, len(may), len(candidates))
}

// cannot is the error if all who may endorse are not enough.
func (w *wanted) cannot(call Call, may, known int) error {
	if len(w.collections) > 0 && may < known {
		return errors.Errorf("requires endorsement from organisation(s) that are not in the distribution policy of the private data "+
			"collection(s): [%s]; retry specifying trusted endorsing organizations to protect transient data", w.collectionNames())
	}
	return errors.Errorf("no combination of peers can be derived which satisfy the endorsement policy: %d can endorse chaincode %s on channel %s",
		may, call.Chaincode, call.Channel)
}

// maxTries is how many combinations of peers are tried, fewest peers first, before all are asked. 20 peers have a million of them.
const maxTries = 1_000

// search looks for peers that are enough, as long as it has tries left.
type search struct {
	tries  int
	enough func([]candidate) bool
}

// choose adds as many peers as it is told to those that are chosen, so that they are enough. It returns nil if it can't.
func (s *search) choose(chosen, from []candidate, more int) []candidate {
	if more == 0 {
		s.tries--
		if s.enough(chosen) {
			return chosen
		}
		return nil
	}
	for i := 0; i+more <= len(from) && s.tries > 0; i++ {
		with := append(chosen[:len(chosen):len(chosen)], from[i])
		if found := s.choose(with, from[i+1:], more-1); found != nil {
			return found
		}
	}
	return nil
}
