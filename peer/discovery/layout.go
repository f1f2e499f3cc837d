package discovery

import (
	"math"
	"slices"
	"strconv"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// group is the name of a principal in a descriptor. Clients don't learn what is behind it.
func group(number int) string { return "G" + strconv.Itoa(number) }

// layout says how many peers of each group a set needs.
func (a set) layout() *pb.Layout {
	l := &pb.Layout{QuantitiesByGroup: map[string]uint32{}}
	for _, n := range a {
		if l.QuantitiesByGroup[group(n)] < math.MaxUint32 {
			l.QuantitiesByGroup[group(n)]++
		}
	}
	return l
}

// crew is who belongs to which principal.
type crew struct {
	search  *search
	peers   []*identity.Verified // nil for those who are nobody
	members [][]int              // the positions of peers, by the principals' numbers
	roles   []int                // to how many principals a peer belongs
}

// newCrew finds out which of some peers belong to the principals of a search.
func newCrew(s *search, peers []*identity.Verified) *crew {
	c := &crew{search: s, peers: peers, roles: make([]int, len(peers))}
	for _, p := range s.principals {
		var members []int
		for i, peer := range peers {
			if peer != nil && peer.Satisfies(p) {
				members = append(members, i)
				c.roles[i]++
			}
		}
		c.members = append(c.members, members)
	}
	return c
}

// enough returns the sets that the crew can fill, and that fulfil some policies then.
//
// A set may not fulfil the policy that it is of. The evaluator looks at all rules of a gate, also when it has enough, and each takes a
// signer: AND(OR('A.member', 'A.peer'), 'A.peer') needs three. Such a set grows until it is enough.
func (c *crew) enough(sets []set, wanted []policies.Signature) []set {
	var all []set
	seen, cost := map[string]bool{}, 1+rules(wanted...)/rulesAtOnce
	for queue := slices.Clone(sets); len(queue) > 0 && c.search.work.spend(cost); queue = queue[1:] {
		one := queue[0]
		chosen := c.fill(one)
		switch {
		case chosen == nil:
			continue
		case c.fulfil(wanted, chosen):
			all = append(all, one)
			continue
		}
		for n := range c.search.principals {
			with := append(slices.Clone(one), n)
			slices.Sort(with)
			if len(with) <= len(c.peers) && !seen[with.key()] && c.search.work.spend(1) {
				seen[with.key()], queue = true, append(queue, with)
			}
		}
	}
	return c.search.smallest(all)
}

// fulfil reports whether some of the crew fulfil all policies. A rule takes the first signer that fits. So those who fit least are first.
func (c *crew) fulfil(wanted []policies.Signature, chosen []int) bool {
	slices.SortStableFunc(chosen, func(a, b int) int { return c.roles[a] - c.roles[b] })
	signers := make([]*identity.Verified, len(chosen))
	for i, peer := range chosen {
		signers[i] = c.peers[peer]
	}
	return !slices.ContainsFunc(wanted, func(p policies.Signature) bool { return p.Evaluate(signers) != nil })
}

// fill returns the position of a peer for each principal of a set, or nil if there are too few: whoever has signed counts once in a policy.
func (c *crew) fill(a set) []int {
	if len(a) > len(c.peers) {
		return nil
	}
	m := matching{crew: c, of: map[int]int{}}
	for place, principal := range a {
		m.seen = map[int]bool{}
		if !m.find(a, place, principal) {
			return nil
		}
	}
	chosen := make([]int, len(a))
	for peer, place := range m.of {
		chosen[place] = peer
	}
	return chosen
}

// matching gives places to peers, one to each.
type matching struct {
	crew *crew
	of   map[int]int  // the place of a peer
	seen map[int]bool // peers that were asked to make room
}

// find finds a peer for a place. Peers that have another place move, if there is somebody else for that.
func (m *matching) find(a set, place, principal int) bool {
	for _, peer := range m.crew.members[principal] {
		if m.seen[peer] {
			continue
		}
		m.seen[peer] = true
		other, taken := m.of[peer]
		if !taken || m.find(a, other, a[other]) {
			m.of[peer] = place
			return true
		}
	}
	return false
}
