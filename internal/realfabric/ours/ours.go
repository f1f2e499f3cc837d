// Package ours starts a network of this repository's peers for a test, as package network starts one of Fabric's: of two
// organizations, with the same chaincodes, and described to clients in the same way.
package ours

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// Start starts a network with the chaincodes of cfg, which run in this process, and returns the file that describes it. It ends with the
// test, which fails if it doesn't start. Of the rest of cfg, ClientCertificates counts.
func Start(t testing.TB, cfg network.Config) (description string) {
	t.Helper()
	chaincodes := cfg.Chaincodes
	folder := t.TempDir()
	n := start(t, folder, chaincodes)
	running, err := devnet.Start(t.Context(), n, devnet.Config{MutualTLS: cfg.ClientCertificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	d := &target.Target{Channel: network.ChannelID}
	for _, cc := range chaincodes {
		d.Chaincodes = append(d.Chaincodes, cc.Name)
	}
	dir := t.TempDir()
	for _, e := range running.Endpoints() {
		o, err := organization(dir, folder, n, e)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		d.Organizations = append(d.Organizations, o)
	}
	first := d.Organizations[0] // each peer speaks for the orderer, too
	d.Orderer = target.Orderer{Address: first.Peer, ServerName: first.ServerName, TLSRoot: first.TLSRoot, MSPID: first.MSPID}
	if cfg.ClientCertificates {
		if d.TLSClient, err = tlsClient(dir, n); err != nil {
			t.Fatalf("%+v", err)
		}
	}
	if description, err = d.Write(dir); err != nil {
		t.Fatalf("%+v", err)
	}
	return description
}

// tlsClient is a client's certificate for TLS, in files.
func tlsClient(dir string, n *peer.Network) (*target.User, error) {
	pair, err := n.ClientCertificate("User1@Org1MSP")
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	u := &target.User{Cert: filepath.Join(dir, "client.cert.pem"), Key: filepath.Join(dir, "client.key.pem")}
	if err := target.WriteFile(u.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})); err != nil {
		return nil, err
	}
	return u, target.WriteFile(u.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

// start starts a network that nobody can reach.
func start(t testing.TB, folder string, chaincodes []network.Chaincode) *peer.Network {
	t.Helper()
	n, err := peer.NewNetwork(t.Context(), peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}, Channels: []string{network.ChannelID}, Folder: folder,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, cc := range chaincodes {
		run := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
			return shim.StartInProc(id, s, cc.Program)
		})
		err := n.Deploy(t.Context(), network.ChannelID, peer.Chaincode{
			Name: cc.Name, Version: network.Version, Runtime: run, Endorsement: cc.Endorsement, Collections: cc.Collections,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// organization describes an organization, and its peer.
func organization(dir, folder string, n *peer.Network, e devnet.Endpoint) (target.Organization, error) {
	o := target.Organization{MSPID: e.MSPID, Peer: e.Address, ServerName: "localhost", TLSRoot: filepath.Join(dir, e.MSPID, "tls.pem"), Users: map[string]target.User{}}
	if err := target.WriteFile(o.TLSRoot, e.TLSRoot); err != nil {
		return o, err
	}
	users, err := identities(folder, n, e)
	if err != nil {
		return o, err
	}
	for name, id := range users {
		if o.Users[name], err = target.WriteUser(dir, name, id); err != nil {
			return o, err
		}
	}
	return o, nil
}

// identities are those that an organization's clients can have.
func identities(folder string, n *peer.Network, e devnet.Endpoint) (map[string]*identity.Identity, error) {
	users := map[string]*identity.Identity{}
	for _, name := range []string{"User1", "Admin"} {
		id, err := n.Client(name+"@"+e.MSPID, nil)
		if err != nil {
			return nil, err
		}
		users[name] = id
	}
	var err error
	if _, users["Peer"], err = mspfolder.Read(peer.OrganizationFolder(folder, e.MSPID, "peers", e.Peer, "msp"), e.MSPID); err != nil {
		return nil, err
	}
	ca := peer.OrganizationFolder(folder, e.MSPID, "ca")
	certificate, err := os.ReadFile(filepath.Join(ca, "cert.pem"))
	if err != nil {
		return nil, errors.WithStack(err)
	}
	key, err := os.ReadFile(filepath.Join(ca, "key.pem"))
	if err != nil {
		return nil, errors.WithStack(err)
	}
	msp, err := identity.LoadMSP(e.MSPID, certificate, key)
	if err != nil {
		return nil, err
	}
	more, err := target.Identities(msp, time.Now())
	maps.Copy(users, more)
	return users, err
}
