package peer_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// says is a chaincode that answers with a text.
func says(text string) runtime.Runtime {
	return runs(func(stub shim.ChaincodeStubInterface) *pb.Response {
		if err := stub.PutState("k", []byte(text)); err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success([]byte(text))
	})
}

// To deploy again is an upgrade: the state stays, what runs is another, and the old one is stopped.
func TestUpgrade(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	alice := client(t, n, "alice@Org1MSP")
	for i, text := range []string{"first", "second"} {
		deploy(t, n, peer.Chaincode{Name: "asset", Runtime: says(text)})
		done, err := n.Submit(t.Context(), alice, call("any"))
		if err != nil || string(done.Payload) != text {
			t.Fatalf("%+v, %v", done, err)
		}
		version := []string{"1", "2"}[i]
		if ccs := n.Peers()[0].Channel("mychannel").Chaincodes(); len(ccs) != 1 || ccs[0].Version != version || ccs[0].ID != "asset:"+version || ccs[0].Endorsement != "MAJORITY Endorsement" {
			t.Errorf("%+v", ccs)
		}
	}
	running := 0
	for _, s := range n.Peers()[0].Support().List() {
		if s.State.String() == "ready" {
			running++
		}
	}
	if running != 1 {
		t.Errorf("%d chaincodes are running", running)
	}
}

func TestDeployRefuses(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Channels: []string{"one", "two"}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	broken := func(*peer.Peer) (runtime.Runtime, error) { return nil, errors.New("no such program") }
	for text, tc := range map[string]struct {
		channel string
		cc      peer.Chaincode
	}{
		"channel 'three' not found":                     {"three", peer.Chaincode{Name: "asset"}},
		"invalid chaincode name 'a b'":                  {"", peer.Chaincode{Name: "a b"}},
		"invalid chaincode name ''":                     {"", peer.Chaincode{}},
		"invalid chaincode name 'a-'":                   {"", peer.Chaincode{Name: "a-"}},
		"parse Chaincode.Endorsement":                   {"", peer.Chaincode{Name: "asset", Endorsement: "nonsense"}},
		`organizations have no policy "Others"`:         {"", peer.Chaincode{Name: "asset", Endorsement: "ANY Others"}},
		"chaincode ID asset:1 is in use on channel one": {"two", peer.Chaincode{Name: "asset", Runtime: runs(asset)}},
		"make runtime for peer0.Org1MSP: no such":       {"", peer.Chaincode{Name: "asset", RuntimeOf: broken}},
		"are both set":                                  {"", peer.Chaincode{Name: "asset", Runtime: runs(asset), RuntimeOf: broken}},
	} {
		if err := n.Deploy(t.Context(), tc.channel, tc.cc); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	// The one that runs is shared.
	if err := n.Deploy(t.Context(), "two", peer.Chaincode{Name: "asset"}); err != nil {
		t.Fatal(err)
	}
	on := call("put", "k", "v")
	on.Channel = "two"
	if _, err := n.Submit(t.Context(), client(t, n, "alice"), on); err != nil {
		t.Error(err)
	}
}

// A chaincode is told its peer's organization by what is made for each peer, and may be on some peers only.
func TestRuntimeOf(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Endorsement: "OR('Org1MSP.peer', 'Org2MSP.peer')", RuntimeOf: func(p *peer.Peer) (runtime.Runtime, error) {
		if p.MSPID() == "Org1MSP" {
			return nil, nil
		}
		return says(p.MSPID()), nil
	}})
	e, err := n.Endorse(t.Context(), client(t, n, "alice@Org1MSP"), call("any"))
	if err != nil || string(e.Payload) != "Org2MSP" || e.Peers[0] != "peer0.Org2MSP" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestInit(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), InitRequired: true})
	alice := client(t, n, "alice")
	var failed *peer.ProposalError
	if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); !errors.As(err, &failed) || !strings.Contains(err.Error(), "has not been initialized") {
		t.Errorf("before init: %v", err)
	}
	first := call("put", "k", "v")
	first.Init = true
	for _, c := range []peer.Call{first, call("put", "k", "v")} {
		if _, err := n.Submit(t.Context(), alice, c); err != nil {
			t.Error(err)
		}
	}
}

// Chaincode calls chaincode, on its own channel and on another.
func TestChaincodeToChaincode(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Channels: []string{"one", "two"}})
	for _, channel := range []string{"one", "two"} {
		for _, name := range []string{"asset", "other"} {
			if err := n.Deploy(t.Context(), channel, peer.Chaincode{Name: name, ID: name + "-" + channel, Runtime: runs(asset)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	alice := client(t, n, "alice")
	for channel, want := range map[string]string{"": "called", "one": "called", "two": ""} {
		if _, err := n.Submit(t.Context(), alice, call("call", "other", channel, "put", "k"+channel)); err != nil {
			t.Errorf("channel %q: %v", channel, err)
		}
		c := call("get", "k"+channel)
		c.Chaincode = "other"
		if got, err := n.Evaluate(t.Context(), alice, c); err != nil || string(got.Payload) != want { // another channel is only read
			t.Errorf("channel %q: %+v, %v", channel, got, err)
		}
	}
	got, err := n.Evaluate(t.Context(), alice, call("call", "other", "three", "put", "k"))
	if err != nil || !strings.Contains(string(got.Payload), "three") {
		t.Errorf("a channel that isn't there: %+v, %v", got, err)
	}
}

// A definition changes between two blocks, for all peers the same two, however much is submitted meanwhile.
func TestDeployAmidTraffic(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := client(t, n, "alice@Org1MSP")
	var submitting sync.WaitGroup
	done := make(chan struct{})
	for i := range 3 {
		submitting.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				few := call("put", string(rune('a'+i)), "v")
				few.Endorsers = []string{"Org1MSP"} // enough for one of the two policies
				if _, err := n.Submit(t.Context(), alice, few); !fromUpgrade(err) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 6 {
		deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Endorsement: []string{"ANY Endorsement", "ALL Endorsement"}[i%2]})
	}
	close(done)
	submitting.Wait()
	if _, err := n.Submit(t.Context(), alice, call("put", "last", "v")); err != nil {
		t.Error(err)
	}
	sameBlocks(t, n)
}

// fromUpgrade reports whether an error is nil, or one that a submitter must expect during an upgrade.
func fromUpgrade(err error) bool {
	var (
		invalid *peer.InvalidError
		failed  *peer.ProposalError // the chaincode is stopped for the newer one
	)
	return err == nil || errors.As(err, &failed) || errors.As(err, &invalid) && invalid.Code == kvledger.EndorsementPolicyFailure
}

// sameBlocks holds that all peers have the same blocks, with the same codes.
func sameBlocks(t *testing.T, n *peer.Network) {
	t.Helper()
	first := n.Peers()[0].Channel("mychannel").Ledger()
	height, err := first.Height(t.Context())
	if err != nil || height == 0 {
		t.Fatalf("height %d, %v", height, err)
	}
	for number := range height {
		want, err := first.Block(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range n.Peers()[1:] {
			got, err := p.Channel("mychannel").Ledger().Block(t.Context(), number)
			if err != nil {
				t.Fatal(err)
			}
			for i, tx := range want.Transactions {
				if got.Transactions[i].TxID != tx.TxID || got.Transactions[i].Code != tx.Code {
					t.Errorf("block %d of %s has %v %s at %d, want %v", number, p.Name(), got.Transactions[i].Code, tx.TxID, i, tx.Code)
				}
			}
		}
	}
}

// Deploy waits for its turn, and can be told to stop.
func TestDeployStops(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Deploy(ctx, "", peer.Chaincode{Name: "asset", Runtime: runs(asset)}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	if _, err := n.Submit(t.Context(), client(t, n, "alice"), call("put", "k", "v")); err != nil {
		t.Error(err)
	}
}

// Deploy waits for what was ordered before, also for what was given to the orderer itself.
func TestDeployWaitsForBroadcast(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Batch: ordering.Batch{MaxMessageCount: 100, Timeout: 200 * time.Millisecond}})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := client(t, n, "alice")
	broadcast := func(key string) (txID string) {
		t.Helper()
		e, err := n.Endorse(t.Context(), alice, call("put", key, "v"))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Orderer().Broadcast(t.Context(), e.Envelope); err != nil {
			t.Fatal(err)
		}
		return e.TxID
	}
	broadcast("first")
	submitWith(t, n, call("put", "second", "v")) // they are a block
	last := broadcast("third")
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Endorsement: "OR('Org1MSP.admin')"})
	tx, err := n.Peers()[0].Channel("mychannel").Ledger().Transaction(t.Context(), last)
	if err != nil || tx.Code != kvledger.Valid {
		t.Errorf("what was ordered before is %+v, %v", tx, err)
	}
	if err := n.Orderer().Broadcast(t.Context(), []byte("nonsense")); err == nil {
		t.Error("what names no channel is ordered")
	}
	b, err := n.Orderer().Deliver(t.Context(), "mychannel", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if first, err := b.Next(t.Context()); err != nil || len(first.GetData().GetData()) != 2 {
		t.Errorf("%v, %v", first, err)
	}
}

// switched is a store that doesn't change while it is off. It may go off by itself before a number of changes.
type switched struct {
	kept
	left *atomic.Int64
}

func (s switched) Commit(ctx context.Context, b *store.Batch) error {
	if s.left.Add(-1) < 0 {
		return errors.New("disk is full")
	}
	return s.kept.Commit(ctx, b)
}

// switchedNetwork is a network of two peers whose stores can be switched off, with asset and its collection secrets.
func switchedNetwork(t *testing.T) (n *peer.Network, cfg peer.NetworkConfig, left map[string]*atomic.Int64) {
	t.Helper()
	all := stores{}
	left = map[string]*atomic.Int64{"peer0.Org1MSP": {}, "peer1.Org1MSP": {}}
	cfg = peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 2}}, Folder: t.TempDir(),
		Store: func(name string) (store.Store, error) {
			left[name].Store(math.MaxInt64)
			s, err := all.open(name)
			return switched{s.(kept), left[name]}, err
		},
	}
	n = newNetwork(t, cfg)
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{secrets}})
	return n, cfg, left
}

// If one peer can't have a definition, the others go back to what they had, and blocks are judged alike.
func TestDeployFailsOnOnePeer(t *testing.T) {
	n, _, left := switchedNetwork(t)
	left["peer1.Org1MSP"].Store(0)
	next := peer.Chaincode{Name: "asset", Endorsement: "OR('Org1MSP.admin')"}
	if err := n.Deploy(t.Context(), "", next); err == nil || !strings.Contains(err.Error(), "peer1.Org1MSP: ") || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("got %v", err)
	}
	left["peer1.Org1MSP"].Store(math.MaxInt64)
	if _, err := n.Submit(t.Context(), client(t, n, "alice"), secret("putPrivate", "v")); err != nil {
		t.Error(err)
	}
	sameBlocks(t, n)
	for _, p := range n.Peers() {
		c := p.Channel("mychannel")
		if d, err := c.Ledger().Definition(t.Context(), "asset"); err != nil || len(d.Collections) != 1 || c.Chaincodes()[0].Version != "1" {
			t.Errorf("%s has %+v, %v", p.Name(), d, err)
		}
	}
}

// If a peer can't go back either, its channel ends, and says why. The next start gives all peers the new definition.
func TestDeployCannotGoBack(t *testing.T) {
	n, cfg, left := switchedNetwork(t)
	alice := client(t, n, "alice")
	submitWith(t, n, call("put", "k", "v"))
	left["peer0.Org1MSP"].Store(1)
	left["peer1.Org1MSP"].Store(0)
	const text = "the peers have different definitions of chaincode asset, and can't go back: peer0.Org1MSP"
	if err := n.Deploy(t.Context(), "", peer.Chaincode{Name: "asset"}); err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v", err)
	}
	if _, err := n.Submit(t.Context(), alice, call("put", "k", "v")); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v", err)
	}
	if _, err := n.Evaluate(t.Context(), alice, call("get", "k")); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("a peer endorses on a channel that has ended: %v", err)
	}
	if err := n.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	n = newNetwork(t, cfg)
	for _, p := range n.Peers() {
		c := p.Channel("mychannel")
		if d, err := c.Ledger().Definition(t.Context(), "asset"); err != nil || len(d.Collections) != 0 || c.Chaincodes()[0].Version != "2" {
			t.Errorf("%s has %+v, %v", p.Name(), d, err)
		}
	}
}
