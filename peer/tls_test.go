package peer_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/peer"
)

// A network's TLS certificates are good for what was asked for, by the CA of their organization.
func TestTLS(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	server, err := n.ServerCertificate("peer0.Org2MSP", []string{"localhost", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	alice, err := n.ClientCertificate("alice@Org2MSP")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(n.TLSRoot("Org2MSP")) {
		t.Fatal("the CA's certificate is no PEM")
	}
	for _, host := range []string{"localhost", "127.0.0.1", "peer0.Org2MSP"} {
		if _, err := server.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := alice.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
	if again, err := n.ClientCertificate("alice@Org2MSP"); err != nil || !again.Leaf.Equal(alice.Leaf) {
		t.Errorf("asked again: another certificate, or %v", err)
	}
	if bytes.Equal(n.TLSRoot("Org1MSP"), n.TLSRoot("Org2MSP")) || n.TLSRoot("Org9MSP") != nil {
		t.Error("each organization has a CA of its own, and strangers have none")
	}
	for name, of := range map[string]func() (tls.Certificate, error){
		"no such peer":                     func() (tls.Certificate, error) { return n.ServerCertificate("alice", nil) },
		`has no organization "Org9MSP"`:    func() (tls.Certificate, error) { return n.ClientCertificate("alice@Org9MSP") },
		"the name is empty":                func() (tls.Certificate, error) { return n.ClientCertificate("@Org1MSP") },
		`make TLS certificate of server "`: func() (tls.Certificate, error) { return n.ServerCertificate("peer0.Org1MSP", []string{"é"}) },
	} {
		if _, err := of(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

// What a network has for TLS is kept in its folder. Another one is made only if it must be.
func TestTLSFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "network")
	of := func(name string) string {
		return filepath.Join(folder, "organizations", "Org1MSP", filepath.FromSlash(name))
	}
	var roots []*x509.Certificate
	var servers, clients []*x509.Certificate
	for i, hosts := range [][]string{nil, nil, {"localhost", "peer.example.com"}, nil} {
		n := newNetwork(t, peer.NetworkConfig{Folder: folder})
		client(t, n, "alice")
		server, err := n.ServerCertificate("peer0.Org1MSP", hosts)
		if err != nil {
			t.Fatal(err)
		}
		alice, err := n.ClientCertificate("alice")
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(n.TLSRoot("Org1MSP"))
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		roots, servers, clients = append(roots, root), append(servers, server.Leaf), append(clients, alice.Leaf)
		if err := n.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		checkTLSFolder(t, of, root)
		if i == 2 { // as it was before there was TLS
			for _, path := range []string{"tlsca", "msp/tlscacerts", "peers/peer0.Org1MSP/msp/tlscacerts", "peers/peer0.Org1MSP/tls", "users/alice/msp/tlscacerts"} {
				if err := os.RemoveAll(of(path)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	same := func(all []*x509.Certificate) (is [3]bool) {
		for i := range is {
			is[i] = all[i].Equal(all[i+1])
		}
		return is
	}
	if got := same(roots); got != [3]bool{true, true, false} {
		t.Errorf("the CA stayed the same: %v", got)
	}
	if got := same(servers); got != [3]bool{true, false, false} {
		t.Errorf("the server's certificate stayed the same: %v", got)
	}
	if got := same(clients); got != [3]bool{true, true, false} {
		t.Errorf("the client's certificate stayed the same: %v", got)
	}
}

// F234: what a network has for TLS was removed in part, or is not whole. It makes a new certificate, and doesn't refuse to start.
func TestTLSFolderInPart(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "network")
	n := newNetwork(t, peer.NetworkConfig{Folder: folder})
	dir := filepath.Join(folder, "organizations", "Org1MSP", "peers", "peer0.Org1MSP", "tls")
	for what, spoil := range map[string]func(name string) error{
		"removed": os.Remove,
		"empty":   func(name string) error { return os.WriteFile(name, nil, 0o600) },
	} {
		for _, name := range []string{"server.crt", "server.key"} {
			before, err := n.ServerCertificate("peer0.Org1MSP", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := spoil(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if now, err := n.ServerCertificate("peer0.Org1MSP", nil); err != nil || now.Leaf.Equal(before.Leaf) {
				t.Errorf("%s is %s: %v", name, what, err)
			}
		}
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 2 {
		t.Errorf("beside msp and tls there are %v, %v", left, err)
	}
}

// checkTLSFolder holds that what Fabric's tools look for is there, and that the keys are nobody else's.
func checkTLSFolder(t *testing.T, of func(name string) string, root *x509.Certificate) {
	t.Helper()
	for _, path := range []string{"msp", "peers/peer0.Org1MSP/msp", "users/alice/msp"} {
		o, _, err := mspfolder.Read(of(path), "Org1MSP")
		if err != nil || len(o.TLSRoots) != 1 || !o.TLSRoots[0].Equal(root) {
			t.Errorf("%s: %v, %v", path, o.TLSRoots, err)
		}
	}
	for _, pair := range []string{"tlsca/cert.pem tlsca/key.pem", "peers/peer0.Org1MSP/tls/server.crt peers/peer0.Org1MSP/tls/server.key", "users/alice/tls/client.crt users/alice/tls/client.key"} {
		cert, key, _ := strings.Cut(pair, " ")
		if _, err := tls.LoadX509KeyPair(of(cert), of(key)); err != nil {
			t.Error(err)
		}
	}
	if b, err := os.ReadFile(of("peers/peer0.Org1MSP/tls/ca.crt")); err != nil || !bytes.Contains(b, []byte("BEGIN CERTIFICATE")) {
		t.Error(err)
	}
	err := filepath.WalkDir(of("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || runtime.GOOS == "windows" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
