package mspfolder_test

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMSP(t *testing.T) (*identity.MSP, *identity.Identity) {
	t.Helper()
	m, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := m.Issue(identity.Config{CommonName: "alice", Attributes: map[string]string{"role": "buyer"}})
	if err != nil {
		t.Fatal(err)
	}
	return m, id
}

// What was written is read, and known.
func TestWriteAndRead(t *testing.T) {
	m, alice := newMSP(t)
	dir := filepath.Join(t.TempDir(), "users", "alice", "msp")
	if err := mspfolder.Write(dir, m.Organization(), alice); err != nil {
		t.Fatal(err)
	}
	o, id, err := mspfolder.Read(dir, "Org1MSP")
	if err != nil {
		t.Fatal(err)
	}
	if *o.NodeOUs != *identity.DefaultNodeOUs() || len(o.Roots) != 1 || !o.Roots[0].Equal(m.Certificate()) {
		t.Errorf("the organization became %+v", o)
	}
	v, err := identity.NewVerifier(o)
	if err != nil {
		t.Fatal(err)
	}
	who, err := v.Identify(id.Creator())
	if err != nil || !bytes.Equal(id.Creator(), alice.Creator()) {
		t.Fatalf("%v", err)
	}
	signature, err := id.Sign([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	if err := who.Verify([]byte("message"), signature); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]os.FileMode{".": 0o700, "keystore": 0o700, "keystore/priv_sk": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %s", path, info.Mode(), err, want)
		}
	}
}

// An organization's folder has all that others must know, and no identity.
func TestOrganization(t *testing.T) {
	m, alice := newMSP(t)
	o := m.Organization()
	o.Admins, o.NodeOUs = []*x509.Certificate{alice.Certificate()}, nil
	o.TLSRoots, o.TLSIntermediates = o.Roots, o.Roots // any CA's do
	dir := filepath.Join(t.TempDir(), "msp")
	if err := mspfolder.Write(dir, o, nil); err != nil {
		t.Fatal(err)
	}
	got, id, err := mspfolder.Read(dir, "Org1MSP")
	if err != nil || id != nil || got.NodeOUs != nil || len(got.Admins) != 1 || !got.Admins[0].Equal(alice.Certificate()) ||
		len(got.TLSRoots) != 1 || !got.TLSRoots[0].Equal(m.Certificate()) || len(got.TLSIntermediates) != 1 {
		t.Errorf("got %+v, %v, %v", got, id, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	m, alice := newMSP(t)
	parent := t.TempDir()
	dir := filepath.Join(parent, "msp")
	other := m.Organization()
	other.MSPID = "Org2MSP"
	if err := mspfolder.Write(dir, other, alice); err == nil || !strings.Contains(err.Error(), `the identity is of MSP "Org1MSP", the organization is "Org2MSP"`) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(dir, []byte("thesis"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mspfolder.Write(dir, m.Organization(), alice); err == nil || !strings.Contains(err.Error(), "there is something already") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(dir); string(b) != "thesis" {
		t.Errorf("what was there became %q, %v", b, err)
	}
	if entries, err := os.ReadDir(parent); len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// config is a config.yaml as cryptogen writes it.
const config = `NodeOUs:
  Enable: true
  ClientOUIdentifier:
    Certificate: cacerts/0-cert.pem
    OrganizationalUnitIdentifier: client
  PeerOUIdentifier:
    Certificate: cacerts/0-cert.pem
    OrganizationalUnitIdentifier: peer
`

func TestRead(t *testing.T) {
	_, stranger := newMSP(t)
	strangersKey, err := stranger.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string // "" is success
		files      map[string]string
	}{
		{"as cryptogen writes it", "", map[string]string{"config.yaml": config}},
		{"no config.yaml", "", map[string]string{"config.yaml": "-"}},
		{"an empty config.yaml", "", map[string]string{"config.yaml": "\n"}},
		{"another key, too", "", map[string]string{"keystore/a": string(strangersKey)}},
		{"a hidden file", "", map[string]string{"cacerts/.DS_Store": "x"}},
		{"a key that doesn't fit", "no key in ", map[string]string{"keystore/priv_sk": string(strangersKey)}},
		{"no key", "has no key", map[string]string{"keystore/priv_sk": "-"}},
		{"two certificates", "has 2 certificates, want 1", map[string]string{"signcerts/b.pem": string(stranger.CertificatePEM())}},
		{"no CA", "has no certificate of a CA", map[string]string{"cacerts/0-cert.pem": "-"}},
		{"no PEM", "0-cert.pem is not PEM", map[string]string{"cacerts/0-cert.pem": "x"}},
		{"no CA's certificate", "is to be a CA's, which it isn't", map[string]string{"cacerts/1-cert.pem": string(stranger.CertificatePEM())}},
		{"no PEM for TLS", "0-cert.pem is not PEM", map[string]string{"tlscacerts/0-cert.pem": "x"}},
		{"no revocation list", "parse ", map[string]string{"crls/a.pem": "x"}},
		{"no YAML", "parse ", map[string]string{"config.yaml": "{"}},
		{"units that must be there", `wants its members to have unit "a", but doesn't say certified by whom`, map[string]string{"config.yaml": "OrganizationalUnitIdentifiers: [{OrganizationalUnitIdentifier: a}]"}},
		{"a certifier that isn't there", `unit "a": open `, map[string]string{"config.yaml": "OrganizationalUnitIdentifiers: [{OrganizationalUnitIdentifier: a, Certificate: cacerts/x}]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, alice := newMSP(t)
			dir := filepath.Join(t.TempDir(), "msp")
			if err := mspfolder.Write(dir, m.Organization(), alice); err != nil {
				t.Fatal(err)
			}
			for path, content := range c.files {
				change(t, filepath.Join(dir, path), content)
			}
			_, id, err := mspfolder.Read(dir, "Org1MSP")
			if c.want == "" && (err != nil || !id.Certificate().Equal(alice.Certificate())) {
				t.Errorf("%v, %v", id, err)
			}
			if c.want != "" && (id != nil || err == nil || !strings.HasPrefix(err.Error(), "read MSP folder "+dir) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, %v, want %s", id, err, c.want)
			}
		})
	}
}

// A unit that one of several CAs must have certified is read, and written again, with that CA.
func TestSeveralCAs(t *testing.T) {
	m, alice := newMSP(t)
	second, mallory := newMSP(t)
	dir := filepath.Join(t.TempDir(), "msp")
	if err := mspfolder.Write(dir, m.Organization(), alice); err != nil {
		t.Fatal(err)
	}
	change(t, filepath.Join(dir, "config.yaml"), config)
	change(t, filepath.Join(dir, "cacerts/1-cert.pem"), string(second.CertificatePEM()))
	for range 2 {
		o, _, err := mspfolder.Read(dir, "Org1MSP")
		if err != nil {
			t.Fatal(err)
		}
		v, err := identity.NewVerifier(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Identify(alice.Creator()); err != nil {
			t.Error(err)
		}
		if _, err := v.Identify(mallory.Creator()); err == nil || !strings.Contains(err.Error(), "certifiersIdentifier does not match") {
			t.Errorf("mallory: %v", err)
		}
		dir = filepath.Join(t.TempDir(), "again")
		if err := mspfolder.Write(dir, o, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// change writes a file, or removes it if the content is -.
func change(t *testing.T, path, content string) {
	t.Helper()
	if content == "-" {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func Example() {
	org1, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	alice, err := org1.Issue(identity.Config{CommonName: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	parent, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(parent) }()
	dir := filepath.Join(parent, "msp")
	if err := mspfolder.Write(dir, org1.Organization(), alice); err != nil {
		fmt.Println(err)
		return
	}
	_, id, err := mspfolder.Read(dir, "Org1MSP")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id.Certificate().Subject)
	// Output: CN=alice,OU=client,O=Org1MSP
}
