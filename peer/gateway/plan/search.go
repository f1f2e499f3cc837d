package plan

import "slices"

// maxTries is how many combinations of peers are tried, fewest peers first, before the rest is left to chance. 20 peers have a
// million of them.
const maxTries = 1_000

// Next returns who is to be asked now, so that their endorsements and those of peers who have endorsed, or are being asked, will be
// enough. They are the fewest, and among these the preferred ones. It is false if there are no such peers. Those who have failed are
// not asked again.
func (p *Plan) Next(have, failed []*Peer) ([]*Peer, bool) {
	var left []*Peer
	for _, peer := range p.peers {
		if !slices.Contains(have, peer) && !slices.Contains(failed, peer) {
			left = append(left, peer)
		}
	}
	if p.orgs != nil {
		return p.nextOf(have, left)
	}
	var usable []*Peer // the first endorser may be one who may not be asked
	for _, peer := range have {
		if slices.Contains(p.peers, peer) {
			usable = append(usable, peer)
		}
	}
	s := search{tries: maxTries, enough: p.enough}
	for size := range len(left) + 1 {
		if chosen := s.choose(usable, left, size); chosen != nil {
			return chosen[len(usable):], true
		}
	}
	return p.reduce(usable, left)
}

// nextOf is Next for a plan by organizations.
func (p *Plan) nextOf(have, left []*Peer) ([]*Peer, bool) {
	var next []*Peer
	for _, mspID := range p.missing(have) {
		i := slices.IndexFunc(left, func(peer *Peer) bool { return peer.MSPID() == mspID })
		if i < 0 {
			return nil, false
		}
		next = append(next, left[i])
	}
	return next, true
}

// reduce leaves out, from the last on, all peers without whom the others are enough.
func (p *Plan) reduce(have, left []*Peer) ([]*Peer, bool) {
	all := slices.Concat(have, left)
	if !p.enough(all) {
		return nil, false
	}
	for i := len(all) - 1; i >= len(have); i-- {
		if without := slices.Delete(slices.Clone(all), i, i+1); p.enough(without) {
			all = without
		}
	}
	return all[len(have):], true
}

// search looks for peers that are enough, as long as it has tries left.
type search struct {
	tries  int
	enough func([]*Peer) bool
}

// choose adds as many peers as it is told to those that are chosen, so that they are enough. It returns nil if it can't.
func (s *search) choose(chosen, from []*Peer, more int) []*Peer {
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
