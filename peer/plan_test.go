package peer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/peer"
)

// F186: transient data goes to no other organization unless the caller names it.
func TestTransientStaysAtHome(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	const third = "peer0.Org3MSP"
	if err := n.Peer(third).Deploy(t.Context(), "mychannel", peer.Chaincode{Name: "asset", Runtime: runs(asset)}); err != nil {
		t.Fatal(err)
	}
	alice := client(t, n, "alice@Org1MSP")
	c := secret("putPrivate", "the secret")
	for name, do := range map[string]func() error{
		"Evaluate": func() error { _, err := n.Evaluate(t.Context(), alice, c); return err },
		"Endorse":  func() error { _, err := n.Endorse(t.Context(), alice, c); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "to protect transient data") {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.Endorsers = []string{third}
	if _, err := n.Evaluate(t.Context(), alice, c); err != nil && strings.Contains(err.Error(), "transient") {
		t.Errorf("a peer that the caller has named is not asked: %v", err)
	}
}

// With many organizations there are more combinations of peers than anybody could try.
func TestManyOrganizations(t *testing.T) {
	var organizations []peer.Organization
	var all []string
	for i := range 24 {
		id := fmt.Sprintf("Org%dMSP", i)
		organizations, all = append(organizations, peer.Organization{MSPID: id}), append(all, fmt.Sprintf("'%s.peer'", id))
	}
	n := newNetwork(t, peer.NetworkConfig{Organizations: organizations})
	// No combination of fewer than the last 13 is enough, and the first ones don't count.
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), Endorsement: fmt.Sprintf("OutOf(12, %s)", strings.Join(all[12:], ", "))})
	e, err := n.Endorse(t.Context(), client(t, n, "alice@Org0MSP"), call("put", "k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Peers) != 13 {
		t.Errorf("%d peers have endorsed", len(e.Peers))
	}
}
