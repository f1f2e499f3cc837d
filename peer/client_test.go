package peer_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer"
)

func TestClient(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	role := map[string]string{"role": "registrar"}
	alice, err := n.Client("alice@Org2MSP", role)
	if err != nil {
		t.Fatal(err)
	}
	for _, attributes := range []map[string]string{nil, role} {
		if again, err := n.Client("alice@Org2MSP", attributes); err != nil || again != alice {
			t.Errorf("with %v: %v, %v", attributes, again, err)
		}
	}
	for name, attributes := range map[string]map[string]string{"alice@Org2MSP": {"role": "buyer"}, "bob@Org9MSP": nil, "alice@": nil} {
		if id, err := n.Client(name, attributes); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s with %v: %v, %v", name, attributes, id, err)
		}
	}
	verifier := n.Peers()[0].Channel("mychannel").Verifier()
	for name, want := range map[string]identity.Principal{
		"bob":           {MSPID: "Org1MSP", Role: identity.Client},
		"bob@Org3MSP":   {MSPID: "Org3MSP", Role: identity.Client},
		"admin@Org3MSP": {MSPID: "Org3MSP", Role: identity.Admin},
	} {
		who, err := verifier.Identify(client(t, n, name).Creator())
		if err != nil || !who.Satisfies(want) {
			t.Errorf("%s is not %s: %v", name, want, err)
		}
	}
}
