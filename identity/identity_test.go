package identity_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	pb "github.com/ccpeer/ccpeer/proto"
)

func newMSP(t testing.TB, id string) *identity.MSP {
	t.Helper()
	m, err := identity.NewMSP(identity.MSPConfig{ID: id, Organization: strings.ToLower(id) + ".example.com"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func issue(t testing.TB, m *identity.MSP, cfg identity.Config) *identity.Identity {
	t.Helper()
	id, err := m.Issue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// parsePEM returns the one certificate that b is.
func parsePEM(t *testing.T, b []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("%q is not one certificate", b)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestCACertificate(t *testing.T) {
	cert := parsePEM(t, newMSP(t, "Org1MSP").CertificatePEM())
	if err := cert.CheckSignatureFrom(cert); err != nil {
		t.Errorf("not self-signed: %v", err)
	}
	if !cert.IsCA || cert.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign || cert.MaxPathLen != 0 || !cert.MaxPathLenZero {
		t.Errorf("CA %t, key usage %b, path length %d", cert.IsCA, cert.KeyUsage, cert.MaxPathLen)
	}
	if len(cert.SubjectKeyId) == 0 { // which Fabric's MSP insists on
		t.Error("no SubjectKeyId")
	}
	if got, want := cert.Subject.String(), "CN=ca.org1msp.example.com,O=org1msp.example.com"; got != want {
		t.Errorf("subject is %s, want %s", got, want)
	}
	if years := cert.NotAfter.Sub(cert.NotBefore).Hours() / 24 / 365; years < 10 || time.Since(cert.NotBefore) < 50*time.Minute {
		t.Errorf("valid from %s to %s", cert.NotBefore, cert.NotAfter)
	}
}

func TestIdentityCertificate(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	id := issue(t, m, identity.Config{CommonName: "alice", OUs: []string{"admin", "sales"}})
	cert := parsePEM(t, id.CertificatePEM())
	if !cert.Equal(id.Certificate()) || id.MSPID() != "Org1MSP" {
		t.Errorf("certificate is %v, of %s", id.Certificate().Subject, id.MSPID())
	}
	if err := cert.CheckSignatureFrom(m.Certificate()); err != nil {
		t.Errorf("CheckSignatureFrom: %v", err)
	}
	if cert.IsCA || !cert.BasicConstraintsValid || cert.KeyUsage != x509.KeyUsageDigitalSignature || len(cert.ExtKeyUsage) != 0 {
		t.Errorf("CA %t, key usage %b, extended %v", cert.IsCA, cert.KeyUsage, cert.ExtKeyUsage)
	}
	if !bytes.Equal(cert.AuthorityKeyId, m.Certificate().SubjectKeyId) {
		t.Errorf("AuthorityKeyId is %x, want %x", cert.AuthorityKeyId, m.Certificate().SubjectKeyId)
	}
	if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is %T", cert.PublicKey)
	}
	if got, want := slices.Sorted(slices.Values(cert.Subject.OrganizationalUnit)), []string{"admin", "sales"}; !slices.Equal(got, want) {
		t.Errorf("OUs are %q, want %q", got, want)
	}
	for _, e := range cert.Extensions {
		if e.Id.String() == "1.2.3.4.5.6.7.8.1" {
			t.Error("there is an extension for attributes, and no attribute")
		}
	}
	var creator pb.SerializedIdentity
	if err := proto.Unmarshal(id.Creator(), &creator); err != nil || creator.Mspid != "Org1MSP" || !bytes.Equal(creator.IdBytes, id.CertificatePEM()) {
		t.Errorf("creator is %v, %v", &creator, err)
	}
	id.Creator()[0]++
	if err := proto.Unmarshal(id.Creator(), &creator); err != nil {
		t.Errorf("the caller's change of a creator changed the identity's: %v", err)
	}
}

func TestIdentityOUs(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	for _, c := range []struct{ ous, want []string }{{nil, []string{"client"}}, {[]string{}, nil}, {[]string{"peer"}, []string{"peer"}}} {
		id := issue(t, m, identity.Config{CommonName: "x", OUs: c.ous})
		if got := id.Certificate().Subject.OrganizationalUnit; !slices.Equal(got, c.want) {
			t.Errorf("OUs %#v became %q, want %q", c.ous, got, c.want)
		}
	}
}

// As encoding/json and the shims' cid package agree, the test need not parse it: the text is the format.
func TestAttributes(t *testing.T) {
	id := issue(t, newMSP(t, "Org1MSP"), identity.Config{
		CommonName: "alice", Attributes: map[string]string{"role": `"buyer"`, "hf.EnrollmentID": "alice"},
	})
	for _, e := range parsePEM(t, id.CertificatePEM()).Extensions {
		if !e.Id.Equal(asn1.ObjectIdentifier{1, 2, 3, 4, 5, 6, 7, 8, 1}) {
			continue
		}
		if want := `{"attrs":{"hf.EnrollmentID":"alice","role":"\"buyer\""}}`; string(e.Value) != want {
			t.Errorf("attributes are %s, want %s", e.Value, want)
		}
		if e.Critical {
			t.Error("the extension is critical: other software would refuse the certificate")
		}
		return
	}
	t.Error("no extension holds the attributes")
}

func TestIdentityID(t *testing.T) {
	id := issue(t, newMSP(t, "Org1MSP"), identity.Config{CommonName: "Smith, Alice"})
	got, err := base64.StdEncoding.DecodeString(id.ID())
	want := `x509::CN=Smith\, Alice,OU=client,O=org1msp.example.com::CN=ca.org1msp.example.com,O=org1msp.example.com`
	if err != nil || string(got) != want {
		t.Errorf("ID is %s, %v, want %s", got, err, want)
	}
}

// Half of all signatures would have a high S, if nothing was done about it.
func TestSignaturesAreLowS(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	id := issue(t, m, identity.Config{CommonName: "alice"})
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	check := func(what string, signature []byte) {
		t.Helper()
		var s struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(signature, &s); err != nil || len(rest) != 0 {
			t.Fatalf("%s: signature %x is not DER: %v", what, signature, err)
		}
		if s.S.Cmp(half) > 0 {
			t.Errorf("%s: S is high", what)
		}
	}
	for i := range 40 {
		message := fmt.Append(nil, "message ", i)
		signature, err := id.Sign(message)
		if err != nil {
			t.Fatal(err)
		}
		check("message", signature)
		digest := sha256.Sum256(message)
		if key := id.Certificate().PublicKey.(*ecdsa.PublicKey); !ecdsa.VerifyASN1(key, digest[:], signature) {
			t.Errorf("signature %d does not verify", i)
		}
		check("certificate", issue(t, m, identity.Config{CommonName: "x"}).Certificate().Signature)
	}
}

func TestValidity(t *testing.T) {
	from, to := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	m, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP", NotBefore: from, NotAfter: to})
	if err != nil {
		t.Fatal(err)
	}
	id := issue(t, m, identity.Config{CommonName: "x", NotBefore: from.Add(time.Hour), NotAfter: to.Add(time.Hour)})
	if c := m.Certificate(); !c.NotBefore.Equal(from) || !c.NotAfter.Equal(to) {
		t.Errorf("CA is valid from %s to %s", c.NotBefore, c.NotAfter)
	}
	if c := id.Certificate(); !c.NotBefore.Equal(from.Add(time.Hour)) || !c.NotAfter.Equal(to.Add(time.Hour)) {
		t.Errorf("identity is valid from %s to %s", c.NotBefore, c.NotAfter)
	}
}

func TestIssueRefuses(t *testing.T) {
	m := newMSP(t, "Org1MSP")
	yesterday := time.Now().Add(-24 * time.Hour)
	for _, c := range []struct {
		name, want string
		cfg        identity.Config
	}{
		{"no name", `issue identity "": Config.CommonName is empty`, identity.Config{}},
		{"name that is no UTF-8", "create certificate", identity.Config{CommonName: "\xff"}},
		{"attribute that is no UTF-8", `attribute "role" is not UTF-8`, identity.Config{CommonName: "x", Attributes: map[string]string{"role": "\xff"}}},
		{"attribute's name that is no UTF-8", `attribute "\xff" is not UTF-8`, identity.Config{CommonName: "x", Attributes: map[string]string{"\xff": ""}}},
		{"ends before it begins", "before it begins", identity.Config{CommonName: "x", NotAfter: yesterday}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if id, err := m.Issue(c.cfg); err == nil || id != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want an error with %q", id, err, c.want)
			}
		})
	}
}

func TestNewMSPRefuses(t *testing.T) {
	for _, c := range []struct {
		want string
		cfg  identity.MSPConfig
	}{
		{"MSPConfig.ID is empty", identity.MSPConfig{}},
		{"before it begins", identity.MSPConfig{ID: "x", NotAfter: time.Unix(0, 0)}},
		{"create certificate", identity.MSPConfig{ID: "x", Organization: "\xff"}},
	} {
		if m, err := identity.NewMSP(c.cfg); err == nil || m != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, %v, want an error with %q", m, err, c.want)
		}
	}
}
