package discovery_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/discovery"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// endpoint returns where a peer is.
func endpoint(t testing.TB, p *pb.DiscoveredPeer) string {
	t.Helper()
	var m pb.GossipMessage
	if err := proto.Unmarshal(p.GetMembershipInfo().GetPayload(), &m); err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(m.GetAliveMsg().GetMembership().GetEndpoint(), ":")
	return name
}

// shown are peers in the form Org1MSP: peer0.Org1MSP peer1.Org1MSP; Org2MSP:
func shown(t testing.TB, groups map[string]*pb.DiscoveredPeers) string {
	t.Helper()
	var all []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		line := name + ":"
		for _, p := range groups[name].GetPeers() {
			line += " " + endpoint(t, p)
		}
		all = append(all, line)
	}
	return strings.Join(all, "; ")
}

// described is a descriptor in a form to be read: its layouts, and the groups.
func described(t testing.TB, d *pb.EndorsementDescriptor) string {
	t.Helper()
	var layouts []string
	for _, l := range d.GetLayouts() {
		var groups []string
		for _, g := range slices.Sorted(maps.Keys(l.GetQuantitiesByGroup())) {
			groups = append(groups, fmt.Sprintf("%d %s", l.GetQuantitiesByGroup()[g], g))
		}
		layouts = append(layouts, strings.Join(groups, "+"))
	}
	return strings.Join(layouts, " or ") + "; " + shown(t, d.GetEndorsersByGroups())
}

func TestPeers(t *testing.T) {
	w := newWorld(t, "Org1MSP", "Org2MSP")
	w.add("peer0.Org1MSP", "asset")
	w.add("peer1.Org1MSP")
	w.add("peer0.Org2MSP", "asset")
	w.add("hidden.Org2MSP", "asset")
	w.peers[3].Endpoint = ""
	w.peers[0].Started = time.Unix(100, 0)
	w.define("asset", "OR('Org1MSP.peer')", discovery.Collection{Name: "secrets", Members: parse(t, "OR('Org1MSP.member')")})
	unread := calls("asset", "secrets")
	unread.NoPrivateReads = true
	for _, c := range []struct {
		query *pb.DiscoveryQuery
		want  string
	}{
		{local(), "Org1MSP: peer0.Org1MSP peer1.Org1MSP; Org2MSP: peer0.Org2MSP"},
		{peersFor(), "Org1MSP: peer0.Org1MSP peer1.Org1MSP; Org2MSP: peer0.Org2MSP"},
		{peersFor(calls("asset")), "Org1MSP: peer0.Org1MSP; Org2MSP: peer0.Org2MSP"},
		{peersFor(calls("asset", "secrets")), "Org1MSP: peer0.Org1MSP; Org2MSP:"},
		{peersFor(unread), "Org1MSP: peer0.Org1MSP; Org2MSP: peer0.Org2MSP"},
		{peersFor(calls("asset", "_implicit_org_Org2MSP")), "Org1MSP:; Org2MSP: peer0.Org2MSP"},
		{peersFor(calls("asset", "secrets"), calls("asset", "_implicit_org_Org2MSP")), "Org1MSP:; Org2MSP:"},
	} {
		if got := shown(t, w.discover(c.query).GetMembers().GetPeersByOrg()); got != c.want {
			t.Errorf("%v: got %s, want %s", c.query, got, c.want)
		}
	}
	p := w.discover(peersFor()).GetMembers().GetPeersByOrg()["Org1MSP"].GetPeers()[0]
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(p.GetIdentity(), &id); err != nil || string(p.GetIdentity()) != string(w.peers[0].Identity) {
		t.Fatalf("%v, %v", p, err)
	}
	pki := sha256.Sum256(append([]byte("Org1MSP"), id.GetIdBytes()...))
	mac := sha256.Sum256(append(pki[:], "mychannel"...))
	var state, alive pb.GossipMessage
	if err := proto.Unmarshal(p.GetStateInfo().GetPayload(), &state); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(p.GetMembershipInfo().GetPayload(), &alive); err != nil {
		t.Fatal(err)
	}
	if want := (&pb.GossipMessage{Tag: pb.GossipMessage_CHAN_OR_ORG, Content: &pb.GossipMessage_StateInfo{StateInfo: &pb.StateInfo{
		Timestamp: &pb.PeerTime{IncNum: 100_000_000_000, SeqNum: 6}, PkiId: pki[:], Channel_MAC: mac[:],
		Properties: &pb.GossipProperties{LedgerHeight: 5, Chaincodes: []*pb.GossipChaincode{{Name: "asset", Version: "1"}}},
	}}}); !proto.Equal(want, &state) {
		t.Errorf("got %v", &state)
	}
	if want := (&pb.GossipMessage{Tag: pb.GossipMessage_EMPTY, Content: &pb.GossipMessage_AliveMsg{AliveMsg: &pb.AliveMessage{
		Membership: &pb.GossipMember{Endpoint: "peer0.Org1MSP:7051", PkiId: pki[:]}, Timestamp: &pb.PeerTime{IncNum: 100_000_000_000, SeqNum: 1},
	}}}); !proto.Equal(want, &alive) {
		t.Errorf("got %v", &alive)
	}
	if p := w.discover(local()).GetMembers().GetPeersByOrg()["Org1MSP"].GetPeers()[0]; p.GetStateInfo() != nil || p.GetMembershipInfo() == nil {
		t.Errorf("without a channel: %v", p)
	}
}

// Who must endorse follows from the policies of chaincodes, collections and keys together.
func TestLayouts(t *testing.T) {
	w := newWorld(t, "A", "B", "C")
	for _, name := range []string{"peer0.A", "peer1.A", "peer0.B", "peer0.C"} {
		w.add(name, "all", "one", "most", "mixed", "nested", "thrice", "coll")
	}
	w.add("peer1.C") // runs nothing
	w.define("all", "AND('A.peer', 'B.peer', 'C.peer')")
	w.define("one", "OR('A.peer', 'B.peer')")
	most, err := policies.ImplicitMeta{Rule: policies.MajorityRule, Name: "Endorsement", Policies: []policies.Policy{
		parse(t, "OR('A.peer')"), parse(t, "OR('B.peer')"), parse(t, "OR('C.peer')"),
	}}.Signature()
	if err != nil {
		t.Fatal(err)
	}
	w.chaincodes["most"] = &discovery.Chaincode{Name: "most", Version: "1", Endorsement: most}
	w.define("mixed", "OR('A.member', 'A.peer', 'A.admin')")
	w.define("nested", "OR(AND('A.peer', 'A.peer'), AND('A.peer', 'B.peer', 'C.peer'), 'A.admin', OutOf(2, 'B.peer', 'C.peer'))")
	w.define("thrice", "OutOf(3, 'A.peer', 'A.peer', 'A.peer')")
	own := parse(t, "AND('B.peer')")
	w.define("coll", "AND('A.peer')", discovery.Collection{Name: "own", Members: parse(t, "OR('A.member', 'B.member')"), Endorsement: &own},
		discovery.Collection{Name: "plain", Members: parse(t, "OR('A.member', 'C.member')")})
	keys := func(name string, disregard bool, all ...string) *pb.ChaincodeCall {
		c := &pb.ChaincodeCall{Name: name, DisregardNamespacePolicy: disregard}
		for _, k := range all {
			e, err := parse(t, k).Envelope()
			if err != nil {
				t.Fatal(err)
			}
			c.KeyPolicies = append(c.KeyPolicies, e)
		}
		return c
	}
	unread := calls("coll", "own")
	unread.NoPrivateReads = true
	for _, c := range []struct {
		calls []*pb.ChaincodeCall
		want  string
	}{
		{[]*pb.ChaincodeCall{calls("all")}, "1 G0+1 G1+1 G2; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C"},
		{[]*pb.ChaincodeCall{calls("one")}, "1 G0 or 1 G1; G0: peer0.A peer1.A; G1: peer0.B"},
		{[]*pb.ChaincodeCall{calls("most")}, "1 G0+1 G1 or 1 G0+1 G2 or 1 G1+1 G2; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C"},
		{[]*pb.ChaincodeCall{calls("mixed")}, "1 G0 or 1 G1; G0: peer0.A peer1.A; G1: peer0.A peer1.A"},
		{[]*pb.ChaincodeCall{calls("nested")}, "2 G0 or 1 G1+1 G2; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C"},
		{[]*pb.ChaincodeCall{calls("one"), calls("all")}, "1 G0+1 G1+1 G2; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C"},
		{[]*pb.ChaincodeCall{calls("one"), calls("most")}, "1 G0+1 G1 or 1 G0+1 G2 or 1 G1+1 G2; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C"},
		{[]*pb.ChaincodeCall{calls("most"), calls("mixed")}, "1 G0+1 G1 or 1 G0+1 G2 or 1 G1+1 G2+1 G3; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C; G3: peer0.A peer1.A"},
		{[]*pb.ChaincodeCall{calls("coll")}, "1 G0; G0: peer0.A peer1.A"},
		{[]*pb.ChaincodeCall{calls("coll", "own")}, "1 G0; G0: peer0.B"},
		{[]*pb.ChaincodeCall{unread}, "1 G0; G0: peer0.B"},
		{[]*pb.ChaincodeCall{calls("coll"), calls("coll", "own")}, "1 G0+1 G1; G0: peer0.A peer1.A; G1: peer0.B"},
		{[]*pb.ChaincodeCall{calls("coll", "plain")}, "1 G0; G0: peer0.A peer1.A"},
		{[]*pb.ChaincodeCall{calls("coll", "_implicit_org_B")}, "1 G0; G0: peer0.B"},
		{[]*pb.ChaincodeCall{calls("coll", "plain", "own")}, "failed"}, // endorsers must be members of both: A, which isn't enough
		{[]*pb.ChaincodeCall{keys("one", false, "AND('C.peer')")}, "1 G0+1 G2 or 1 G1+1 G2; G0: peer0.A peer1.A; G1: peer0.B; G2: peer0.C"},
		{[]*pb.ChaincodeCall{keys("one", true, "AND('C.peer')")}, "1 G0; G0: peer0.C"},
		{[]*pb.ChaincodeCall{keys("one", true, "AND('C.peer')", "AND('A.peer')", "AND('C.peer')")}, "1 G0+1 G1; G0: peer0.C; G1: peer0.A peer1.A"},
		{[]*pb.ChaincodeCall{calls("thrice")}, "failed"},
	} {
		r := w.discover(endorsers(c.calls...))
		if c.want == "failed" {
			if !strings.HasPrefix(r.GetError().GetContent(), "failed constructing descriptor for ") {
				t.Errorf("%v: got %v", c.calls, r)
			}
			continue
		}
		all := r.GetCcQueryRes().GetContent()
		if len(all) != 1 || all[0].GetChaincode() != c.calls[0].GetName() || described(t, all[0]) != c.want {
			t.Errorf("%v:\ngot  %s\nwant %s", c.calls, described(t, all[0]), c.want)
		}
	}
}

// The evaluator of policies goes on when a gate has enough, and so takes signers from later rules. The layout has one more, then.
func TestLayoutGrows(t *testing.T) {
	w := newWorld(t, "A")
	for _, name := range []string{"peer0.A", "peer1.A", "peer2.A"} {
		w.add(name, "greedy")
	}
	w.define("greedy", "AND(OR('A.member', 'A.peer'), 'A.peer')")
	d := w.discover(endorsers(calls("greedy"))).GetCcQueryRes().GetContent()[0]
	if len(d.GetLayouts()) == 0 {
		t.Fatal("there is no layout")
	}
	for _, l := range d.GetLayouts() {
		var n uint32
		for _, quantity := range l.GetQuantitiesByGroup() {
			n += quantity
		}
		if n != 3 {
			t.Errorf("%v", l)
		}
	}
}

// A policy may have more combinations than anybody can list. Then some are left out, and the others are right.
func TestManyCombinations(t *testing.T) {
	w := newWorld(t, "A", "B")
	var rules []policies.Signature
	for i := range 20 {
		name := fmt.Sprintf("peer%d.%s", i, []string{"A", "B"}[i%2])
		w.add(name, "many")
		rules = append(rules, policies.SignedBy(identity.Principal{Creator: string(w.peers[i].Identity)}))
	}
	w.chaincodes["many"] = &discovery.Chaincode{Name: "many", Version: "1", Endorsement: policies.OutOf(10, rules...)} // of 184,756
	d := w.discover(endorsers(calls("many"))).GetCcQueryRes().GetContent()
	if len(d) != 1 || len(d[0].GetLayouts()) < 1_000 || len(d[0].GetLayouts()) > 10_000 {
		t.Fatalf("%d layouts", len(d[0].GetLayouts()))
	}
	for _, l := range d[0].GetLayouts() {
		if len(l.GetQuantitiesByGroup()) != 10 {
			t.Errorf("%v", l)
		}
	}
}

// F210: a client may name policies of keys that have no end of combinations. The work for a request has one.
func TestWorkIsLimited(t *testing.T) {
	w := newWorld(t, "A", "B")
	for i := range 30 {
		w.add(fmt.Sprintf("peer%d.%s", i, []string{"A", "B"}[i%2]), "asset")
	}
	w.define("asset", "OR('A.peer', 'B.peer')")
	var rules []policies.Signature
	for i := range 400 {
		role := []identity.Role{identity.Member, identity.Peer}[i/2%2]
		rules = append(rules, policies.OutOf(2, policies.SignedBy(identity.Principal{MSPID: []string{"A", "B"}[i%2], Role: role}), policies.SignedBy(identity.Principal{MSPID: "A", Role: identity.Peer})))
	}
	c := calls("asset")
	for needed := range 10 {
		e, err := policies.OutOf(needed+3, rules...).Envelope()
		if err != nil {
			t.Fatal(err)
		}
		c.KeyPolicies = append(c.KeyPolicies, e)
	}
	q := endorsers(c)
	for range 5 {
		q.GetCcQuery().Interests = append(q.GetCcQuery().GetInterests(), q.GetCcQuery().GetInterests()[0])
	}
	w.discover(q) // in seconds

	// A policy of rules that nobody can fulfil is long to try.
	rules = nil
	for _, p := range w.peers {
		rules = append(rules, policies.SignedBy(identity.Principal{Creator: string(p.Identity)}))
	}
	for len(rules) < 9_000 {
		rules = append(rules, policies.SignedBy(identity.Principal{MSPID: "A", Role: identity.Client}))
	}
	e, err := policies.OutOf(15, rules...).Envelope()
	if err != nil {
		t.Fatal(err)
	}
	c = calls("asset")
	c.DisregardNamespacePolicy, c.KeyPolicies = true, []*pb.SignaturePolicyEnvelope{e}
	if d := w.discover(endorsers(c)).GetCcQueryRes().GetContent(); len(d) != 1 || len(d[0].GetLayouts()) == 0 {
		t.Errorf("%v", d)
	}
}
