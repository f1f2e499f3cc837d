package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/certtest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func newVerifier(t testing.TB, organizations ...identity.Organization) *identity.Verifier {
	t.Helper()
	v, err := identity.NewVerifier(organizations...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// serialized is a creator of Org1MSP.
func serialized(t testing.TB, cert []byte) []byte {
	t.Helper()
	b, err := proto.Marshal(&pb.SerializedIdentity{Mspid: "Org1MSP", IdBytes: cert})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each kind of key makes MSPs and identities, is kept as text and read again, and signs what its certificate verifies.
func TestAlgorithms(t *testing.T) {
	algorithms := []identity.Algorithm{"", identity.ECDSAP256, identity.ECDSAP384, identity.Ed25519}
	want := []string{"P-256", "P-256", "P-384", "Ed25519"}
	for i, ofCA := range algorithms {
		m, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP", Organization: "org1.example.com", Algorithm: ofCA})
		if err != nil {
			t.Fatal(err)
		}
		kept := reloadedMSP(t, m)
		v := newVerifier(t, m.Organization())
		for k, a := range algorithms {
			id := reloaded(t, issue(t, kept, identity.Config{CommonName: "alice", Algorithm: a}))
			who, err := v.Identify(id.Creator())
			if err != nil {
				t.Fatalf("%s by %s: %v", a, ofCA, err)
			}
			message := []byte("message")
			signature, err := id.Sign(message)
			if err != nil {
				t.Fatal(err)
			}
			if err := who.Verify(message, signature); err != nil {
				t.Errorf("%s by %s: %v", a, ofCA, err)
			}
			if err := who.Verify([]byte("messagf"), signature); err == nil {
				t.Errorf("%s by %s: verified what was not signed", a, ofCA)
			}
			if err := who.Verify(message, signature[:len(signature)-1]); err == nil {
				t.Errorf("%s by %s: verified a part of a signature", a, ofCA)
			}
			if got := kindOf(who.Certificate()); got != want[k] {
				t.Errorf("%q makes a key of %s", a, got)
			}
		}
		if got := kindOf(m.Certificate()); got != want[i] {
			t.Errorf("%q makes a CA's key of %s", ofCA, got)
		}
	}
	if _, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP", Algorithm: "RSA"}); err == nil || !strings.Contains(err.Error(), `"RSA" is unknown, want ECDSA P-256,`) {
		t.Errorf("RSA: %v", err)
	}
}

// kindOf names a certificate's key.
func kindOf(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); ok {
		return key.Params().Name
	}
	return cert.PublicKeyAlgorithm.String()
}

func reloadedMSP(t *testing.T, m *identity.MSP) *identity.MSP {
	t.Helper()
	key, err := m.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := identity.LoadMSP(m.ID(), m.CertificatePEM(), key)
	if err != nil {
		t.Fatal(err)
	}
	if kept.ID() != m.ID() || !kept.Certificate().Equal(m.Certificate()) {
		t.Errorf("%s became %s", m.ID(), kept.ID())
	}
	return kept
}

func reloaded(t *testing.T, id *identity.Identity) *identity.Identity {
	t.Helper()
	key, err := id.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := identity.Load(id.MSPID(), id.CertificatePEM(), key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept.Creator(), id.Creator()) {
		t.Errorf("creator became %q", kept.Creator())
	}
	if want := []string{"org1.example.com"}; !slices.Equal(kept.Certificate().Subject.Organization, want) {
		t.Errorf("organization is %q", kept.Certificate().Subject.Organization)
	}
	return kept
}

// What was kept by mistake or half is not loaded.
func TestLoadRefuses(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	alice, bob := issue(t, m, identity.Config{CommonName: "alice"}), issue(t, m, identity.Config{CommonName: "bob"})
	aliceKey, err := alice.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	garbage := []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	for _, c := range []struct {
		mspID     string
		cert, key []byte
		want      string
	}{
		{"", alice.CertificatePEM(), aliceKey, "ID is empty"},
		{"Org1MSP", nil, aliceKey, "certificate is not PEM"},
		{"Org1MSP", garbage, aliceKey, "parse certificate"},
		{"Org1MSP", alice.CertificatePEM(), nil, "key is not PEM"},
		{"Org1MSP", alice.CertificatePEM(), garbage, "parse key"},
		{"Org1MSP", bob.CertificatePEM(), aliceKey, "key is not the one of the certificate of CN=bob"},
	} {
		if _, err := identity.Load(c.mspID, c.cert, c.key); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Load: %v, want %s", err, c.want)
		}
		if _, err := identity.LoadMSP(c.mspID, c.cert, c.key); err == nil {
			t.Errorf("LoadMSP succeeds, want %s", c.want)
		}
	}
	if _, err := identity.LoadMSP("Org1MSP", alice.CertificatePEM(), aliceKey); err == nil || !strings.Contains(err.Error(), "not a CA's") {
		t.Errorf("LoadMSP of alice: %v", err)
	}
}

// roles are the groups of Org1MSP to which an identity belongs.
func roles(who *identity.Verified) string {
	var found []string
	for _, r := range []identity.Role{identity.Member, identity.Admin, identity.Client, identity.Peer, identity.Orderer, "owner", ""} {
		if who.Satisfies(identity.Principal{MSPID: "Org1MSP", Role: r}) {
			found = append(found, string(r))
		}
		if who.Satisfies(identity.Principal{MSPID: "Org2MSP", Role: r}) {
			found = append(found, "Org2MSP!")
		}
	}
	return strings.Join(found, " ")
}

func TestRoles(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	listed := issue(t, m, identity.Config{CommonName: "listed", OUs: []string{"client"}})
	org := m.Organization()
	org.Admins = []*x509.Certificate{listed.Certificate()}
	plain := org
	plain.NodeOUs = nil
	enforced, free := newVerifier(t, org), newVerifier(t, plain)
	const mixed, none = "several roles", "no role"
	for _, c := range []struct {
		ous                []string
		want, withoutUnits string
	}{
		{[]string{"client"}, "member client", "member"},
		{[]string{"peer"}, "member peer", "member"},
		{[]string{"admin"}, "member admin", "member"},
		{[]string{"orderer", "eu"}, "member orderer", "member"},
		{[]string{}, none, "member"},
		{[]string{"eu"}, none, "member"},
		{[]string{"client", "peer"}, mixed, "member"},
		{[]string{"Client"}, none, "member"},
	} {
		id := issue(t, m, identity.Config{CommonName: "x", OUs: c.ous})
		got := rolesBy(enforced, id.Creator())
		if strings.Contains(got, "to be valid, not a combination of them. OUs: [") {
			got = mixed
		}
		if strings.Contains(got, "does not have an OU that resolves to client, peer, orderer, or admin role. OUs: [") {
			got = none
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.ous, got, c.want)
		}
		if got := rolesBy(free, id.Creator()); got != c.withoutUnits {
			t.Errorf("%q without units: %s", c.ous, got)
		}
	}
	if got := rolesBy(enforced, listed.Creator()); got != "member admin client" {
		t.Errorf("a listed administrator: %s", got)
	}
	if got := rolesBy(free, listed.Creator()); got != "member admin" {
		t.Errorf("a listed administrator without units: %s", got)
	}
}

func rolesBy(v *identity.Verifier, creator []byte) string {
	who, err := v.Identify(creator)
	if err != nil {
		return err.Error()
	}
	return roles(who)
}

func TestOtherPrincipals(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	alice, bob := issue(t, m, identity.Config{CommonName: "alice", OUs: []string{"client", "eu"}}), issue(t, m, identity.Config{CommonName: "bob"})
	who, err := newVerifier(t, m.Organization()).Identify(append(alice.Creator(), 0x98, 0x06, 1)) // and a field that protobuf skips
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[identity.Principal]bool{
		{MSPID: "Org1MSP", OU: "eu", Certifiers: who.Certifiers()}: true,
		{MSPID: "Org1MSP", OU: "us", Certifiers: who.Certifiers()}: false,
		{MSPID: "Org2MSP", OU: "eu", Certifiers: who.Certifiers()}: false,
		{MSPID: "Org1MSP", OU: "eu", Certifiers: "x"}:              false,
		{MSPID: "Org1MSP", OU: "eu"}:                               false, // as in Fabric
		{Creator: string(alice.Creator())}:                         true,
		{Creator: string(bob.Creator())}:                           false,
		{}:                                                         false,
		{MSPID: "Org1MSP"}:                                         false,
	} {
		if who.Satisfies(p) != want {
			t.Errorf("%s: %t", p, !want)
		}
	}
}

func TestIntermediate(t *testing.T) {
	root := certtest.NewCA(t, "Org1MSP", nil)
	ca := certtest.NewCA(t, "Org1MSP", root)
	alice := issue(t, ca, identity.Config{CommonName: "alice"})
	org := identity.Organization{MSPID: "Org1MSP", Roots: []*x509.Certificate{root.Certificate()}, NodeOUs: identity.DefaultNodeOUs()}
	if _, err := newVerifier(t, org).Identify(alice.Creator()); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("without the intermediate CA: %v", err)
	}
	org.Intermediates = []*x509.Certificate{ca.Certificate()}
	if got := rolesBy(newVerifier(t, org), alice.Creator()); got != "member client" {
		t.Errorf("with it: %s", got)
	}
	bob := issue(t, root, identity.Config{CommonName: "bob"})
	if _, err := newVerifier(t, org).Identify(bob.Creator()); err == nil || !strings.Contains(err.Error(), "Parent certificate should be a leaf of the certification tree") {
		t.Errorf("certified by the root: %v", err)
	}
	org.Intermediates = []*x509.Certificate{certtest.NewCA(t, "Org1MSP", certtest.NewCA(t, "Org1MSP", nil)).Certificate()}
	if _, err := identity.NewVerifier(org); err == nil || !strings.Contains(err.Error(), "check certificate of CA ") {
		t.Errorf("an intermediate CA of somebody else's: %v", err)
	}
}

func TestRevoked(t *testing.T) {
	m, other := newMSP(t, "Org1MSP"), newMSP(t, "Org1MSP")
	alice, bob := issue(t, m, identity.Config{CommonName: "alice"}), issue(t, m, identity.Config{CommonName: "bob"})
	org := m.Organization()
	org.RevocationLists = []*x509.RevocationList{revocation(t, other, m.Certificate().SubjectKeyId, bob), revocation(t, m, nil, alice)}
	v := newVerifier(t, org)
	if _, err := v.Identify(alice.Creator()); err == nil || !strings.Contains(err.Error(), "the certificate has been revoked") {
		t.Errorf("alice: %v", err)
	}
	if got := rolesBy(v, bob.Creator()); got != "member client" { // the list that has bob is not of the CA whose key it names
		t.Errorf("bob: %s", got)
	}
}

// revocation is a list of the CA of m. It may pretend to be another CA's.
func revocation(t *testing.T, m *identity.MSP, keyID []byte, revoked *identity.Identity) *x509.RevocationList {
	t.Helper()
	list, err := x509.ParseRevocationList(certtest.Revoke(t, m, keyID, revoked))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Whether a block is valid must not depend on when somebody looks.
func TestEndedCertificateIsKnown(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	ended := time.Now().Add(-time.Hour)
	id := issue(t, m, identity.Config{CommonName: "old", NotBefore: m.Certificate().NotBefore, NotAfter: ended.Add(time.Minute)})
	who, err := newVerifier(t, m.Organization()).Identify(id.Creator())
	if err != nil || !who.ExpiresAt().Equal(id.Certificate().NotAfter) {
		t.Errorf("%v, %v", who, err)
	}
}

func TestVerifierRefuses(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	alice := issue(t, m, identity.Config{CommonName: "alice"})
	for want, organizations := range map[string][]identity.Organization{
		"MSPID is empty":                               {{Roots: []*x509.Certificate{m.Certificate()}}},
		`MSP "Org1MSP" has no root`:                    {{MSPID: "Org1MSP"}},
		`two organizations have the MSP`:               {m.Organization(), m.Organization()},
		`unit "eu", but doesn't say certified by whom`: {{MSPID: "Org1MSP", Roots: []*x509.Certificate{m.Certificate()}, OUs: []identity.OU{{Name: "eu"}}}},
		"CN=alice,OU=client,O=org1msp.example.com is to be a CA's, which it isn't": {{MSPID: "Org1MSP", Roots: []*x509.Certificate{alice.Certificate()}}},
	} {
		if _, err := identity.NewVerifier(organizations...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if got := newVerifier(t, newMSP(t, "B").Organization(), m.Organization()).MSPIDs(); !slices.Equal(got, []string{"B", "Org1MSP"}) {
		t.Errorf("MSPIDs: %q", got)
	}
}

// Many identities at once are remembered, forgotten and found again, and nobody is taken for somebody else.
func TestVerifierRemembers(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	v := newVerifier(t, m.Organization())
	some := make([]*identity.Identity, 30)
	for i := range some {
		some[i] = issue(t, m, identity.Config{CommonName: fmt.Sprint("client", i)})
	}
	bad := serialized(t, newMSP(t, "Org1MSP").CertificatePEM())
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 600 {
				id := some[(g*7+i)%len(some)]
				// Bytes that protobuf skips make it another creator each time, of the same certificate.
				creator := append(id.Creator(), 0x98, 0x06, byte(i%128))
				who, err := v.Identify(creator)
				if err != nil || !who.Certificate().Equal(id.Certificate()) {
					t.Errorf("%v, %v", who, err)
				}
				if _, err := v.Identify(bad); err == nil {
					t.Error("a stranger is known")
				}
			}
		})
	}
	all.Wait()
}

// A certificate whose signature has a high S is the same identity: nobody becomes two signers, and who was listed is.
func TestTwoFormsOfACertificate(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	alice := issue(t, m, identity.Config{CommonName: "alice"})
	other := certtest.OtherForm(t, alice.Certificate())
	if other.Equal(alice.Certificate()) {
		t.Fatal("the forms are equal")
	}
	org := m.Organization()
	org.Admins = []*x509.Certificate{other}
	v := newVerifier(t, org)
	sent := serialized(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Raw}))
	for _, creator := range [][]byte{alice.Creator(), sent} {
		who, err := v.Identify(creator)
		if err != nil {
			t.Fatal(err)
		}
		if !who.Certificate().Equal(alice.Certificate()) || roles(who) != "member admin client" {
			t.Errorf("%x, %s", who.Certificate().Signature, roles(who))
		}
		for _, p := range [][]byte{alice.Creator(), sent} {
			canonical, err := identity.Canonical(p)
			if err != nil || !who.Satisfies(identity.Principal{Creator: string(canonical)}) {
				t.Errorf("%v: isn't itself", err)
			}
		}
	}
}

// The form of a certificate's text doesn't matter.
func TestCanonical(t *testing.T) {
	alice := issue(t, newMSP(t, "Org1MSP"), identity.Config{CommonName: "alice"})
	text := string(alice.CertificatePEM())
	for _, sent := range []string{text, strings.TrimSpace(text), "subject=alice\n" + text, strings.ReplaceAll(text, "\n", "\r\n")} {
		got, err := identity.Canonical(serialized(t, []byte(sent)))
		if err != nil || !bytes.Equal(got, alice.Creator()) {
			t.Errorf("%q became %q, %v", sent, got, err)
		}
	}
	for _, creator := range [][]byte{{0xff}, serialized(t, []byte("x"))} {
		if _, err := identity.Canonical(creator); err == nil {
			t.Errorf("%q has a form", creator)
		}
	}
}

// Which CA has certified a unit matters where that is said.
func TestCertifiers(t *testing.T) {
	first, second := newMSP(t, "Org1MSP"), newMSP(t, "Org1MSP")
	org := first.Organization()
	org.Roots = append(org.Roots, second.Certificate())
	org.NodeOUs.Peer.Certifier = first.Certificate()
	peer := func(m *identity.MSP, unit string) []byte {
		return issue(t, m, identity.Config{CommonName: "p", OUs: []string{unit}}).Creator()
	}
	v := newVerifier(t, org)
	for creator, want := range map[string]string{
		string(peer(first, "peer")):    "member peer",
		string(peer(second, "peer")):   "certifiersIdentifier does not match: OUs: [peer]",
		string(peer(second, "client")): "member client",
	} {
		if got := rolesBy(v, []byte(creator)); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	org.NodeOUs, org.OUs = nil, []identity.OU{{Name: "eu", Certifier: first.Certificate()}}
	v = newVerifier(t, org)
	for creator, want := range map[string]string{
		string(peer(first, "eu")):  "member",
		string(peer(second, "eu")): "none of the identity's organizational units are in MSP Org1MSP",
		string(peer(first, "us")):  "none of the identity's organizational units are in MSP Org1MSP",
	} {
		if got := rolesBy(v, []byte(creator)); !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What follows a signature is overlooked, as in Fabric.
func TestPaddedSignature(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	alice := issue(t, m, identity.Config{CommonName: "alice"})
	who, err := newVerifier(t, m.Organization()).Identify(alice.Creator())
	if err != nil {
		t.Fatal(err)
	}
	signature, err := alice.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	if err := who.Verify([]byte("message"), append(signature, 0)); err != nil {
		t.Error(err)
	}
	zero, err := asn1.Marshal(struct{ R, S int }{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := who.Verify([]byte("message"), zero); err == nil || !strings.Contains(err.Error(), "not larger than zero") {
		t.Errorf("R is 0: %v", err)
	}
}
