package discovery_test

import (
	"testing"

	pb "github.com/ccpeer/ccpeer/proto"
)

// An error has the interest as golang/protobuf writes it, with everything in it. The texts were made by that library, of Fabric's messages.
func TestInterestInErrors(t *testing.T) {
	w := newWorld(t, "A")
	everything := &pb.ChaincodeCall{
		Name: "a \"quoted\"\n\\ näme", CollectionNames: []string{"c1", "c2"}, NoPrivateReads: true, NoPublicWrites: true, DisregardNamespacePolicy: true,
		KeyPolicies: []*pb.SignaturePolicyEnvelope{{
			Version: 1, Rule: &pb.SignaturePolicy{Type: &pb.SignaturePolicy_NOutOf_{NOutOf: &pb.SignaturePolicy_NOutOf{
				N: 1, Rules: []*pb.SignaturePolicy{{Type: &pb.SignaturePolicy_SignedBy{SignedBy: 0}}, {}},
			}}},
			Identities: []*pb.MSPPrincipal{{PrincipalClassification: pb.MSPPrincipal_IDENTITY, Principal: []byte{0, 'x', 255}}, {PrincipalClassification: 77}},
		}},
	}
	want := `failed constructing descriptor for chaincodes:<name:"a \"quoted\"\n\\ n\303\244me" collection_names:"c1" collection_names:"c2" no_private_reads:true ` +
		`no_public_writes:true key_policies:<version:1 rule:<n_out_of:<n:1 rules:<signed_by:0 > rules:<> > > ` +
		`identities:<principal_classification:IDENTITY principal:"\000x\377" > identities:<principal_classification:77 > > disregard_namespace_policy:true > chaincodes:<name:"b" > `
	if got := w.discover(endorsers(everything, calls("b"))).GetError().GetContent(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
