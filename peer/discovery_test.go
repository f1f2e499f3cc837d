package peer_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/discovery"
	pb "github.com/ccpeer/ccpeer/proto"
)

// discover asks a peer's discovery service.
func discover(t *testing.T, s *discovery.Service, who identity.Signer, queries ...*pb.DiscoveryQuery) []*pb.DiscoveryResult {
	t.Helper()
	b := marshalled(t, &pb.DiscoveryRequest{Authentication: &pb.DiscoveryAuthInfo{ClientIdentity: who.Creator()}, Queries: queries})
	signature, err := who.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Discover(context.Background(), &pb.SignedDiscoveryRequest{Payload: b, Signature: signature})
	if err != nil || len(r.GetResults()) != len(queries) {
		t.Fatalf("%v, %v", r, err)
	}
	return r.GetResults()
}

// endpoints are where peers are, by groups.
func endpoints(t *testing.T, groups map[string]*pb.DiscoveredPeers) string {
	t.Helper()
	var all []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		for _, p := range groups[name].GetPeers() {
			alive := decoded[pb.GossipMessage](t, p.GetMembershipInfo().GetPayload())
			all = append(all, name+"="+alive.GetAliveMsg().GetMembership().GetEndpoint())
		}
	}
	return strings.Join(all, " ")
}

// A network tells its clients what they must know to use it.
func TestDiscovery(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: []peer.Organization{{MSPID: "Org1MSP", Peers: 2}, {MSPID: "Org2MSP"}}})
	onlyFirst := func(p *peer.Peer) (runtime.Runtime, error) {
		if strings.HasPrefix(p.Name(), "peer0") {
			return runs(asset), nil
		}
		return nil, nil
	}
	deploy(t, n, peer.Chaincode{Name: "asset", RuntimeOf: onlyFirst, Collections: []ledger.CollectionConfig{{Name: "secrets", Policy: "OR('Org1MSP.member')"}}})
	deploy(t, n, peer.Chaincode{Name: "one", Runtime: runs(asset), Endorsement: "OR('Org1MSP.peer', 'Org2MSP.peer')"})
	if _, err := peer.NewDiscovery(n, n.Peers()[0], peer.DiscoveryConfig{}); err == nil {
		t.Error("there are no addresses, and no error")
	}
	s, err := peer.NewDiscovery(n, n.Peers()[0], peer.DiscoveryConfig{Address: func(name string) string { return name + ":7051" }, Orderers: []string{"localhost:7050"}})
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string, collections ...string) *pb.ChaincodeInterest {
		return &pb.ChaincodeInterest{Chaincodes: []*pb.ChaincodeCall{{Name: name, CollectionNames: collections}}}
	}
	config := &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_ConfigQuery{ConfigQuery: &pb.ConfigQuery{}}}
	members := &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_PeerQuery{PeerQuery: &pb.PeerMembershipQuery{}}}
	endorsers := &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_CcQuery{CcQuery: &pb.ChaincodeQuery{
		Interests: []*pb.ChaincodeInterest{of("asset"), of("one"), of("one", "_implicit_org_Org2MSP"), of("_lifecycle")},
	}}}
	private := &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_CcQuery{CcQuery: &pb.ChaincodeQuery{Interests: []*pb.ChaincodeInterest{of("asset", "secrets")}}}}
	local := &pb.DiscoveryQuery{Query: &pb.DiscoveryQuery_LocalPeers{LocalPeers: &pb.LocalPeerQuery{}}}

	results := discover(t, s, client(t, n, "alice@Org2MSP"), config, members, endorsers, private, local)
	c := results[0].GetConfigResult()
	for _, mspID := range []string{"Org1MSP", "Org2MSP"} {
		m := c.GetMsps()[mspID]
		if m.GetName() != mspID || len(m.GetRootCerts()) != 1 || string(m.GetTlsRootCerts()[0]) != string(n.TLSRoot(mspID)) || !m.GetFabricNodeOus().GetEnable() {
			t.Errorf("%v", m)
		}
	}
	if want := (&pb.Endpoints{Endpoint: []*pb.Endpoint{{Host: "localhost", Port: 7050}}}); len(c.GetMsps()) != 2 || len(c.GetOrderers()) != 1 || !proto.Equal(c.GetOrderers()["Org1MSP"], want) {
		t.Errorf("%v", c)
	}
	peers := results[1].GetMembers().GetPeersByOrg()
	if got := endpoints(t, peers); got != "Org1MSP=peer0.Org1MSP:7051 Org1MSP=peer1.Org1MSP:7051 Org2MSP=peer0.Org2MSP:7051" {
		t.Errorf("got %s", got)
	}
	height, err := n.Peers()[0].Channel("mychannel").Ledger().Height(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	state := decoded[pb.GossipMessage](t, peers["Org1MSP"].GetPeers()[1].GetStateInfo().GetPayload()).GetStateInfo().GetProperties()
	if want := (&pb.GossipProperties{LedgerHeight: height, Chaincodes: []*pb.GossipChaincode{{Name: "one", Version: "1"}, {Name: "_lifecycle", Version: "1"}}}); !proto.Equal(state, want) {
		t.Errorf("%v", state)
	}
	var got []string
	for _, d := range results[2].GetCcQueryRes().GetContent() {
		got = append(got, d.GetChaincode()+" "+endpoints(t, d.GetEndorsersByGroups()))
	}
	want := []string{
		"asset G0=peer0.Org1MSP:7051 G1=peer0.Org2MSP:7051", "one G0=peer0.Org1MSP:7051 G0=peer1.Org1MSP:7051 G1=peer0.Org2MSP:7051", "one G0=peer0.Org2MSP:7051",
		"_lifecycle G0=peer0.Org1MSP:7051 G0=peer1.Org1MSP:7051 G1=peer0.Org2MSP:7051",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := results[3].GetError().GetContent(); got != `failed constructing descriptor for chaincodes:<name:"asset" collection_names:"secrets" > ` { // two must endorse, and one may see it
		t.Errorf("got %q", got)
	}
	if got := results[4].GetError().GetContent(); got != "access denied" { // she is no administrator
		t.Errorf("got %q", got)
	}
	if got := endpoints(t, discover(t, s, client(t, n, "admin@Org1MSP"), local)[0].GetMembers().GetPeersByOrg()); !strings.HasPrefix(got, "Org1MSP=peer0") {
		t.Errorf("got %s", got)
	}
	for _, who := range []string{"admin@Org2MSP", "alice@Org1MSP"} {
		if got := discover(t, s, client(t, n, who), local)[0].GetError().GetContent(); got != "access denied" {
			t.Errorf("%s: %q", who, got)
		}
	}
	unsigned := marshalled(t, &pb.DiscoveryRequest{Authentication: &pb.DiscoveryAuthInfo{ClientIdentity: client(t, n, "alice").Creator()}, Queries: []*pb.DiscoveryQuery{members}})
	r, err := s.Discover(t.Context(), &pb.SignedDiscoveryRequest{Payload: unsigned, Signature: []byte("no")})
	if err != nil || r.GetResults()[0].GetError().GetContent() != "access denied" {
		t.Errorf("%v, %v", r, err)
	}
}

// Where orderers are is what the channel's configuration says, unless it is known better.
func TestDiscoveredOrderers(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{OrdererAddresses: []string{"orderer.example.com:7050"}})
	config := &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_ConfigQuery{ConfigQuery: &pb.ConfigQuery{}}}
	for want, orderers := range map[string][]string{"orderer.example.com": nil, "127.0.0.1": {"127.0.0.1:1"}} {
		s, err := peer.NewDiscovery(n, n.Peers()[0], peer.DiscoveryConfig{Address: func(string) string { return "" }, Orderers: orderers})
		if err != nil {
			t.Fatal(err)
		}
		got := discover(t, s, client(t, n, "alice"), config)[0].GetConfigResult().GetOrderers()["Org1MSP"].GetEndpoint()
		if len(got) != 1 || got[0].GetHost() != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}
