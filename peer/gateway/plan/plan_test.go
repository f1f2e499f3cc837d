package plan_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// channel knows the policies of chaincodes and collections, and the members of collections, by their names.
type channel struct {
	endorsement, collection map[string]policies.Policy
	members                 map[string][]string
}

func (c channel) Endorsement(_ context.Context, chaincode string) (policies.Policy, error) {
	return c.endorsement[chaincode], nil
}

func (c channel) Collection(_ context.Context, _, collection string) (policies.Policy, error) {
	return c.collection[collection], nil
}

func (c channel) MayHave(_ context.Context, _, collection string, who *identity.Verified) (bool, error) {
	return slices.Contains(c.members[collection], who.MSPID()), nil
}

// newPeers makes two peers of each of three organizations, whose addresses are like 1a and 1b. Those of Org3 don't run other.
func newPeers(t testing.TB) []*plan.Peer {
	t.Helper()
	var peers []*plan.Peer
	for org := range 3 {
		mspID := fmt.Sprintf("Org%dMSP", org+1)
		msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID})
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := identity.NewVerifier(msp.Organization())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			id, err := msp.Issue(identity.Config{CommonName: name, OUs: []string{"peer"}})
			if err != nil {
				t.Fatal(err)
			}
			who, err := verifier.Identify(id.Creator())
			if err != nil {
				t.Fatal(err)
			}
			runs := func(chaincode string) bool { return chaincode != "other" || org < 2 }
			peers = append(peers, &plan.Peer{Address: fmt.Sprint(org+1, name), Identity: who, Height: 7, Runs: runs})
		}
	}
	return peers
}

func parse(t testing.TB, text string) policies.Signature {
	t.Helper()
	p, err := policies.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func envelope(t testing.TB, text string) *pb.SignaturePolicyEnvelope {
	t.Helper()
	e, err := parse(t, text).Envelope()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// find returns the peers that have some addresses.
func find(peers []*plan.Peer, addresses string) []*plan.Peer {
	var found []*plan.Peer
	for _, a := range strings.Fields(addresses) {
		found = append(found, peers[slices.IndexFunc(peers, func(p *plan.Peer) bool { return p.Address == a })])
	}
	return found
}

func addresses(peers []*plan.Peer) string {
	var all []string
	for _, p := range peers {
		all = append(all, p.Address)
	}
	return strings.Join(all, " ")
}

// calls are the parts of an interest.
func calls(all ...*pb.ChaincodeCall) *pb.ChaincodeInterest {
	return &pb.ChaincodeInterest{Chaincodes: all}
}

// What a transaction needs follows from the interest. 1a has endorsed first.
func TestNew(t *testing.T) {
	peers := newPeers(t)
	private := func(name string, noReads bool) *pb.ChaincodeCall {
		return &pb.ChaincodeCall{Name: "asset", CollectionNames: []string{name}, NoPrivateReads: noReads}
	}
	for _, tc := range []struct {
		policy    string
		interest  *pb.ChaincodeInterest
		transient bool
		next      string // or the error
		counts    string
	}{
		{policy: "OR('Org1MSP.peer', 'Org2MSP.peer')", next: "", counts: "1a"},
		{policy: "AND('Org1MSP.peer', 'Org2MSP.peer')", next: "2a", counts: "1a 2a"},
		{policy: "OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')", next: "2a", counts: "1a 2a"},
		{policy: "OutOf(1, 'Org3MSP.peer', AND('Org1MSP.peer', 'Org2MSP.peer'))", next: "2a", counts: "1a 2a"},
		// The first endorser isn't always needed.
		{policy: "AND('Org2MSP.peer', 'Org3MSP.peer')", next: "2a 3a", counts: "2a 3a"},
		{policy: "OutOf(2, 'Org1MSP.peer', 'Org1MSP.peer')", next: "1b", counts: "1a 1b"},
		{policy: "OR('Org1MSP.admin')", next: "no combination of peers can be derived which satisfy the endorsement policy: no peer combination can satisfy the endorsement policy"},
		// Other chaincodes are called, and not every peer has them.
		{
			policy: "OR('Org1MSP.peer', 'Org2MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "asset"}, &pb.ChaincodeCall{Name: "other"}), next: "2a", counts: "1a 2a",
		},
		{
			policy: "AND('Org2MSP.peer', 'Org3MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "asset"}, &pb.ChaincodeCall{Name: "other"}),
			next: "no combination of peers can be derived which satisfy the endorsement policy: required chaincodes are not installed on sufficient peers",
		},
		{
			policy: "OR('Org1MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "nothing"}),
			next: "no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode nothing in channel mychannel",
		},
		// Only another chaincode has been written to. The one that was called must be fulfilled, too.
		{policy: "OR('Org3MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "open"}), next: "3a", counts: "3a"},
		// Keys have policies.
		{
			policy: "OR('Org1MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "asset", KeyPolicies: []*pb.SignaturePolicyEnvelope{
				envelope(t, "AND('Org2MSP.peer', 'Org3MSP.peer')"),
			}}), next: "2a 3a", counts: "1a 2a 3a",
		},
		{
			policy: "OR('Org1MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "asset", DisregardNamespacePolicy: true, KeyPolicies: []*pb.SignaturePolicyEnvelope{
				envelope(t, "OR('Org2MSP.peer')"), envelope(t, "OR('Org3MSP.peer', 'Org2MSP.peer')"),
			}}), next: "2a", counts: "2a",
		},
		{
			policy: "OR('Org1MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "asset", DisregardNamespacePolicy: true}),
			next: "no combination of peers can be derived which satisfy the endorsement policy: requested to disregard chaincode asset's policy but key and collection policies are missing, " +
				"either disable DisregardNamespacePolicy or specify at least one key policy or at least one collection policy",
		},
		{
			policy: "OR('Org1MSP.peer')", interest: calls(&pb.ChaincodeCall{Name: "asset", KeyPolicies: []*pb.SignaturePolicyEnvelope{{}}}),
			next: "no combination of peers can be derived which satisfy the endorsement policy: read policy of a key: ",
		},
		// Who may not have what was read isn't asked.
		{policy: "OR('Org2MSP.peer', 'Org3MSP.peer')", interest: calls(private("of13", false)), next: "3a", counts: "3a"},
		{policy: "OR('Org1MSP.peer', 'Org3MSP.peer')", interest: calls(private("of2", false)), next: "no combination of peers can be derived which satisfy the endorsement policy: no peer combination can satisfy the endorsement policy"},
		{policy: "OR('Org2MSP.peer')", interest: calls(private("of13", true)), next: "2a", counts: "2a"},
		// Nor, with transient data, who may not have what was written.
		{policy: "OR('Org2MSP.peer', 'Org3MSP.peer')", interest: calls(private("of13", true)), transient: true, next: "3a", counts: "3a"},
		{
			policy: "OR('Org2MSP.peer')", interest: calls(private("of13", true), private("of1", true)), transient: true,
			next: "requires endorsement from organisation(s) that are not in the distribution policy of the private data collection(s): [of13 of1]; retry specifying trusted endorsing organizations to protect transient data",
		},
		{
			policy: "OR('Org1MSP.admin')", interest: calls(private("of13", true)), transient: true,
			next: "no combination of peers can be derived which satisfy the endorsement policy: no peer combination can satisfy the endorsement policy",
		},
		// A collection may have a policy of its own.
		{policy: "OR('Org1MSP.peer')", interest: calls(private("by3", true)), next: "3a", counts: "3a"},
		{policy: "OR('Org1MSP.peer')", interest: calls(private("by3", true), private("of1", true)), next: "3a", counts: "1a 3a"},
	} {
		c := channel{
			endorsement: map[string]policies.Policy{"asset": parse(t, tc.policy), "other": parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer')"), "open": policies.ImplicitMeta{}},
			collection:  map[string]policies.Policy{"by3": parse(t, "OR('Org3MSP.peer')")},
			members:     map[string][]string{"of13": {"Org1MSP", "Org3MSP"}, "of1": {"Org1MSP"}, "of2": {"Org2MSP"}},
		}
		tx := plan.Transaction{Channel: "mychannel", Chaincode: "asset", Interest: tc.interest, Transient: tc.transient}
		p, err := plan.New(t.Context(), c, tx, peers)
		if err != nil {
			if tc.next == "" || !strings.HasPrefix(err.Error(), tc.next) || tc.counts != "" {
				t.Errorf("%s, %v: %v, want %s", tc.policy, tc.interest, err, tc.next)
			}
			continue
		}
		have := find(peers, "1a")
		next, ok := p.Next(have, nil)
		if got := addresses(next); !ok || got != tc.next {
			t.Errorf("%s, %v: next are %q, want %q", tc.policy, tc.interest, got, tc.next)
		}
		have = append(have, next...)
		if got := addresses(p.Counts(have)); got != tc.counts {
			t.Errorf("%s, %v: %q count, want %q", tc.policy, tc.interest, got, tc.counts)
		}
		if more, ok := p.Next(have, nil); !ok || len(more) > 0 {
			t.Errorf("%s, %v: more are needed: %s", tc.policy, tc.interest, addresses(more))
		}
	}
}

// Others take the place of peers that have failed.
func TestNextAfterFailures(t *testing.T) {
	peers := newPeers(t)
	c := channel{endorsement: map[string]policies.Policy{"asset": parse(t, "OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")}}
	p, err := plan.New(t.Context(), c, plan.Transaction{Chaincode: "asset"}, peers)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Peers()) != 6 {
		t.Errorf("peers are %s", addresses(p.Peers()))
	}
	for _, tc := range []struct{ have, failed, next string }{
		{"", "", "1a 2a"},
		{"1a", "2a", "2b"},
		{"1a", "2a 2b", "3a"},
		{"1a", "2a 2b 3a 3b", "impossible"},
		{"2a", "1a", "1b"},
		{"1a 3b", "2a", ""},
	} {
		next, ok := p.Next(find(peers, tc.have), find(peers, tc.failed))
		got := addresses(next)
		if !ok {
			got = "impossible"
		}
		if got != tc.next {
			t.Errorf("with %q, and without %q: %q, want %q", tc.have, tc.failed, got, tc.next)
		}
	}
}

func TestForOrganizations(t *testing.T) {
	peers := newPeers(t)
	tx := plan.Transaction{Chaincode: "other"}
	if _, err := plan.ForOrganizations(tx, []string{"Org1MSP", "Org3MSP", "Org9MSP"}, peers); err == nil || err.Error() != "failed to find any endorsing peers for org(s): Org3MSP, Org9MSP" {
		t.Errorf("%v", err)
	}
	p, err := plan.ForOrganizations(tx, []string{"Org2MSP", "Org1MSP", "Org2MSP"}, peers)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ have, failed, next string }{{"", "", "2a 1a"}, {"2a", "1a", "1b"}, {"2a 1b", "1a", ""}, {"2a", "1a 1b", "impossible"}} {
		next, ok := p.Next(find(peers, tc.have), find(peers, tc.failed))
		got := addresses(next)
		if !ok {
			got = "impossible"
		}
		if got != tc.next {
			t.Errorf("with %q, and without %q: %q, want %q", tc.have, tc.failed, got, tc.next)
		}
	}
	if got := addresses(p.Counts(find(peers, "2a 1b"))); got != "2a 1b" {
		t.Errorf("%q count", got)
	}
}

func TestSort(t *testing.T) {
	peers := newPeers(t)
	peers[0].Height = 5  // 1a
	peers[5].Height = 9  // 3b
	peers[3].Host = true // 2b
	find(peers, "1b")[0].Height = 6
	if got := addresses(plan.Sort(peers, "Org2MSP")); got != "2b 2a 3b 3a 1b 1a" {
		t.Error(got)
	}
	if addresses(peers) != "1a 1b 2a 2b 3a 3b" {
		t.Error("what was given is changed")
	}
}

// There are more combinations than anybody could try. What is chosen is still no more than needed.
func TestManyPeers(t *testing.T) {
	few := newPeers(t)
	var peers []*plan.Peer
	for i := range 30 { // equal identities count once
		peers = append(peers, &plan.Peer{Address: fmt.Sprint("x", i), Identity: few[0].Identity, Runs: few[0].Runs})
	}
	peers = append(peers, few...)
	c := channel{endorsement: map[string]policies.Policy{"asset": parse(t, "AND('Org1MSP.peer', 'Org2MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer', 'Org3MSP.peer')")}}
	p, err := plan.New(t.Context(), c, plan.Transaction{Chaincode: "asset"}, peers)
	if err != nil {
		t.Fatal(err)
	}
	next, ok := p.Next(peers[:1], nil)
	if got := addresses(next); !ok || got != "2a 2b 3a 3b" {
		t.Errorf("%q, %v", got, ok)
	}
}

func BenchmarkPlan(b *testing.B) {
	peers := newPeers(b)
	c := channel{endorsement: map[string]policies.Policy{"asset": parse(b, "OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')")}}
	b.ReportAllocs()
	for b.Loop() {
		p, err := plan.New(b.Context(), c, plan.Transaction{Chaincode: "asset"}, peers)
		if err != nil {
			b.Fatal(err)
		}
		if next, ok := p.Next(peers[:1], nil); !ok || len(next) != 1 {
			b.Fatal(next)
		}
	}
}
