package realfabric_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/certtest"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// organizations are three: A has an intermediate CA, listed administrators and a revocation list, B is plain, and C tells no roles
// by units.
type organizations struct {
	t        *testing.T
	verifier *identity.Verifier
	signers  map[string]*identity.Identity
	names    []string
}

func newOrganizations(t *testing.T, f *fabric) *organizations {
	t.Helper()
	o := &organizations{t: t, signers: map[string]*identity.Identity{}}
	rootA := certtest.NewCA(t, "A", nil)
	a, b, c := certtest.NewCA(t, "A", rootA), certtest.NewCA(t, "B", nil), certtest.NewCA(t, "C", nil)
	for _, unit := range []string{"client", "peer", "admin", "orderer", "eu"} {
		o.issue("A."+unit, a, unit)
		o.issue("B."+unit, b, unit)
		o.issue("C."+unit, c, unit)
	}
	o.issue("A.client, listed", a, "client")
	o.issue("A.peer, revoked", a, "peer")
	o.issue("A.peer, by the root", rootA, "peer")
	o.issue("B.peer, admin", b, "peer", "admin")
	o.issue("C.client, listed", c, "client")
	admin, listed := o.signers["A.client, listed"], o.signers["C.client, listed"]
	list := certtest.Revoke(t, a, nil, o.signers["A.peer, revoked"])
	plainC := identity.Organization{MSPID: "C", Roots: []*x509.Certificate{c.Certificate()}, Admins: []*x509.Certificate{listed.Certificate()}}
	parsed, err := x509.ParseRevocationList(list)
	if err != nil {
		t.Fatal(err)
	}
	wholeA := identity.Organization{
		MSPID: "A", Roots: []*x509.Certificate{rootA.Certificate()}, Intermediates: []*x509.Certificate{a.Certificate()},
		Admins: []*x509.Certificate{certtest.OtherForm(t, admin.Certificate())}, RevocationLists: []*x509.RevocationList{parsed}, NodeOUs: identity.DefaultNodeOUs(),
	}
	if o.verifier, err = identity.NewVerifier(wholeA, b.Organization(), plainC); err != nil {
		t.Fatal(err)
	}
	f.ask(question{Organizations: []organization{
		{MSPID: "A", Root: rootA.CertificatePEM(), Intermediates: [][]byte{a.CertificatePEM()}, Admins: [][]byte{certText(certtest.OtherForm(t, admin.Certificate()))}, Lists: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})}},
		{MSPID: "B", Root: b.CertificatePEM()},
		{MSPID: "C", Root: c.CertificatePEM(), Admins: [][]byte{listed.CertificatePEM()}, NoUnits: true},
	}})
	return o
}

func (o *organizations) issue(name string, m *identity.MSP, units ...string) {
	o.t.Helper()
	id, err := m.Issue(identity.Config{CommonName: name, OUs: units})
	if err != nil {
		o.t.Fatal(err)
	}
	o.signers[name] = id
	o.names = append(o.names, name)
}

func certText(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// sign has somebody sign, in one of many ways.
func (o *organizations) sign(r *mathrand.Rand, name string) (signed, string) {
	id := o.signers[name]
	s := signed{Identity: id.Creator(), Data: []byte("message")}
	var err error
	if s.Signature, err = id.Sign(s.Data); err != nil {
		o.t.Fatal(err)
	}
	pemText := string(id.CertificatePEM())
	how := "well"
	switch r.IntN(14) {
	case 0:
		how, s.Identity = "as another certificate", marshal(o.t, &pb.SerializedIdentity{Mspid: id.MSPID(), IdBytes: certText(certtest.OtherForm(o.t, id.Certificate()))})
	case 1:
		how, s.Identity = "with more bytes", append(s.Identity, 0x98, 0x06, 1)
	case 2:
		how, s.Identity = "without the last newline", marshal(o.t, &pb.SerializedIdentity{Mspid: id.MSPID(), IdBytes: []byte(strings.TrimSpace(pemText))})
	case 3:
		how, s.Identity = "with a preface", marshal(o.t, &pb.SerializedIdentity{Mspid: id.MSPID(), IdBytes: []byte("subject\n" + pemText)})
	case 4:
		how, s.Identity = "as another organization's", marshal(o.t, &pb.SerializedIdentity{Mspid: "B", IdBytes: []byte(pemText)})
	case 5:
		how, s.Identity = "as a stranger", marshal(o.t, &pb.SerializedIdentity{Mspid: "D", IdBytes: []byte(pemText)})
	case 6:
		how, s.Signature = "with a high S", certtest.OtherS(o.t, s.Signature)
	case 7:
		how, s.Signature = "with a byte behind it", append(s.Signature, 0)
	case 8:
		how, s.Data = "something else", []byte("messagf")
	case 9:
		how, s.Signature = "nothing", nil
	}
	return s, name + " " + how
}

// principal returns a random principal in the form in which it is sent. It may be several together, which may be that again, and
// it may be none.
func (o *organizations) principal(r *mathrand.Rand, depth int) *pb.MSPPrincipal {
	message := func(kind pb.MSPPrincipal_Classification, b []byte) *pb.MSPPrincipal {
		return &pb.MSPPrincipal{PrincipalClassification: kind, Principal: b}
	}
	mspID := []string{"A", "A", "B"}[r.IntN(3)]
	switch n := r.IntN(20); {
	case depth == 0 || depth < 3 && n < 4:
		var b []byte
		for range r.IntN(4 + depth/2) {
			b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), marshal(o.t, o.principal(r, depth+1)))
		}
		if r.IntN(30) == 0 {
			b = append(b, 0x0a)
		}
		return message(pb.MSPPrincipal_COMBINED, b)
	case n < 7:
		return message(pb.MSPPrincipal_ANONYMITY, [][]byte{nil, nil, nil, {8, 0}, {8, 1}}[r.IntN(5)])
	case n < 9:
		return message(pb.MSPPrincipal_IDENTITY, o.signers[o.names[r.IntN(len(o.names))]].Creator())
	case n < 19:
		role := []pb.MSPRole_MSPRoleType{pb.MSPRole_MEMBER, pb.MSPRole_MEMBER, pb.MSPRole_PEER, pb.MSPRole_CLIENT, pb.MSPRole_ADMIN}[r.IntN(5)]
		return message(pb.MSPPrincipal_ROLE, marshal(o.t, &pb.MSPRole{MspIdentifier: mspID, Role: role}))
	default:
		return message(pb.MSPPrincipal_ROLE, []byte{0xff})
	}
}

// onlyNominal reports whether a principal asks for nothing but a name, which everyone has. Here it is nobody: no policy asks for
// nothing.
func onlyNominal(p *pb.MSPPrincipal) bool {
	if p.GetPrincipalClassification() != pb.MSPPrincipal_COMBINED {
		return p.GetPrincipalClassification() == pb.MSPPrincipal_ANONYMITY
	}
	for b := p.GetPrincipal(); len(b) > 0; {
		value, n := protowire.ConsumeBytes(b[min(1, len(b)):])
		var inner pb.MSPPrincipal
		if n < 0 || proto.Unmarshal(value, &inner) != nil || !onlyNominal(&inner) {
			return false
		}
		b = b[1+n:]
	}
	return true
}

// TestCombined compares principals that are several together.
func TestCombined(t *testing.T) {
	f := startFabric(t)
	o := newOrganizations(t, f)
	r := mathrand.New(mathrand.NewPCG(*seed, 6)) //nolint:gosec // as above
	fulfilled, asked := 0, 0
	for range *rounds {
		p := o.principal(r, 0)
		if onlyNominal(p) {
			continue
		}
		asked++
		envelope := marshal(t, &pb.SignaturePolicyEnvelope{
			Identities: []*pb.MSPPrincipal{p}, Rule: &pb.SignaturePolicy{Type: &pb.SignaturePolicy_SignedBy{}},
		})
		q := question{Envelope: envelope}
		for _, i := range r.Perm(len(o.names))[:r.IntN(9)] {
			id := o.signers[o.names[i]]
			s := signed{Identity: id.Creator(), Data: []byte("message")}
			var err error
			if s.Signature, err = id.Sign(s.Data); err != nil {
				t.Fatal(err)
			}
			q.Signed = append(q.Signed, s)
		}
		theirs := f.ask(q)
		policy, err := policies.Unmarshal(envelope)
		if err != nil || theirs.ParseError != "" {
			t.Fatalf("%v: ours %v, Fabric's %q", p, err, theirs.ParseError)
		}
		ours := policy.Evaluate(policies.Unique(o.good(q.Signed)))
		if (ours == nil) != (theirs.Error == "") {
			t.Fatalf("%s of %v: ours %v, Fabric's %q", policy, p, ours, theirs.Error)
		}
		if ours == nil {
			fulfilled++
		}
	}
	t.Logf("%d of %d are fulfilled", fulfilled, asked)
	if fulfilled < asked/20 || fulfilled > asked*9/10 {
		t.Error("that is too one-sided to tell")
	}
}

// policy returns a random policy, of roles and single identities.
func (o *organizations) policy(r *mathrand.Rand, depth int) policies.Signature {
	if depth > 0 && r.IntN(3) > 0 {
		if r.IntN(5) == 0 {
			id := o.signers[o.names[r.IntN(len(o.names))]]
			return policies.SignedBy(identity.Principal{Creator: string(id.Creator())})
		}
		return policies.SignedBy(identity.Principal{
			MSPID: []string{"A", "B", "C"}[r.IntN(3)],
			Role:  []identity.Role{identity.Member, identity.Client, identity.Peer, identity.Admin, identity.Orderer}[r.IntN(5)],
		})
	}
	if depth > 2 {
		return policies.SignedBy(identity.Principal{MSPID: "A", Role: identity.Member})
	}
	rules := make([]policies.Signature, 1+r.IntN(4))
	for i := range rules {
		rules[i] = o.policy(r, depth+1)
	}
	return policies.OutOf(r.IntN(len(rules)+1), rules...)
}

// TestSigners compares who counts: certificates and signatures of every kind, under policies of every kind.
func TestSigners(t *testing.T) {
	f := startFabric(t)
	o := newOrganizations(t, f)
	r := mathrand.New(mathrand.NewPCG(*seed, 4)) //nolint:gosec // a test is to be repeatable
	fulfilled := 0
	for range *rounds {
		policy := o.policy(r, 0)
		envelope, err := policy.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		q := question{Envelope: envelope}
		var how []string
		for _, i := range r.Perm(len(o.names))[:r.IntN(7)] {
			for range 1 + r.IntN(3)/2 { // some sign twice
				s, words := o.sign(r, o.names[i])
				q.Signed, how = append(q.Signed, s), append(how, words)
			}
		}
		theirs := f.ask(q)
		ours := policy.Evaluate(policies.Unique(o.good(q.Signed)))
		if (ours == nil) != (theirs.Error == "") || theirs.ParseError != "" {
			t.Fatalf("%s, signed by %q: ours %v, Fabric's %q %q", policy, how, ours, theirs.Error, theirs.ParseError)
		}
		if ours == nil {
			fulfilled++
		}
	}
	t.Logf("%d of %d are fulfilled", fulfilled, *rounds)
	if fulfilled < *rounds/10 || fulfilled > *rounds*9/10 {
		t.Error("that is too one-sided to tell")
	}
}

// TestSingleSigners compares each kind of person and each way to sign by itself.
func TestSingleSigners(t *testing.T) {
	f := startFabric(t)
	o := newOrganizations(t, f)
	r := mathrand.New(mathrand.NewPCG(*seed, 5)) //nolint:gosec // as above
	good, bad := map[string]bool{}, map[string]bool{}
	for range *rounds {
		name := o.names[r.IntN(len(o.names))]
		s, how := o.sign(r, name)
		role := []identity.Role{identity.Member, identity.Client, identity.Peer, identity.Admin, identity.Orderer}[r.IntN(5)]
		mspID, _, _ := strings.Cut(name, ".")
		policy := policies.Any(policies.SignedBy(identity.Principal{MSPID: mspID, Role: role}))
		envelope, err := policy.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		theirs := f.ask(question{Envelope: envelope, Signed: []signed{s}})
		ours := policy.Evaluate(o.good([]signed{s}))
		if (ours == nil) != (theirs.Error == "") {
			t.Errorf("%s for %s: ours %v, Fabric's %q", how, policy, ours, theirs.Error)
		}
		if ours == nil {
			good[how] = true
		} else {
			bad[how] = true
		}
	}
	t.Logf("%d ways are good for some role, %d are not for some", len(good), len(bad))
	if len(good) < 20 || len(bad) < 20 {
		t.Error("that is too one-sided to tell")
	}
}

// good are those whose identities are known and whose signatures are theirs.
func (o *organizations) good(all []signed) []*identity.Verified {
	var found []*identity.Verified
	for _, s := range all {
		who, err := o.verifier.Identify(bytes.Clone(s.Identity))
		if err == nil && who.Verify(s.Data, s.Signature) == nil {
			found = append(found, who)
		}
	}
	return found
}
