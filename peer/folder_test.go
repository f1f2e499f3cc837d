package peer_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/identity/mspfolder"
	"github.com/ccpeer/ccpeer/internal/lockdir"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
)

// A network that is started again goes on: with its organizations and clients, its blocks, and what was deployed.
func TestRestart(t *testing.T) {
	all, folder := stores{}, filepath.Join(t.TempDir(), "network")
	cfg := peer.NetworkConfig{Organizations: threeOrganizations, Store: all.open, Folder: folder}
	var creators [][]byte
	for i := range 3 {
		n, err := peer.NewNetwork(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		alice, err := n.Client("alice@Org2MSP", map[string]string{"role": "registrar"})
		if err != nil {
			t.Fatal(err)
		}
		creators = append(creators, alice.Creator(), n.Peers()[0].Creator())
		if i == 0 {
			deploy(t, n, peer.Chaincode{Name: "asset", Endorsement: "ALL Endorsement", Collections: []ledger.CollectionConfig{secrets}})
		}
		for _, p := range n.Peers() { // what runs it isn't kept
			if err := p.Install(t.Context(), "asset:1", runs(asset)); err != nil {
				t.Fatal(err)
			}
		}
		done, err := n.Submit(t.Context(), alice, call("put", "k", "v"))
		if err != nil || done.Outcome.Block != uint64(i)+1 {
			t.Fatalf("%+v, %v", done, err)
		}
		if ccs := n.Peer("Org3MSP").Channel("mychannel").Chaincodes(); len(ccs) != 1 || ccs[0].Endorsement != "ALL Endorsement" || len(ccs[0].Collections) != 1 {
			t.Errorf("deployed is %+v", ccs)
		}
		sameBlocks(t, n)
		if err := n.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for i := 2; i < len(creators); i++ {
		if !bytes.Equal(creators[i], creators[i-2]) {
			t.Errorf("identity %d is another one", i)
		}
	}
	checkFolder(t, folder)
}

// checkFolder holds that a folder is as documented, and nobody else's.
func checkFolder(t *testing.T, folder string) {
	t.Helper()
	organization, alice, err := mspfolder.Read(filepath.Join(folder, "organizations", "Org2MSP", "users", "alice", "msp"), "Org2MSP")
	if err != nil || alice == nil || len(organization.Roots) != 1 {
		t.Errorf("alice's folder: %v, %v", alice, err)
	}
	for _, path := range []string{
		"organizations/Org1MSP/ca/key.pem", "organizations/Org1MSP/msp/config.yaml", "organizations/Org1MSP/peers/peer1.Org1MSP/msp/keystore/priv_sk", "channels/mychannel.json",
	} {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(path))); err != nil {
			t.Error(err)
		}
	}
	info, err := os.Stat(folder)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
}

// A peer that has fewer blocks than the others gets them from these, with the codes that they have there. Their definitions are no
// more.
func TestCatchUp(t *testing.T) {
	all := stores{}
	cfg := peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 1}}, Store: all.open, Folder: t.TempDir()}
	for i := range 2 {
		n := newNetwork(t, cfg)
		deploy(t, n, peer.Chaincode{Name: "asset", Endorsement: "OR('Org1MSP.peer')", Runtime: runs(asset)})
		key := fmt.Sprint("key", i)
		submitWith(t, n, call("put", key, "v"), call("policy", key, "OR('Org1MSP.admin')"))
		var invalid *peer.InvalidError
		if _, err := n.Submit(t.Context(), client(t, n, "alice"), withEndorsers(call("put", key, "w"), "Org1MSP")); !errors.As(err, &invalid) {
			t.Fatalf("no administrator is needed: %v", err)
		}
		if i == 0 { // by this one, all of these would be invalid
			deploy(t, n, peer.Chaincode{Name: "asset", Endorsement: "OR('Org1MSP.admin')"})
			cfg.Organizations[0].Peers = 3 // two of them are new
		} else {
			sameBlocks(t, n)
		}
		if err := n.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		for name := range all {
			if !all.has(t, name, "asset\x00key0") {
				t.Errorf("%s hasn't caught up", name)
			}
		}
	}
}

// submitWith submits calls of alice's.
func submitWith(t *testing.T, n *peer.Network, calls ...peer.Call) {
	t.Helper()
	for _, c := range calls {
		if _, err := n.Submit(t.Context(), client(t, n, "alice"), c); err != nil {
			t.Fatal(err)
		}
	}
}

func withEndorsers(c peer.Call, names ...string) peer.Call {
	c.Endorsers = names
	return c
}

func TestFolderRefuses(t *testing.T) {
	for text, damage := range map[string]func(folder string) error{
		"load MSP": func(f string) error {
			return os.WriteFile(filepath.Join(f, "organizations", "Org1MSP", "ca", "cert.pem"), []byte("nonsense"), 0o600)
		},
		"read CA": func(f string) error { return os.Remove(filepath.Join(f, "organizations", "Org1MSP", "ca", "key.pem")) },
		"mychannel.json": func(f string) error {
			return os.WriteFile(filepath.Join(f, "channels", "mychannel.json"), []byte("{"), 0o600)
		},
		"invalid chaincode name": func(f string) error {
			return os.WriteFile(filepath.Join(f, "channels", "mychannel.json"), []byte(`[{"name":"../x"}]`), 0o600)
		},
		"has no certificate of a CA": func(f string) error {
			return os.RemoveAll(filepath.Join(f, "organizations", "Org1MSP", "peers", "peer0.Org1MSP", "msp", "cacerts"))
		},
		"has no identity": func(f string) error {
			return os.RemoveAll(filepath.Join(f, "organizations", "Org1MSP", "peers", "peer0.Org1MSP", "msp", "signcerts"))
		},
		`is that of "alice"`: func(f string) error {
			peers := filepath.Join(f, "organizations", "Org1MSP", "peers", "peer0.Org1MSP")
			if err := os.RemoveAll(peers); err != nil {
				return err
			}
			return os.Rename(filepath.Join(f, "organizations", "Org1MSP", "users", "alice"), peers)
		},
	} {
		folder := t.TempDir()
		n := newNetwork(t, peer.NetworkConfig{Folder: folder})
		deploy(t, n, peer.Chaincode{Name: "asset"})
		client(t, n, "alice")
		if other, err := peer.NewNetwork(t.Context(), peer.NetworkConfig{Folder: folder}); lockdir.Works && (err == nil || !strings.Contains(err.Error(), "somebody else is using it")) {
			t.Errorf("another network uses the folder: %v, %v", other, err)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := damage(folder); err != nil {
			t.Fatal(err)
		}
		if again, err := peer.NewNetwork(t.Context(), peer.NetworkConfig{Folder: folder}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, %v, want %s", again, err, text)
		}
	}
}

// Whatever a client is called, it has a folder of its own.
func TestNames(t *testing.T) {
	folder := t.TempDir()
	n := newNetwork(t, peer.NetworkConfig{Folder: folder})
	names := []string{"..", ".", "a/b", "../../x", "Smith, Alice", "a\x00b", "ä", "a@b", "CON:x"}
	for _, name := range names {
		id, err := n.Client(name+"@Org1MSP", nil)
		if err != nil {
			t.Errorf("%q: %v", name, err)
		} else if id.Certificate().Subject.CommonName != name {
			t.Errorf("%q is %q", name, id.Certificate().Subject.CommonName)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(folder, "organizations", "Org1MSP", "users")); err != nil || len(entries) != len(names) {
		t.Errorf("there are %v, %v", entries, err)
	}
	if _, err := n.Client("@Org1MSP", nil); err == nil {
		t.Error("nobody is somebody")
	}
}

// A peer that is new, or whose store was lost, has the collections and indexes of the others, and the state that they have: also
// what has expired by the definitions of then.
func TestNewPeerHasCollections(t *testing.T) {
	all := stores{}
	cfg := peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 1}}, Store: all.open, Folder: t.TempDir()}
	owner, err := kvledger.ParseIndex([]byte(`{"index":{"fields":["owner"]},"ddoc":"d","name":"owner"}`))
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, cfg)
	for _, blocks := range []uint64{1, 0} { // what was written while it was 1 expires
		brief := ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')", BlockToLive: blocks}
		deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{brief}, Indexes: []kvledger.Index{owner}})
		key := call("putPrivate", "secrets", fmt.Sprint("key", blocks))
		key.Transient = map[string][]byte{"value": []byte("v")}
		submitWith(t, n, key, call("put", "k", "v"), call("put", "k", "w"), call("put", "k", "x"))
	}
	for _, lose := range []string{"", "peer0.Org1MSP"} {
		if err := n.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		cfg.Organizations[0].Peers = 2
		delete(all, lose)
		n = newNetwork(t, cfg)
		for _, p := range n.Peers() {
			channel := p.Channel("mychannel")
			for key, want := range map[string]bool{"key1": false, "key0": true} {
				if state, err := channel.Ledger().PrivateKeyState(t.Context(), "asset", "secrets", key); err != nil || (state != nil) != want {
					t.Errorf("%s has %s: %+v, %v", p.Name(), key, state, err)
				}
			}
			d, err := channel.Ledger().Definition(t.Context(), "asset")
			if err != nil || d == nil || len(d.Collections) != 1 || len(d.Indexes) != 1 || !d.Indexes[0].Equal(owner) {
				t.Errorf("%s has the definition %+v, %v", p.Name(), d, err)
			}
			if err := p.Install(t.Context(), "asset:2", runs(asset)); err != nil {
				t.Fatal(err)
			}
		}
		c := call("putPrivate", "secrets", "last")
		c.Transient = map[string][]byte{"value": []byte("v")}
		submitWith(t, n, c)
		sameBlocks(t, n)
	}
}

// A network doesn't start with peers whose ledgers disagree.
func TestForksAreNoticed(t *testing.T) {
	put := func(key, value string) kvledger.Transaction { return kvledger.Transaction{TxID: key + value} }
	invalid := put("a", "1")
	invalid.Code = kvledger.EndorsementPolicyFailure
	for text, blocks := range map[string][2][]kvledger.Transaction{
		"block 0 of peer1.Org1MSP and of peer0.Org1MSP are different blocks":                                 {{put("a", "1")}, {put("a", "2")}},
		"block 0 of peer1.Org1MSP and of peer0.Org1MSP have different validation codes":                      {{put("a", "1")}, {invalid}},
		"block 2 of peer1.Org1MSP and of peer0.Org1MSP have different commit hashes, so their states differ": {{put("0", "0"), put("a", "1"), put("b", "1")}, {put("0", "0"), invalid, put("b", "1")}},
		"block 0 of peer0.Org1MSP and of peer1.Org1MSP have different validation codes":                      {{put("a", "1")}, {invalid, put("b", "1")}},
	} {
		all := stores{}
		for i, txs := range blocks {
			s, err := all.open(fmt.Sprintf("peer%d.Org1MSP", i))
			if err != nil {
				t.Fatal(err)
			}
			l, err := kvledger.NewProvider(s).Open(t.Context(), "mychannel")
			if err != nil {
				t.Fatal(err)
			}
			for _, tx := range txs {
				if _, err := l.CommitTx(t.Context(), tx); err != nil {
					t.Fatal(err)
				}
			}
		}
		cfg := peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 2}}, Store: all.open}
		for range 2 {
			if n, err := peer.NewNetwork(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("got %v, %v, want %s", n, err, text)
			}
		}
	}
}

// A chaincode that may use any collection leaves to ledgers what they were told before, if they were told anything.
func TestNewPeerWithAnyCollection(t *testing.T) {
	cfg := peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 1}}, Store: stores{}.open, Folder: t.TempDir()}
	n := newNetwork(t, cfg)
	deploy(t, n, peer.Chaincode{Name: "asset", Collections: []ledger.CollectionConfig{secrets}})
	deploy(t, n, peer.Chaincode{Name: "asset", AnyCollection: true})
	deploy(t, n, peer.Chaincode{Name: "other", AnyCollection: true})
	if err := n.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	cfg.Organizations[0].Peers = 2
	for _, p := range newNetwork(t, cfg).Peers() {
		c := p.Channel("mychannel")
		if d, err := c.Ledger().Definition(t.Context(), "asset"); err != nil || d == nil || len(d.Collections) != 1 {
			t.Errorf("%s has %+v, %v", p.Name(), d, err)
		}
		if d, err := c.Ledger().Definition(t.Context(), "other"); err != nil || d != nil {
			t.Errorf("%s has %+v, %v", p.Name(), d, err)
		}
		if ccs := c.Chaincodes(); len(ccs) != 2 || !ccs[0].AnyCollection || !ccs[1].AnyCollection {
			t.Errorf("%s has %+v", p.Name(), ccs)
		}
	}
}
