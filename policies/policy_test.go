package policies_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// people are identities of organizations A, B and C, which a test names by their organization and role: A.peer, or A.peer2.
type people struct {
	t        testing.TB
	msps     map[string]*identity.MSP
	verifier *identity.Verifier
	known    map[string]*identity.Verified
}

func newPeople(t testing.TB) *people {
	t.Helper()
	p := &people{t: t, msps: map[string]*identity.MSP{}, known: map[string]*identity.Verified{}}
	var organizations []identity.Organization
	for _, name := range []string{"A", "B", "C"} {
		m, err := identity.NewMSP(identity.MSPConfig{ID: name})
		if err != nil {
			t.Fatal(err)
		}
		p.msps[name] = m
		organizations = append(organizations, m.Organization())
	}
	var err error
	if p.verifier, err = identity.NewVerifier(organizations...); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *people) get(name string) *identity.Verified {
	p.t.Helper()
	if p.known[name] != nil {
		return p.known[name]
	}
	mspID, role, _ := strings.Cut(name, ".")
	id, err := p.msps[mspID].Issue(identity.Config{CommonName: name, OUs: []string{strings.TrimRight(role, "0123456789")}})
	if err != nil {
		p.t.Fatal(err)
	}
	if p.known[name], err = p.verifier.Identify(id.Creator()); err != nil {
		p.t.Fatal(err)
	}
	return p.known[name]
}

func (p *people) all(names string) []*identity.Verified {
	var all []*identity.Verified
	for _, name := range strings.Fields(names) {
		all = append(all, p.get(name))
	}
	return all
}

func TestSignature(t *testing.T) {
	p := newPeople(t)
	for _, c := range []struct {
		policy, signers string
		want            bool
	}{
		{"OR('A.member', 'B.member')", "", false},
		{"OR('A.member', 'B.member')", "B.client", true},
		{"OR('A.member', 'B.member')", "C.client", false},
		{"AND('A.peer', 'B.peer')", "A.peer", false},
		{"AND('A.peer', 'B.peer')", "B.peer C.peer A.peer", true},
		{"AND('A.peer', 'B.peer')", "A.peer B.client", false},
		{"OutOf(2, 'A.peer', 'B.peer', 'C.peer')", "C.peer A.peer", true},
		{"OutOf(2, 'A.peer', 'B.peer', 'C.peer')", "C.peer C.peer2", false},
		{"AND('A.peer', 'A.peer')", "A.peer", false}, // each counts once
		{"AND('A.peer', 'A.peer')", "A.peer A.peer2", true},
		{"AND('A.member', 'A.admin')", "A.admin A.peer", false}, // the first rule takes the administrator
		{"AND('A.member', 'A.admin')", "A.peer A.admin", true},
		{"AND(OR('A.member', 'B.member'), AND('A.member', 'A.peer'))", "A.client A.peer", false},
		{"OR(AND('A.member', 'B.member'), AND('A.member', 'C.member'))", "A.client C.client", true}, // what fails takes nobody
		{"OutOf(0, 'A.peer')", "", true},
		{"OutOf(2, 'A.peer')", "A.peer A.peer2", false},
	} {
		policy, err := policies.Parse(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		err = policy.Evaluate(p.all(c.signers))
		if (err == nil) != c.want {
			t.Errorf("%s by %q: %v", c.policy, c.signers, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "signature set did not satisfy policy: "+policy.String()+", signed by ") {
			t.Errorf("%v", err)
		}
	}
}

func TestUnique(t *testing.T) {
	p := newPeople(t)
	signers := p.all("A.peer B.peer A.peer C.peer B.peer")
	again, err := p.verifier.Identify(append([]byte(nil), []byte(mustSerialize(t, p.get("A.peer")))...))
	if err != nil {
		t.Fatal(err)
	}
	if got := policies.Unique(append(signers, again)); !reflect.DeepEqual(got, p.all("A.peer B.peer C.peer")) {
		t.Errorf("got %d", len(got))
	}
}

// mustSerialize is a creator, with something behind it that protobuf skips.
func mustSerialize(t *testing.T, who *identity.Verified) string {
	t.Helper()
	id, err := proto.Marshal(&pb.SerializedIdentity{Mspid: who.MSPID(), IdBytes: who.CertificatePEM()})
	if err != nil {
		t.Fatal(err)
	}
	return string(id) + "\x98\x06\x01"
}

func TestImplicitMeta(t *testing.T) {
	p := newPeople(t)
	of := func(names ...string) []policies.Policy {
		var all []policies.Policy
		for _, name := range names {
			if name == "" {
				all = append(all, nil)
				continue
			}
			all = append(all, policies.SignedBy(identity.Principal{MSPID: name, Role: identity.Peer}))
		}
		return all
	}
	for _, c := range []struct {
		text     string
		policies []policies.Policy
		signers  string
		want     string
	}{
		{"ANY Endorsement", of("A", "B", "C"), "B.peer", ""},
		{"ANY Endorsement", of("A", "B", "C"), "B.client", "0 sub-policies were satisfied, but this policy requires 1 of the 'Endorsement' sub-policies"},
		{"ALL Endorsement", of("A", "B", "C"), "A.peer B.peer", "2 sub-policies were satisfied, but this policy requires 3"},
		{"ALL Endorsement", of("A", "B", "C"), "A.peer B.peer C.peer", ""},
		{"MAJORITY Endorsement", of("A", "B", "C"), "A.peer C.peer", ""},
		{"MAJORITY Endorsement", of("A", "B", "C"), "C.peer", "1 sub-policies were satisfied, but this policy requires 2"},
		{"MAJORITY Endorsement", of("A", "B"), "A.peer", "requires 2"},
		{"MAJORITY Endorsement", of("A"), "A.peer", ""},
		{"ALL Endorsement", of("A", ""), "A.peer", "1 sub-policies were satisfied, but this policy requires 2"},
		{"MAJORITY Endorsement", nil, "", ""},
		{"ANY Endorsement", nil, "", ""},
	} {
		rule, name, err := policies.ParseImplicitMeta(c.text)
		if err != nil {
			t.Fatal(err)
		}
		err = policies.ImplicitMeta{Rule: rule, Name: name, Policies: c.policies}.Evaluate(p.all(c.signers))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s by %q: %v, want %s", c.text, c.signers, err, c.want)
		}
	}
	for _, text := range []string{"", "ANY", "ANY ", "SOME Endorsement", "ANY of Endorsement"} {
		if _, _, err := policies.ParseImplicitMeta(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// What is sent is read as what was written.
func TestEnvelope(t *testing.T) {
	p := newPeople(t)
	creator, err := proto.Marshal(&pb.SerializedIdentity{Mspid: "A", IdBytes: p.get("A.client").CertificatePEM()})
	if err != nil {
		t.Fatal(err)
	}
	alice := string(creator)
	policy := policies.All(
		policies.SignedBy(identity.Principal{MSPID: "A", Role: identity.Orderer}),
		policies.OutOf(3, policies.SignedBy(identity.Principal{MSPID: "A", OU: "eu", Certifiers: "x"})),
		policies.Any(policies.SignedBy(identity.Principal{Creator: alice}), policies.SignedBy(identity.Principal{MSPID: "A", Role: identity.Orderer})),
		policies.OutOf(0),
	)
	b, err := policy.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := policies.Unmarshal(b)
	if err != nil || !reflect.DeepEqual(got, policy) {
		t.Errorf("%v became %v, %v", policy, got, err)
	}
	e, err := policy.Envelope()
	if err != nil || len(e.GetIdentities()) != 3 {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := policies.SignedBy(identity.Principal{MSPID: "A", Role: "owner"}).Marshal(); err == nil {
		t.Error("an owner is sent")
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	deep := &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{}}
	for range 101 {
		deep = &pb.SignaturePolicy{Type: &pb.SignaturePolicy_NOutOf_{NOutOf: &pb.SignaturePolicy_NOutOf{Rules: []*pb.SignaturePolicy{deep}}}}
	}
	wide := &pb.SignaturePolicy_NOutOf{}
	for range 10_000 {
		wide.Rules = append(wide.Rules, &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{}})
	}
	role, err := proto.Marshal(&pb.MSPRole{MspIdentifier: "A"})
	if err != nil {
		t.Fatal(err)
	}
	member := []*pb.MSPPrincipal{{Principal: role}}
	first := &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{}}
	for want, e := range map[string]*pb.SignaturePolicyEnvelope{
		"messages of version 0, but version was 1": {Version: 1},
		"policy has an empty rule":                 {},
		"requested 0, but identities length is 0":  {Rule: first},
		"requested -1, but identities length is 0": {Rule: &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{SignedBy: -1}}},
		"nested more than 100 deep":                {Rule: deep, Identities: member},
		"more than 10000 rules":                    {Rule: &pb.SignaturePolicy{Type: &pb.SignaturePolicy_NOutOf_{NOutOf: wide}}, Identities: member},
	} {
		if _, err := policies.FromEnvelope(e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := policies.Unmarshal([]byte{0xff}); err == nil || !strings.Contains(err.Error(), "decode SignaturePolicyEnvelope") {
		t.Errorf("%v", err)
	}
}

// inOneAnother returns the bytes of combined principals in one another, around the bytes of the innermost.
func inOneAnother(depth int, b []byte) []byte {
	var outer []byte // lengths first, from the inside
	sizes := make([]int, depth)
	size := len(b)
	for i := range depth {
		sizes[i] = size
		inner := 2 + protowire.SizeVarint(uint64(size)) + 1 + size // its kind, and its bytes
		size = 1 + protowire.SizeVarint(uint64(inner)) + inner
	}
	for i := range slices.Backward(sizes) {
		outer = protowire.AppendTag(outer, 1, protowire.BytesType)
		outer = protowire.AppendVarint(outer, uint64(2+protowire.SizeVarint(uint64(sizes[i]))+1+sizes[i]))
		outer = append(outer, 8, byte(pb.MSPPrincipal_COMBINED))
		outer = protowire.AppendTag(outer, 2, protowire.BytesType)
		outer = protowire.AppendVarint(outer, uint64(sizes[i]))
	}
	return append(outer, b...)
}

// A signer must belong to all groups of a combined one, and counts once. Its text names them, and it survives being sent.
func TestCombined(t *testing.T) {
	p := newPeople(t)
	of := func(role identity.Role) identity.Principal { return identity.Principal{MSPID: "A", Role: role} }
	both := of(identity.Member)
	peer := of(identity.Peer)
	both.Also = &peer
	policy := policies.All(policies.SignedBy(both))
	for signers, want := range map[string]bool{"A.peer": true, "A.client": false, "B.peer": false, "A.client A.peer": true, "A.client B.peer": false} {
		b, err := policy.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		sent, err := policies.Unmarshal(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []policies.Signature{policy, sent} {
			if err := s.Evaluate(p.all(signers)); (err == nil) != want {
				t.Errorf("%s, signed by %s: %v", s, signers, err)
			}
		}
		if got := sent.String(); got != "OutOf(1, 'A.member and A.peer')" {
			t.Errorf("it is %s", got)
		}
	}
	many := both
	for range 10_000 {
		inner := many
		many.Also = &inner
	}
	b, err := policies.SignedBy(many).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sent, err := policies.Unmarshal(b)
	if err != nil || sent.Evaluate(p.all("A.peer")) == nil {
		t.Errorf("too many groups together are not nobody: %v", err)
	}
	if text := policies.SignedBy(many).String(); len(text) > 1000 {
		t.Errorf("their text has %d bytes", len(text))
	}
}

// A group that can't be told is nobody's: the rest of the policy counts.
func TestUnknownPrincipals(t *testing.T) {
	p := newPeople(t)
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	peer := &pb.MSPPrincipal{Principal: marshal(&pb.MSPRole{MspIdentifier: "A", Role: pb.MSPRole_PEER})}
	signedBy := func(i int32) *pb.SignaturePolicy {
		return &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{SignedBy: i}}
	}
	gate := func(n int32) *pb.SignaturePolicy {
		return &pb.SignaturePolicy{Type: &pb.SignaturePolicy_NOutOf_{NOutOf: &pb.SignaturePolicy_NOutOf{N: n, Rules: []*pb.SignaturePolicy{signedBy(0), signedBy(1)}}}}
	}
	for _, unknown := range []*pb.MSPPrincipal{
		{Principal: marshal(&pb.MSPRole{MspIdentifier: "A", Role: 5})},
		{Principal: []byte{0xff}},
		{PrincipalClassification: pb.MSPPrincipal_ORGANIZATION_UNIT, Principal: []byte{0xff}},
		{PrincipalClassification: pb.MSPPrincipal_ORGANIZATION_UNIT, Principal: marshal(&pb.OrganizationUnit{MspIdentifier: "A", OrganizationalUnitIdentifier: "peer"})},
		{PrincipalClassification: pb.MSPPrincipal_IDENTITY, Principal: []byte("x")},
		{PrincipalClassification: pb.MSPPrincipal_ANONYMITY},
		{PrincipalClassification: pb.MSPPrincipal_COMBINED},
		{PrincipalClassification: pb.MSPPrincipal_COMBINED, Principal: []byte{0xff}},
		{PrincipalClassification: pb.MSPPrincipal_COMBINED, Principal: inOneAnother(1<<20, nil)},
		{PrincipalClassification: 9},
	} {
		for n, want := range map[int32]bool{1: true, 2: false} {
			policy, err := policies.FromEnvelope(&pb.SignaturePolicyEnvelope{Rule: gate(n), Identities: []*pb.MSPPrincipal{unknown, peer}})
			if err != nil {
				t.Fatal(err)
			}
			if err := policy.Evaluate(p.all("A.peer A.peer2 A.client")); (err == nil) != want {
				t.Errorf("%v, %d of 2: %v", unknown, n, err)
			}
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, text := range []string{"OR('A.member', 'B.peer')", "OutOf(2, 'A.admin', AND('B.client', 'C.orderer'))"} {
		p, err := policies.Parse(text)
		if err != nil {
			f.Fatal(err)
		}
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	signers := newPeople(f).all("A.peer B.client")
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := policies.Unmarshal(b)
		if err != nil {
			return
		}
		again, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		same, err := policies.Unmarshal(again)
		if err != nil || !reflect.DeepEqual(p, same) {
			t.Errorf("%v became %v, %v", p, same, err)
		}
		if before, after := fmt.Sprint(p.Evaluate(signers)), fmt.Sprint(same.Evaluate(signers)); before != after {
			t.Errorf("%s became %s", before, after)
		}
	})
}
