package discovery_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/peer/discovery"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Whatever is sent, there is a result for each query, or an error.
func FuzzDiscover(f *testing.F) {
	w := newWorld(f, "A", "B")
	w.add("peer0.A", "asset")
	w.add("peer0.B", "asset")
	w.define("asset", "OutOf(1, 'A.peer', 'B.peer')", discovery.Collection{Name: "secrets", Members: parse(f, "OR('A.member', 'B.member')")})
	e, err := parse(f, "AND('A.peer', OutOf(1, 'B.peer', 'A.member'))").Envelope()
	if err != nil {
		f.Fatal(err)
	}
	keys := calls("asset", "secrets", "_implicit_org_A")
	keys.KeyPolicies = []*pb.SignaturePolicyEnvelope{e, e}
	for _, q := range []*pb.DiscoveryQuery{config(), local(), peersFor(), peersFor(calls("asset", "secrets")), endorsers(calls("asset")), endorsers(keys, calls("none"))} {
		f.Add(w.sign(q).GetPayload())
	}
	s := w.service()
	f.Fuzz(func(t *testing.T, payload []byte) {
		w.t, w.asked = t, nil
		var want pb.DiscoveryRequest
		decodes := proto.Unmarshal(payload, &want) == nil
		r, err := s.Discover(t.Context(), &pb.SignedDiscoveryRequest{Payload: payload})
		if err == nil && (!decodes || len(r.GetResults()) != len(want.GetQueries())) {
			t.Fatalf("%v to %v", r, &want)
		}
		for i, one := range r.GetResults() {
			if one.GetResult() == nil {
				t.Errorf("query %d has an empty result", i)
			}
			for _, d := range one.GetCcQueryRes().GetContent() {
				for _, l := range d.GetLayouts() {
					for g, quantity := range l.GetQuantitiesByGroup() {
						if quantity == 0 || uint32(len(d.GetEndorsersByGroups()[g].GetPeers())) < quantity {
							t.Errorf("layout %v can't be filled", l)
						}
					}
				}
			}
		}
		if _, err := proto.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
