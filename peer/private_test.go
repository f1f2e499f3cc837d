package peer_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer"
)

// stores are the stores of a network's peers, by their names.
type stores map[string]*memory.Store

func (s stores) open(name string) (store.Store, error) {
	if s[name] == nil {
		s[name] = memory.New()
	}
	return kept{s[name]}, nil
}

// kept is a store that outlives its network.
type kept struct{ *memory.Store }

func (kept) Close() error { return nil }

// has reports whether a peer's store has a text anywhere.
func (s stores) has(t *testing.T, name, text string) bool {
	t.Helper()
	snapshot, err := s[name].Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	it := snapshot.Scan("", "", store.ScanOptions{})
	defer it.Close()
	for {
		key, value, ok, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return false
		}
		if strings.Contains(key, text) || bytes.Contains(value, []byte(text)) {
			return true
		}
	}
}

var threeOrganizations = []peer.Organization{{MSPID: "Org1MSP", Peers: 2}, {MSPID: "Org2MSP", Peers: 2}, {MSPID: "Org3MSP"}}

// secrets is a collection of two of three organizations.
var secrets = ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member', 'Org2MSP.member')", MaxPeerCount: 3, MemberOnlyRead: true}

// secret is a call that puts the private key k. The value is not in the proposal's arguments.
func secret(function, value string) peer.Call {
	c := call(function, "secrets", "k")
	c.Transient = map[string][]byte{"value": []byte(value)}
	return c
}

// Private data comes to the peers of the collection's organizations, and the bytes of it to no other store.
func TestPrivateData(t *testing.T) {
	all := stores{}
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations, Store: all.open})
	deploy(t, n, peer.Chaincode{
		Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{secrets}, Endorsement: "OR('Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')",
	})
	const value = "the value that nobody else may have"
	done, err := n.Submit(t.Context(), client(t, n, "alice@Org2MSP"), secret("putPrivate", value))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range n.Peers() {
		member := p.MSPID() != "Org3MSP"
		if has := all.has(t, p.Name(), value); has != member {
			t.Errorf("the store of %s has the value: %v, want %v", p.Name(), has, member)
		}
		state, err := p.Channel("mychannel").Ledger().PrivateKeyState(t.Context(), "asset", "secrets", "k")
		if err != nil || state == nil || state.HasValue != member {
			t.Errorf("%s has %+v, %v", p.Name(), state, err)
		}
	}
	if tx, err := n.Peer("Org3MSP").Channel("mychannel").Ledger().Transaction(t.Context(), done.TxID); err != nil || bytes.Contains(tx.Envelope, []byte(value)) {
		t.Errorf("the block has the value, or there is none: %v", err)
	}
	for who, want := range map[string]string{"bob@Org1MSP": value, "carol@Org3MSP": ""} {
		c := call("getPrivate", "secrets", "k")
		c.Endorsers = []string{"Org1MSP"}
		got, err := n.Evaluate(t.Context(), client(t, n, who), c)
		if want == "" {
			var refused *peer.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(refused.Message, "does not have read access permission") {
				t.Errorf("%s gets %+v, %v", who, got, err)
			}
		} else if err != nil || string(got.Payload) != want {
			t.Errorf("%s gets %+v, %v", who, got, err)
		}
	}
}

// A transaction that needs the peer of an organization that may not see its private data is not sent there.
func TestPrivateDataIsNotShown(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{
		Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{secrets}, Endorsement: "AND('Org1MSP.peer', 'Org3MSP.peer')",
	})
	_, err := n.Submit(t.Context(), client(t, n, "alice@Org1MSP"), secret("putPrivate", "v"))
	if err == nil || !strings.Contains(err.Error(), "not in the distribution policy of the private data collection(s): [secrets]") {
		t.Errorf("got %v", err)
	}
	// What is among the arguments is in the block, so everybody may see it, and a peer that is no member may endorse it.
	done, err := n.Submit(t.Context(), client(t, n, "alice@Org1MSP"), call("putPrivate", "secrets", "k"))
	if err != nil || done.Outcome.Code != kvledger.Valid {
		t.Errorf("without transient data: %+v, %v", done, err)
	}
}

func TestRequiredPeerCount(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	for required, want := range map[int32]string{3: "", 4: "required to disseminate to at least 4 peers, but know of only 3 eligible peers"} {
		collection := secrets
		collection.RequiredPeerCount, collection.MaxPeerCount = required, required
		deploy(t, n, peer.Chaincode{
			Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{collection}, Endorsement: "OR('Org1MSP.peer')",
		})
		_, err := n.Submit(t.Context(), client(t, n, "alice@Org1MSP"), secret("putPrivate", "v"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%d peers required: %v", required, err)
		}
	}
}

// An organization's implicit collection is its own, and so is the endorsement that it needs.
func TestImplicitCollection(t *testing.T) {
	all := stores{}
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations, Store: all.open})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	c := call("putPrivate", "_implicit_org_Org3MSP", "k")
	c.Transient = map[string][]byte{"value": []byte("only of three")}
	e, err := n.Endorse(t.Context(), client(t, n, "alice@Org3MSP"), c)
	if err != nil || len(e.Peers) != 1 {
		t.Fatalf("%+v, %v", e, err)
	}
	if !bytes.Contains(e.PrivateRWSet, []byte("only of three")) || bytes.Contains(e.RWSet, []byte("only of three")) {
		t.Errorf("private: %q, public: %q", e.PrivateRWSet, e.RWSet)
	}
	outcomes, err := n.Order(t.Context(), e.Envelope)
	if err != nil || outcomes[0].Err() != nil {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	for name := range all {
		if has := all.has(t, name, "only of three"); has != strings.HasSuffix(name, "Org3MSP") {
			t.Errorf("the store of %s has the value: %v", name, has)
		}
	}
}

// A proposal may be endorsed twice, with other results. What fits the block is committed, whichever is ordered.
func TestPrivateDataOfTwoEndorsements(t *testing.T) {
	for _, ordered := range []int{0, 1} {
		n := newNetwork(t, peer.NetworkConfig{})
		deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Collections: []ledger.CollectionConfig{{Name: "secrets", Policy: "OR('Org1MSP.member')"}}})
		alice := client(t, n, "alice@Org1MSP")
		proposal := propose(t, alice, secret("putPrivateTwice", ""))
		var envelopes [][]byte
		for _, state := range []string{"one", "two"} {
			if _, err := n.Submit(t.Context(), alice, call("put", "public", state)); err != nil {
				t.Fatal(err)
			}
			envelopes = append(envelopes, endorsed(t, n.Peers()[0], alice, proposal))
		}
		outcomes, err := n.Order(t.Context(), envelopes[ordered])
		if err != nil || outcomes[0].Err() != nil {
			t.Fatalf("%+v, %v", outcomes, err)
		}
		state, err := n.Peers()[0].Channel("mychannel").Ledger().PrivateKeyState(t.Context(), "asset", "secrets", "k")
		if want := []string{"one", "two"}[ordered]; err != nil || state == nil || string(state.Value) != want {
			t.Errorf("got %+v, %v, want %s", state, err, want)
		}
	}
}

// The metadata of a key decides who must endorse.
func TestKeyLevel(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Endorsement: "OR('Org1MSP.peer', 'Org2MSP.peer')"})
	alice := client(t, n, "alice@Org1MSP")
	for _, c := range []peer.Call{call("put", "k", "v"), call("policy", "k", "AND('Org2MSP.peer', 'Org3MSP.peer')")} {
		if _, err := n.Submit(t.Context(), alice, c); err != nil {
			t.Fatal(err)
		}
	}
	e, err := n.Endorse(t.Context(), alice, call("put", "k", "w"))
	if err != nil || strings.Join(e.Peers, " ") != "peer0.Org1MSP peer0.Org2MSP peer0.Org3MSP" {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := n.Order(t.Context(), e.Envelope); err != nil {
		t.Fatal(err)
	}
	few := call("put", "k", "x")
	few.Endorsers = []string{"Org1MSP", "peer1.Org2MSP"}
	done, err := n.Submit(t.Context(), alice, few)
	var invalid *peer.InvalidError
	if !errors.As(err, &invalid) || invalid.Code != kvledger.EndorsementPolicyFailure || done.Outcome.Code != invalid.Code || invalid.Reason == nil {
		t.Errorf("got %+v, %v", done, err)
	}
	if got, err := n.Evaluate(t.Context(), alice, call("get", "k")); err != nil || string(got.Payload) != "w" {
		t.Errorf("%+v, %v", got, err)
	}
}
