package clients_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// TestOurs holds what the programs print on a network of this repository to what they print on one of Fabric, with TLS and with
// mutual TLS.
func TestOurs(t *testing.T) {
	for _, c := range clients() {
		for _, mutual := range []bool{false, true} {
			name := c.name
			if mutual {
				name += " by mutual TLS"
			}
			t.Run(name, func(t *testing.T) { c.holdOurs(t, mutual, identity.ECDSAP256) })
		}
	}
}

// TestEd25519 has programs do the same with Ed25519 keys, which Fabric knows since 3.0.
func TestEd25519(t *testing.T) {
	for _, c := range clients() {
		if c.ed25519 {
			t.Run(c.name, func(t *testing.T) { c.holdOurs(t, true, identity.Ed25519) })
		}
	}
}

func (c client) holdOurs(t *testing.T, mutual bool, keys identity.Algorithm) {
	t.Helper()
	command := c.command(t)
	ours := startOurs(t, mutual, keys)
	c.hold(t, command, ours.description, false)
	ours.strangers(t, c.trades)
}

// ours is a network of this repository.
type ours struct {
	*description
	stores map[string]*recorder
}

// recorder is a store that keeps all that is ever written to it.
type recorder struct {
	store.Store
	mu      sync.Mutex
	written bytes.Buffer
}

func (r *recorder) Commit(ctx context.Context, b *store.Batch) error {
	r.mu.Lock()
	for _, w := range b.Writes {
		r.written.WriteString(w.Key)
		r.written.Write(w.Value)
		r.written.WriteByte('\n')
	}
	r.mu.Unlock()
	return r.Store.Commit(ctx, b)
}

// has reports whether something was ever written.
func (r *recorder) has(value string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Contains(r.written.Bytes(), []byte(value))
}

// startOurs starts a network that has what startFabric's has.
func startOurs(t *testing.T, mutual bool, keys identity.Algorithm) *ours {
	t.Helper()
	o := &ours{stores: map[string]*recorder{}}
	dir := t.TempDir()
	n, err := peer.NewNetwork(t.Context(), peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}, Channels: []string{network.ChannelID}, Folder: filepath.Join(dir, "network"),
		Store: func(name string) (store.Store, error) {
			o.stores[name] = &recorder{Store: memory.New()}
			return o.stores[name], nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, cc := range chaincodes(&words{stop: t.Context().Done()}) {
		run := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
			return shim.StartInProc(id, s, cc.Program)
		})
		if err := n.Deploy(t.Context(), network.ChannelID, peer.Chaincode{
			Name: cc.Name, Version: network.Version, Endorsement: cc.Endorsement, Collections: cc.Collections, Runtime: run,
		}); err != nil {
			t.Fatal(err)
		}
	}
	running, err := devnet.Start(t.Context(), n, devnet.Config{MutualTLS: mutual})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	shown, err := n.ClientCertificate("User1@Org1MSP")
	if err != nil {
		t.Fatal(err)
	}
	o.description = descriptionOf(t, running, dir, keys)
	o.Client = writeCertificate(t, dir, shown)
	return o
}

// descriptionOf says of a network what network.WriteTarget says of one of Fabric.
func descriptionOf(t *testing.T, running *devnet.Running, dir string, keys identity.Algorithm) *description {
	t.Helper()
	d := &description{dir: dir, Target: &target.Target{Channel: network.ChannelID, Chaincodes: []string{"any", "all"}}}
	for _, e := range running.Endpoints() {
		root := filepath.Join(dir, e.MSPID, "tlsca.pem")
		write(t, root, e.TLSRoot)
		o := target.Organization{MSPID: e.MSPID, Peer: e.Address, ServerName: "localhost", TLSRoot: root, Users: users(t, dir, e.MSPID, keys)}
		d.Organizations = append(d.Organizations, o)
		if d.Orderer.Address == "" { // each peer speaks for the orderer
			d.Orderer = target.Orderer{Address: e.Address, ServerName: "localhost", TLSRoot: root, MSPID: "OrdererMSP"}
		}
	}
	return d
}

// users are the identities of an organization that programs use.
func users(t *testing.T, dir, mspID string, keys identity.Algorithm) map[string]target.User {
	t.Helper()
	ca := filepath.Join(peer.OrganizationFolder(filepath.Join(dir, "network"), mspID), "ca")
	msp, err := identity.LoadMSP(mspID, readFile(t, filepath.Join(ca, "cert.pem")), readFile(t, filepath.Join(ca, "key.pem")))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]target.User{"Expired": expired(t, msp, dir)}
	for name, who := range map[string]string{"User1": "client", "Admin": "admin"} {
		id, err := msp.Issue(identity.Config{CommonName: who, OUs: []string{who}, Algorithm: keys})
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = target.WriteUser(dir, name, id); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// writeCertificate writes a certificate for TLS, and its key.
func writeCertificate(t *testing.T, dir string, c tls.Certificate) target.User {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	u := target.User{Cert: filepath.Join(dir, "client.cert.pem"), Key: filepath.Join(dir, "client.key.pem")}
	var chain []byte
	for _, der := range c.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	write(t, u.Cert, chain)
	write(t, u.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return u
}

// strangers checks that no peer was ever given the private values of the other organization.
func (o *ours) strangers(t *testing.T, trades bool) {
	t.Helper()
	first, second := o.stores["peer0.Org1MSP"], o.stores["peer0.Org2MSP"]
	if !first.has("for both") || !second.has("for both") {
		t.Error("private data of both organizations isn't with both")
	}
	if !first.has("for the first only") || second.has("for the first only") {
		t.Error("private data of the first organization isn't with it alone")
	}
	if offer := `"price":100`; second.has(offer) != trades || first.has(offer) {
		t.Error("what the second organization offers isn't with it alone")
	}
}
