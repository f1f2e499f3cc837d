package clients_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/internal/realfabric/target"
	"github.com/ccpeer/ccpeer/ledger"
)

// description is what a program is told of a network.
type description struct {
	*target.Target
	// Foreign is somebody of an organization that isn't on the channel.
	Foreign foreign `json:"foreign"`
	// Client is the certificate that programs show when they connect.
	Client target.User `json:"client"`

	dir string // where its files are
}

type foreign struct {
	MSPID string `json:"mspid"`
	target.User
}

// chaincodes are those of all networks. They are one program.
func chaincodes(program *words) []network.Chaincode {
	collections := []ledger.CollectionConfig{
		{Name: "both", Policy: "OR('Org1MSP.member', 'Org2MSP.member')", MaxPeerCount: 1},
		{Name: "first", Policy: "OR('Org1MSP.member')", MaxPeerCount: 1},
	}
	return []network.Chaincode{
		{Name: "any", Endorsement: "OR('Org1MSP.peer', 'Org2MSP.peer')", Collections: collections, Program: program},
		{Name: "all", Endorsement: "AND('Org1MSP.peer', 'Org2MSP.peer')", Program: program},
	}
}

// startFabric starts a network of Fabric.
func startFabric(t *testing.T, mutual bool) *description {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	n := network.StartWith(t, bin, network.Config{
		Chaincodes: chaincodes(&words{stop: t.Context().Done()}), MaxMessages: 1, PullTimeout: 10 * time.Second, ClientCertificates: mutual,
	})
	dir := t.TempDir()
	path, err := n.WriteTarget(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &description{dir: dir}
	if d.Target, err = target.Read(path); err != nil {
		t.Fatal(err)
	}
	d.Client.Cert, d.Client.Key = n.TLSCertificate()
	for i, o := range n.Organizations {
		d.Organizations[i].Users["Expired"] = expired(t, o.MSP, dir)
	}
	return d
}

// expired is somebody whose certificate has expired. It was good as long as that of the CA was.
func expired(t *testing.T, msp *identity.MSP, dir string) target.User {
	t.Helper()
	id, err := msp.Issue(identity.Config{CommonName: "expired", NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	u, err := target.WriteUser(dir, "Expired", id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// write completes the description, and writes it to a file.
func (d *description) write(t *testing.T) (path string) {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: "Org9MSP"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := msp.Issue(identity.Config{CommonName: "stranger"})
	if err != nil {
		t.Fatal(err)
	}
	d.Foreign.MSPID = msp.ID()
	if d.Foreign.User, err = target.WriteUser(d.dir, "stranger", id); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(d.dir, "clients.json")
	writeJSON(t, path, d)
	return path
}
