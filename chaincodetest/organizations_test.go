package chaincodetest_test

import (
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/shim"
)

// Each organization's peer has the private data that the organization may have, and all have the hashes.
func TestPrivateDataOfTwo(t *testing.T) {
	net := chaincodetest.New(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
	collection := func(name, policy string) ledger.CollectionConfig {
		return ledger.CollectionConfig{Name: name, Policy: policy, MaxPeerCount: 1, MemberOnlyRead: true}
	}
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.Endorsement("OR('Org1MSP.peer', 'Org2MSP.peer')"),
		chaincodetest.CollectionConfigs(collection("secrets", "OR('Org2MSP.member')")))
	bob := net.As("bob@Org2MSP").Transient("price", 7)
	bob.Submit("basic", "Private", "a1").OK().WritesPrivate("secrets", "a1", 7)
	net.Of("Org2MSP").Private("basic", "secrets", "a1").Is(7)
	net.Of("Org1MSP").Private("basic", "secrets", "a1").Absent()
}

// instance is a chaincode that knows which of several it is, as it shouldn't.
type instance struct{ number int32 }

func (i instance) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (i instance) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	if err := stub.PutState("k", []byte{byte('0' + i.number)}); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// Peers that do different things are found, even if each does the same twice, and whichever of them it is.
func TestPeersDisagree(t *testing.T) {
	for odd, name := range []string{"Org1MSP", "Org2MSP", "Org3MSP"} {
		said := record(t, t.Name(), func(tb testing.TB) {
			net := chaincodetest.New(tb, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP", "Org3MSP"))
			net.Deploy("cc", chaincodetest.ChaincodeFunc(func(h chaincodetest.Host) (runtime.Runtime, error) {
				var i instance
				if h.MSPID == name {
					i.number = 1
				}
				return chaincodetest.InProcess(i).Runtime(h)
			}), chaincodetest.Endorsement("AND('Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')"))
			net.As("alice").Submit("cc", "Put")
		})
		number := func(i int) string {
			if i == odd {
				return "1"
			}
			return "0"
		}
		want := []string{"isn't deterministic. Peers have run it on the same state", "write of k\n"}
		for i, line := range []string{"      peer0.Org1MSP ", "      peer0.Org2MSP ", "      peer0.Org3MSP "} {
			if i == 0 || i == odd || odd == 0 {
				want = append(want, line+number(i)+"\n")
			}
		}
		for _, w := range want {
			if !strings.Contains(said, w) {
				t.Errorf("%s: it says %s\nwant %s", name, said, w)
			}
		}
	}
}

// A policy that the endorsers don't fulfil, and a client that nobody knows.
func TestPolicies(t *testing.T) {
	net := chaincodetest.New(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP", "Org3MSP"))
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.Endorsement("AND('Org1MSP.peer', 'Org4MSP.peer')"))
	net.As("alice@Org1MSP", "name", "alice").Submit("basic", "Create", "a1", 1).Fails("no combination of peers can be derived which satisfy the endorsement policy")
	net.As("eve@Org4MSP").Submit("basic", "Create", "a1", 1).Fails("access denied: channel [mychannel] creator org unknown")
	net.Deploy("basic", chaincodetest.InProcess(new(assets)), chaincodetest.Endorsement("AND('Org1MSP.peer', 'Org3MSP.peer')"))
	net.As("alice@Org1MSP", "name", "alice").Submit("basic", "Create", "a1", 1).OK()
	for _, org := range []string{"Org1MSP", "Org2MSP", "Org3MSP"} {
		net.Of(org).State("basic", "a1").Is(asset{"a1", 1, "alice"})
	}
}

func TestWrongOptions(t *testing.T) {
	for want, test := range map[string]func(testing.TB){
		"want at least one organization, and one channel": func(tb testing.TB) { chaincodetest.New(tb, chaincodetest.WithOrganizations()) },
		"WithoutSignatures is for one organization": func(tb testing.TB) {
			chaincodetest.New(tb, chaincodetest.WithOrganizations("A", "B"), chaincodetest.WithoutSignatures())
		},
		`the network has no channel "other": say so with WithChannels`:       func(tb testing.TB) { chaincodetest.New(tb).Channel("other") },
		`the network has no organization "B": say so with WithOrganizations`: func(tb testing.TB) { chaincodetest.New(tb).Of("B") },
		`no chaincode "basic" is deployed; call net.Deploy first`:            func(tb testing.TB) { chaincodetest.New(tb).Set("basic", "k", "v") },
		"it has the attributes": func(tb testing.TB) {
			net := chaincodetest.New(tb)
			net.As("alice", "role", "a")
			net.As("alice", "role", "b")
		},
	} {
		if said := record(t, t.Name(), test); !strings.Contains(said, want) {
			t.Errorf("it says %q, want %q", said, want)
		}
	}
}
