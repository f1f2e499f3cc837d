package discovery_test

import (
	"context"
	"fmt"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/discovery"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// market is a channel of two organizations with a peer each.
type market struct {
	verifier *identity.Verifier
	peers    []discovery.Peer
}

func (m *market) Verifier() *identity.Verifier                    { return m.verifier }
func (m *market) Peers(context.Context) ([]discovery.Peer, error) { return m.peers, nil }
func (m *market) Configuration(context.Context) (*pb.ConfigResult, error) {
	return &pb.ConfigResult{}, nil
}
func (m *market) Chaincode(_ context.Context, name string) (*discovery.Chaincode, error) {
	p, err := policies.Parse("AND('Seller.peer', 'Buyer.peer')")
	return &discovery.Chaincode{Name: name, Version: "1", Endorsement: p}, err
}

// Who must endorse a transaction is asked by what it has to do with.
func Example() {
	m := new(market)
	var organizations []identity.Organization
	for _, id := range []string{"Seller", "Buyer"} {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
		if err != nil {
			fmt.Println(err)
			return
		}
		peer, err := msp.Issue(identity.Config{CommonName: "peer0", OUs: []string{"peer"}})
		if err != nil {
			fmt.Println(err)
			return
		}
		organizations = append(organizations, msp.Organization())
		m.peers = append(m.peers, discovery.Peer{Identity: peer.Creator(), Endpoint: id + ":7051", Chaincodes: []discovery.Installed{{Name: "asset", Version: "1"}}})
	}
	m.verifier, _ = identity.NewVerifier(organizations...)
	s, err := discovery.New(discovery.Config{
		Channel: func(string) discovery.Channel { return m },
		Access:  acl.CheckerFunc(func(context.Context, acl.Request) error { return nil }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := s.Descriptor(context.Background(), "market", &pb.ChaincodeInterest{Chaincodes: []*pb.ChaincodeCall{{Name: "asset"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range d.GetLayouts() {
		fmt.Println(len(l.GetQuantitiesByGroup()), "groups, of which the first has", len(d.GetEndorsersByGroups()["G0"].GetPeers()), "peer")
	}
	// Output: 2 groups, of which the first has 1 peer
}
