package discovery

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
)

// What a search may do. Clients name policies of keys themselves, so they could ask for anything.
const (
	// maxSets is how many sets of principals may fulfil a policy (Fabric: policies/inquire, combinationsUpperBound).
	maxSets = 10_000
	// maxWork is how many sets are made, compared or tried for one request.
	maxWork = 200_000
	// rulesAtOnce is how many rules of a policy are tried for the work that it is to make a set.
	rulesAtOnce = 16
)

// set is a set of principals, each of which needs a peer of its own. A principal may be in it several times. It has their numbers in a
// search, sorted.
type set []int

// search finds the sets of principals that fulfil policies. If there are too many, it leaves some out. Every set that it returns fulfils
// them all.
type search struct {
	principals []identity.Principal
	numbers    map[identity.Principal]int
	peers      []*identity.Verified // nil for those who are nobody
	work       *work
}

func newSearch(peers []*identity.Verified, work *work) *search {
	return &search{numbers: map[identity.Principal]int{}, peers: peers, work: work}
}

// number returns a principal's number, from 0, or -1 if no peer belongs to it.
func (s *search) number(p identity.Principal) int {
	n, ok := s.numbers[p]
	if !ok {
		n = -1
		if slices.ContainsFunc(s.peers, func(who *identity.Verified) bool { return who != nil && who.Satisfies(p) }) {
			n, s.principals = len(s.principals), append(s.principals, p)
		}
		s.numbers[p] = n
	}
	return n
}

// fulfilling returns the smallest sets that fulfil a policy, with principals only to which a peer belongs.
func (s *search) fulfilling(p policies.Signature) ([]set, error) {
	if p.Rules == nil {
		if p.Principal.Also != nil || p.Principal == (identity.Principal{}) { // as in Fabric, which can't compare them
			return nil, errors.New("failed creating a comparable principal set")
		}
		if n := s.number(p.Principal); n >= 0 {
			return []set{{n}}, nil
		}
		return nil, nil
	}
	var found [][]set
	for _, rule := range p.Rules {
		sets, err := s.fulfilling(rule)
		if err != nil {
			return nil, err
		}
		if len(sets) > 0 {
			found = append(found, sets)
		}
	}
	g := gathering{search: s, rules: found}
	g.choose(nil, 0, p.Needed)
	return s.smallest(g.found), nil
}

// gathering puts together what fulfils a gate.
type gathering struct {
	search *search
	rules  [][]set
	found  []set
}

// choose adds to a set what fulfils some more of the rules from a position on.
func (g *gathering) choose(chosen set, from, more int) {
	if more <= 0 {
		g.found = append(g.found, chosen)
		return
	}
	for i := from; i+more <= len(g.rules); i++ {
		for _, one := range g.rules[i] {
			if len(g.found) >= maxSets || !g.search.work.spend(1) {
				return
			}
			if len(chosen)+len(one) > len(g.search.peers) {
				continue
			}
			with := slices.Concat(chosen, one)
			slices.Sort(with)
			g.choose(with, i+1, more-1)
		}
	}
}

// work is what may be done for a request.
type work struct {
	ctx  context.Context
	left int
}

func newWork(ctx context.Context) *work { return &work{ctx, maxWork} }

// spend reports whether some work may still be done. Nothing is when the client has gone.
func (w *work) spend(n int) bool {
	before := w.left / 1024
	if w.left -= n; w.left/1024 != before && w.ctx.Err() != nil {
		w.left = 0
	}
	return w.left > 0
}

// rules is how many rules policies have.
func rules(all ...policies.Signature) int {
	n := len(all)
	for _, p := range all {
		n += rules(p.Rules...)
	}
	return n
}

// smallest leaves out sets that have another one in them. The order of the others stays.
func (s *search) smallest(sets []set) []set {
	bySize := slices.Clone(sets)
	slices.SortStableFunc(bySize, func(a, b set) int { return len(a) - len(b) })
	var smaller []set
	kept := map[string]bool{}
	for _, one := range bySize {
		if kept[one.key()] {
			continue
		}
		if !slices.ContainsFunc(smaller, func(other set) bool { return len(other) < len(one) && s.work.spend(1) && one.contains(other) }) {
			smaller, kept[one.key()] = append(smaller, one), true
		}
	}
	var left []set
	for _, one := range sets {
		if key := one.key(); kept[key] {
			left, kept[key] = append(left, one), false
		}
	}
	return left
}

// key tells sets apart.
func (a set) key() string {
	var b []byte
	for _, n := range a {
		b = append(b, byte(n>>16), byte(n>>8), byte(n))
	}
	return string(b)
}

// contains reports whether all of b is in a.
func (a set) contains(b set) bool {
	at := 0
	for _, n := range b {
		for at < len(a) && a[at] < n {
			at++
		}
		if at == len(a) || a[at] != n {
			return false
		}
		at++
	}
	return true
}

// both returns the sets that fulfil two policies, given those of each.
func (s *search) both(some, others []set) []set {
	var all []set
	for _, a := range some {
		for _, b := range others {
			if len(all) >= maxSets || !s.work.spend(1) {
				return s.smallest(all)
			}
			if merged := s.merge(a, b); len(merged) <= len(s.peers) {
				all = append(all, merged)
			}
		}
	}
	return s.smallest(all)
}

// merge returns a set that has a and b in it: a peer may stand for a principal of each, if whoever belongs to one of these belongs to
// the other, too.
func (s *search) merge(a, b set) set {
	merged, free := slices.Clone(a), make([]bool, len(a))
	for i := range free {
		free[i] = true
	}
	rest := s.pair(merged, b, free, func(x, y int) bool { return x == y })
	rest = s.pair(merged, rest, free, s.isA)
	merged = append(merged, rest...)
	slices.Sort(merged)
	return merged
}

// pair looks for a free principal for each of some others, and replaces it by the narrower one of the two. It returns those for which
// there is none.
func (s *search) pair(merged, others set, free []bool, fits func(x, y int) bool) (rest set) {
	for _, y := range others {
		at := -1
		for i := range free {
			if free[i] && (fits(merged[i], y) || fits(y, merged[i])) {
				at = i
				break
			}
		}
		switch {
		case at < 0:
			rest = append(rest, y)
			continue
		case fits(y, merged[at]):
			merged[at] = y
		}
		free[at] = false
	}
	return rest
}

// isA reports whether whoever belongs to a principal belongs to another one, as far as one can say without knowing anybody (Fabric:
// policies/inquire, ComparablePrincipal.IsA).
func (s *search) isA(x, y int) bool {
	narrow, wide := s.principals[x], s.principals[y]
	return wide.Role == identity.Member && mspIDOf(narrow) == wide.MSPID
}

// mspIDOf returns the ID of the MSP that a principal is of.
func mspIDOf(p identity.Principal) string {
	if p.Creator != "" {
		return mspIDOfIdentity([]byte(p.Creator))
	}
	return p.MSPID
}
