package realfabric_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/discovery"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// discovered is a channel whose chaincodes are called by the numbers of their policies, as in program fabric.
type discovered struct {
	verifier *identity.Verifier
	peers    []discovery.Peer
	policies []policies.Signature
}

func (d *discovered) Verifier() *identity.Verifier                    { return d.verifier }
func (d *discovered) Peers(context.Context) ([]discovery.Peer, error) { return d.peers, nil }
func (d *discovered) Configuration(context.Context) (*pb.ConfigResult, error) {
	return &pb.ConfigResult{}, nil
}

func (d *discovered) Chaincode(_ context.Context, name string) (*discovery.Chaincode, error) {
	var i int
	if _, err := fmt.Sscan(name, &i); err != nil {
		return nil, err
	}
	return &discovery.Chaincode{Name: name, Endorsement: d.policies[i]}, nil
}

// TestLayouts compares who must endorse by random policies. A layout of Fabric's that peers can fill, and that is enough then, has one of
// ours in it. If there is one policy, one of ours is Fabric's, too, or larger. Of several, Fabric leaves out layouts.
func TestLayouts(t *testing.T) {
	f := startFabric(t)
	p := newPeople(t, f)
	d := &discovered{verifier: p.verifier}
	for _, id := range p.all {
		if role := id.Certificate().Subject.CommonName; role != "peer" && role != "admin" {
			continue
		}
		peer := discovery.Peer{Identity: id.Creator(), Endpoint: "localhost:7051"}
		for i := range 3 {
			peer.Chaincodes = append(peer.Chaincodes, discovery.Installed{Name: fmt.Sprint(i)})
		}
		d.peers = append(d.peers, peer)
	}
	s, err := discovery.New(discovery.Config{
		Channel: func(string) discovery.Channel { return d },
		Access:  acl.CheckerFunc(func(context.Context, acl.Request) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(*seed, 1)) //nolint:gosec // a test is to be repeatable
	both, left := 0, 0
	for range *rounds / 4 {
		q := question{}
		interest := &pb.ChaincodeInterest{}
		d.policies = nil
		for len(d.policies) < 1+r.IntN(3) {
			written := text(r, 1)
			signature, err := policies.Parse(written)
			if err != nil || strings.Contains(signature.String(), "OutOf(0, ") { // a gate that needs nobody makes Fabric's search give up
				continue
			}
			b, err := signature.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			interest.Chaincodes = append(interest.Chaincodes, &pb.ChaincodeCall{Name: fmt.Sprint(len(d.policies))})
			d.policies, q.Layouts = append(d.policies, signature), append(q.Layouts, b)
		}
		for _, peer := range d.peers {
			q.Signers = append(q.Signers, peer.Identity)
		}
		theirs := d.layouts(t, f.ask(q))
		made, err := s.Descriptor(t.Context(), "mychannel", interest)
		ours := d.layouts(t, answer{Payload: marshal(t, made)})
		if err != nil {
			ours = nil
		}
		for _, one := range theirs {
			if d.enough(one) && !slices.ContainsFunc(ours, func(other layout) bool { return one.has(other) }) {
				t.Errorf("%v: Fabric's %v has none of ours in it: %v, %v", d.policies, one, ours, err)
			}
		}
		for _, one := range ours {
			switch {
			case slices.ContainsFunc(theirs, func(other layout) bool { return one.has(other) }):
				both++
			case len(d.policies) == 1:
				t.Errorf("%v: our %v has none of Fabric's in it: %v", d.policies, one, theirs)
			default:
				left++
			}
		}
	}
	t.Logf("%d layouts, and %d that Fabric leaves out", both, left)
	if both < *rounds/20 {
		t.Errorf("%d layouts are too few to tell", both)
	}
}

// layout is how many peers of which groups are needed. A group is the positions of its peers, as groups have other names with Fabric.
type layout []string

// layouts takes a descriptor apart.
func (d *discovered) layouts(t *testing.T, a answer) []layout {
	t.Helper()
	var made pb.EndorsementDescriptor
	if err := proto.Unmarshal(a.Payload, &made); err != nil {
		t.Fatal(err)
	}
	groups := map[string]string{}
	for g, peers := range made.GetEndorsersByGroups() {
		var members []int
		for _, p := range peers.GetPeers() {
			members = append(members, slices.IndexFunc(d.peers, func(known discovery.Peer) bool { return string(known.Identity) == string(p.GetIdentity()) }))
		}
		slices.Sort(members)
		groups[g] = fmt.Sprint(members)
	}
	var all []layout
	for _, l := range made.GetLayouts() {
		var one layout
		for _, g := range slices.Sorted(maps.Keys(l.GetQuantitiesByGroup())) {
			one = append(one, slices.Repeat([]string{groups[g]}, int(l.GetQuantitiesByGroup()[g]))...)
		}
		slices.Sort(one)
		all = append(all, one)
	}
	return all
}

// has reports whether whoever fills this layout fills another one: it has as many groups that are the same, or have fewer peers.
func (l layout) has(other layout) bool {
	if len(other) == 0 {
		return true
	}
	for i, g := range l {
		if within(g, other[0]) && slices.Concat(l[:i], l[i+1:]).has(other[1:]) {
			return true
		}
	}
	return false
}

// members are the positions of a group's peers.
func members(group string) []string { return strings.Fields(strings.Trim(group, "[]")) }

// within reports whether the peers of a group are all in another one.
func within(group, other string) bool {
	return !slices.ContainsFunc(members(group), func(i string) bool { return !slices.Contains(members(other), i) })
}

// enough reports whether peers can fill a layout, and fulfil all policies then, whoever of a group it is, and in whatever order they sign.
func (d *discovered) enough(l layout) bool {
	filled := false
	return d.each(l, nil, func(chosen []int) bool {
		filled = true
		return d.eachOrder(chosen, 0, func() bool {
			var signers []*identity.Verified
			for _, i := range chosen {
				who, err := d.verifier.Identify(d.peers[i].Identity)
				if err != nil {
					return false
				}
				signers = append(signers, who)
			}
			return !slices.ContainsFunc(d.policies, func(p policies.Signature) bool { return p.Evaluate(signers) != nil })
		})
	}) && filled
}

// each goes on with all ways to take a peer of each group, none twice, as long as they are good.
func (d *discovered) each(l layout, chosen []int, good func([]int) bool) bool {
	if len(l) == 0 {
		return good(slices.Clone(chosen))
	}
	for i := range d.peers {
		if slices.Contains(chosen, i) || !slices.Contains(members(l[0]), fmt.Sprint(i)) {
			continue
		}
		if !d.each(l[1:], append(chosen[:len(chosen):len(chosen)], i), good) {
			return false
		}
	}
	return true
}

// eachOrder does so with all orders of some peers from a position on.
func (d *discovered) eachOrder(chosen []int, from int, good func() bool) bool {
	if from == len(chosen) {
		return good()
	}
	for i := from; i < len(chosen); i++ {
		chosen[from], chosen[i] = chosen[i], chosen[from]
		ok := d.eachOrder(chosen, from+1, good)
		chosen[from], chosen[i] = chosen[i], chosen[from]
		if !ok {
			return false
		}
	}
	return true
}
