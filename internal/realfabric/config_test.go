package realfabric_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/realfabric/network"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// configured is a configuration as Fabric and this repository have read it.
type configured struct {
	t        *testing.T
	fabric   *fabric
	block    []byte
	read     *channelconfig.Channel
	verifier *identity.Verifier
}

func configure(t *testing.T, b *pb.Block) *configured {
	t.Helper()
	marshalled, err := proto.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	config, err := channelconfig.FromBlock(b)
	if err != nil {
		t.Fatal(err)
	}
	read, err := channelconfig.Read(config)
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity.NewVerifier(read.Members()...)
	if err != nil {
		t.Fatal(err)
	}
	return &configured{t: t, fabric: startFabric(t), block: marshalled, read: read, verifier: v}
}

// names holds that Fabric reads the same as we do.
func (c *configured) names() []string {
	c.t.Helper()
	theirs := c.fabric.ask(question{Config: c.block})
	if theirs.ParseError != "" {
		c.t.Fatalf("Fabric refuses it: %s", theirs.ParseError)
	}
	var ours []string
	for _, o := range c.read.Application.Organizations {
		ours = append(ours, o.MSP.MSPID)
		for _, address := range o.AnchorPeers {
			host, _, _ := strings.Cut(address, ":")
			ours = append(ours, host)
		}
	}
	for _, o := range c.read.Orderer.Organizations {
		ours = append(append(ours, o.MSP.MSPID), o.Endpoints...)
	}
	ours = append(ours, c.read.Orderer.Batch.Timeout.String(), c.read.Application.ACLs["event/Block"])
	slices.Sort(ours)
	if !slices.Equal(ours, theirs.Names) {
		c.t.Errorf("ours are %q, Fabric's %q", ours, theirs.Names)
	}
	return ours
}

// policies asks for all policies, with some of those who sign each time.
func (c *configured) policies(all map[string]*identity.Identity, signers ...string) {
	c.t.Helper()
	var (
		theirs []signed
		ours   []*identity.Verified
	)
	for _, name := range signers {
		signature, err := all[name].Sign([]byte("message"))
		if err != nil {
			c.t.Fatal(err)
		}
		theirs = append(theirs, signed{all[name].Creator(), []byte("message"), signature})
		who, err := c.verifier.Identify(all[name].Creator())
		if err != nil {
			c.t.Fatal(err)
		}
		ours = append(ours, who)
	}
	for _, group := range []string{"", "Application/", "Orderer/", "Application/" + c.read.Application.Organizations[0].Name + "/"} {
		for _, name := range []string{"Readers", "Writers", "Admins", "Endorsement", "LifecycleEndorsement", "BlockValidation"} {
			path := "/Channel/" + group + name
			theirs := c.fabric.ask(question{Config: c.block, Policy: &path, Signed: theirs})
			p, err := c.read.Policy(path)
			if err == nil {
				err = p.Evaluate(ours)
			}
			if (err == nil) != (theirs.Error == "") || strings.HasPrefix(theirs.Error, "implicit") && err.Error() != theirs.Error {
				c.t.Errorf("%s, signed by %v: ours %v, Fabric's %s", path, signers, err, theirs.Error)
			}
		}
	}
}

// TestConfigWritten has Fabric read a first block that was written here.
func TestConfigWritten(t *testing.T) {
	all := map[string]*identity.Identity{}
	var organizations []channelconfig.Organization
	for i, id := range []string{"Org1MSP", "Org2MSP"} {
		m, err := identity.NewMSP(identity.MSPConfig{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range []string{"client", "peer", "admin"} {
			if all[fmt.Sprint(role, i+1)], err = m.Issue(identity.Config{CommonName: role, OUs: []string{role}}); err != nil {
				t.Fatal(err)
			}
		}
		o := channelconfig.Organization{MSP: m.Organization(), AnchorPeers: []string{"peer0." + id + ":7051"}}
		o.MSP.TLSRoots = o.MSP.Roots
		organizations = append(organizations, o)
	}
	orderer := channelconfig.Organization{MSP: organizations[0].MSP, Endpoints: []string{"127.0.0.1:7050"}}
	genesis, err := channelconfig.Channel{
		Application: channelconfig.Application{Organizations: organizations, ACLs: map[string]string{"event/Block": "/Channel/Application/Admins"}},
		Orderer:     channelconfig.Orderer{Organizations: []channelconfig.Organization{orderer}},
	}.Genesis("mychannel")
	if err != nil {
		t.Fatal(err)
	}
	c := configure(t, genesis)
	if names := c.names(); !slices.Contains(names, "peer0.Org2MSP") || !slices.Contains(names, "127.0.0.1:7050") {
		t.Errorf("it says %q", names)
	}
	for _, signers := range [][]string{{}, {"client1"}, {"peer1"}, {"admin1"}, {"peer1", "peer2"}, {"admin1", "admin2"}, {"client2", "peer1"}, {"client1", "admin2"}} {
		c.policies(all, signers...)
	}
}

// TestConfigRead reads the first block of a real network.
func TestConfigRead(t *testing.T) {
	n := network.Start(t, bin)
	blocks, err := n.Organizations[0].Blocks(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := blocks.Next()
	if err != nil {
		t.Fatal(err)
	}
	c := configure(t, genesis)
	if names := c.names(); !slices.Contains(names, n.Orderer()) {
		t.Errorf("it says %q", names)
	}
	all := map[string]*identity.Identity{}
	for i, o := range n.Organizations {
		all[fmt.Sprint("user", i+1)], all[fmt.Sprint("peer", i+1)] = o.User, o.Peer
	}
	for _, signers := range [][]string{{}, {"user1"}, {"peer1"}, {"peer1", "peer2"}, {"user1", "user2"}} {
		c.policies(all, signers...)
	}
}

// TestConfigOfNetwork has Fabric read the first block of one of this repository's networks, and the MSP folders that it has written.
func TestConfigOfNetwork(t *testing.T) {
	folder := t.TempDir()
	n, err := peer.NewNetwork(t.Context(), peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}}, Folder: folder,
		OrdererAddresses: []string{"localhost:7050"}, AnchorPeers: map[string][]string{"Org1MSP": {"localhost:7051"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	genesis, err := n.Peers()[1].Channel("mychannel").ConfigBlock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, all := configure(t, genesis), map[string]*identity.Identity{}
	for i, mspID := range []string{"Org1MSP", "Org2MSP"} {
		for who, role := range map[string]string{"users/alice": "client", "users/admin": "admin", "peers/peer0." + mspID: "peer"} {
			if role != "peer" { // peers are there
				if _, err := n.Client(filepath.Base(who)+"@"+mspID, nil); err != nil {
					t.Fatal(err)
				}
			}
			dir := filepath.Join(folder, "organizations", mspID, filepath.FromSlash(who), "msp")
			if a := c.fabric.ask(question{Folder: dir, MSPID: mspID, Message: []byte("message")}); a.Error != "" {
				t.Errorf("%s: %s", dir, a.Error)
			}
			if _, all[fmt.Sprint(role, i+1)], err = mspfolder.Read(dir, mspID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if names := c.names(); !slices.Contains(names, "localhost:7050") {
		t.Errorf("it says %q", names)
	}
	for _, signers := range [][]string{{"client1"}, {"peer1", "peer2"}, {"admin1", "admin2"}} {
		c.policies(all, signers...)
	}
}
