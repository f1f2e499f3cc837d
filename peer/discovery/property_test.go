package discovery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/discovery"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// For policies made at random, each layout fulfils them all, whichever peers of the groups a client takes, and whoever fulfils them fills a
// layout. So no smaller one is missing.
func TestLayoutsAreThePolicies(t *testing.T) {
	mspIDs := []string{"A", "B", "C"}
	w := newWorld(t, mspIDs...)
	for _, name := range []string{"peer0.A", "peer1.A", "peer2.A", "peer0.B", "peer1.B", "peer0.C"} {
		w.add(name, "cc", "other")
	}
	var who []*identity.Verified
	for _, p := range w.peers {
		v, err := w.verifier.Identify(p.Identity)
		if err != nil {
			t.Fatal(err)
		}
		who = append(who, v)
	}
	found := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 15))
		var all []policies.Signature
		interest := &pb.ChaincodeInterest{}
		for _, name := range []string{"cc", "other"}[:1+r.IntN(2)] {
			p := randomPolicy(r, mspIDs, 3)
			w.chaincodes[name] = &discovery.Chaincode{Name: name, Version: "1", Endorsement: p}
			all, interest.Chaincodes = append(all, p), append(interest.Chaincodes, calls(name))
		}
		if r.IntN(3) == 0 {
			p := randomPolicy(r, mspIDs, 2)
			e, err := p.Envelope()
			if err != nil {
				t.Fatal(err)
			}
			all, interest.Chaincodes[0].KeyPolicies = append(all, p), append(interest.Chaincodes[0].KeyPolicies, e)
		}
		d, err := w.service().Descriptor(t.Context(), "mychannel", interest)
		name := fmt.Sprintf("seed %d, %v", seed, all)
		if err == nil {
			found++
			check(t, name, d, all, w, who)
			continue
		}
		if all := fulfilling(all, who); len(all) > 0 && err.Error() != "endorsement policy cannot be satisfied" {
			t.Errorf("%s: %v, and %d combinations fulfil them", name, err, len(all))
		}
	}
	if found < 100 {
		t.Errorf("only %d policies can be fulfilled", found)
	}
}

// randomPolicy is a gate with principals that peers may belong to, or not.
func randomPolicy(r *rand.Rand, mspIDs []string, depth int) policies.Signature {
	var rules []policies.Signature
	for range 1 + r.IntN(3) {
		if depth > 1 && r.IntN(4) == 0 {
			rules = append(rules, randomPolicy(r, mspIDs, depth-1))
			continue
		}
		roles := []identity.Role{identity.Peer, identity.Peer, identity.Peer, identity.Member, identity.Admin}
		rules = append(rules, policies.SignedBy(identity.Principal{MSPID: mspIDs[r.IntN(len(mspIDs))], Role: roles[r.IntN(len(roles))]}))
	}
	return policies.OutOf(1+r.IntN(len(rules)), rules...)
}

// check checks a descriptor both ways.
func check(t *testing.T, name string, d *pb.EndorsementDescriptor, all []policies.Signature, w *world, who []*identity.Verified) {
	t.Helper()
	groups := map[string][]int{}
	for g, peers := range d.GetEndorsersByGroups() {
		for _, p := range peers.GetPeers() {
			groups[g] = append(groups[g], slices.IndexFunc(w.peers, func(known discovery.Peer) bool { return string(known.Identity) == string(p.GetIdentity()) }))
		}
	}
	var layouts [][]string
	for _, l := range d.GetLayouts() {
		var needed []string
		for g, quantity := range l.GetQuantitiesByGroup() {
			needed = append(needed, slices.Repeat([]string{g}, int(quantity))...)
		}
		layouts = append(layouts, needed)
		fills := 0
		assign(needed, groups, nil, func(chosen []int) bool {
			fills++
			if !fulfil(all, who, chosen) {
				t.Errorf("%s: layout %v is filled by %v, and that isn't enough", name, l, chosen)
			}
			return false
		})
		if fills == 0 {
			t.Errorf("%s: nobody can fill layout %v", name, l)
		}
	}
	for _, subset := range fulfilling(all, who) {
		if !slices.ContainsFunc(layouts, func(needed []string) bool {
			return assign(needed, groups, nil, func(chosen []int) bool {
				return !slices.ContainsFunc(chosen, func(i int) bool { return !slices.Contains(subset, i) })
			})
		}) {
			t.Errorf("%s: %v are enough, but fill none of %v", name, subset, d.GetLayouts())
		}
	}
}

// assign tries all ways to take a peer of each group, none twice, until one is good.
func assign(needed []string, groups map[string][]int, chosen []int, good func([]int) bool) bool {
	if len(needed) == 0 {
		return good(chosen)
	}
	for _, i := range groups[needed[0]] {
		if !slices.Contains(chosen, i) && assign(needed[1:], groups, append(chosen[:len(chosen):len(chosen)], i), good) {
			return true
		}
	}
	return false
}

// fulfil reports whether some peers are enough for all policies. The peers of an organization are alike, so their order doesn't matter.
func fulfil(all []policies.Signature, who []*identity.Verified, chosen []int) bool {
	var signers []*identity.Verified
	for _, i := range chosen {
		signers = append(signers, who[i])
	}
	return !slices.ContainsFunc(all, func(p policies.Signature) bool { return p.Evaluate(signers) != nil })
}

// fulfilling are all combinations of peers that are enough.
func fulfilling(all []policies.Signature, who []*identity.Verified) [][]int {
	var found [][]int
	for mask := range 1 << len(who) {
		var chosen []int
		for i := range who {
			if mask&(1<<i) != 0 {
				chosen = append(chosen, i)
			}
		}
		if fulfil(all, who, chosen) {
			found = append(found, chosen)
		}
	}
	return found
}
