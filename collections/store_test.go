package collections_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	pb "github.com/ccpeer/ccpeer/proto"
)

// definitions is a simulator that knows collections, and nothing else.
type definitions struct {
	ledger.Simulator
	configs map[string]ledger.CollectionConfig
}

var _ ledger.CollectionConfigs = definitions{}

func (d definitions) GetCollectionConfig(_ context.Context, namespace, collection string) (*ledger.CollectionConfig, error) {
	if c, ok := d.configs[collection]; ok && namespace == "asset" {
		return &c, nil
	}
	if collection == "broken" {
		return nil, errors.New("disk on fire")
	}
	return nil, nil
}

func newMSP(t testing.TB, id string) *identity.MSP {
	t.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return msp
}

func issue(t testing.TB, msp *identity.MSP, ous ...string) *identity.Identity {
	t.Helper()
	id, err := msp.Issue(identity.Config{CommonName: "alice", OUs: append([]string{}, ous...)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// propose makes a proposal of a signer, or of a creator that doesn't sign.
func propose(t testing.TB, who any) *identity.Proposal {
	t.Helper()
	params := identity.ProposalParams{ChannelID: "ch1", Chaincode: "asset"}
	switch who := who.(type) {
	case identity.Signer:
		params.Signer = who
	case []byte:
		params.Creator = who
	}
	p, err := identity.NewProposal(params)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(collection string, signed *pb.SignedProposal, configs ...ledger.CollectionConfig) handler.CollectionRequest {
	d := definitions{configs: map[string]ledger.CollectionConfig{}}
	for _, c := range configs {
		d.configs[c.Name] = c
	}
	return handler.CollectionRequest{
		ChannelID: "ch1", TxID: "tx", Namespace: "asset", Collection: collection, SignedProposal: signed, Simulator: d,
	}
}

// allowed shows a permission, or the error instead of one.
func allowed(t testing.TB, s collections.Store, r handler.CollectionRequest) string {
	t.Helper()
	p, err := s.CollectionPermission(t.Context(), r)
	switch {
	case err != nil && p != (handler.CollectionPermission{}):
		t.Errorf("got both %+v and %v", p, err)
	case err != nil:
		return err.Error()
	case p.Read && p.Write:
		return "read write"
	case p.Read:
		return "read"
	case p.Write:
		return "write"
	}
	return "nothing"
}

func TestRoles(t *testing.T) {
	org1, org2 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP")
	noCertificate, err := proto.Marshal(&pb.SerializedIdentity{Mspid: "Org1MSP", IdBytes: []byte("no PEM")})
	if err != nil {
		t.Fatal(err)
	}
	badCertificate, err := proto.Marshal(&pb.SerializedIdentity{
		Mspid: "Org1MSP", IdBytes: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	whos := []struct {
		name    string
		who     any
		matches string // the roles of Org1MSP
	}{
		{"client", issue(t, org1, "client"), "member client"},
		{"peer", issue(t, org1, "sales", "peer"), "member peer"},
		{"admin", issue(t, org1, "admin", "member"), "member admin"},
		{"orderer", issue(t, org1, "orderer"), "member orderer"},
		{"no OU", issue(t, org1), "member"},
		{"another OU", issue(t, org1, "Client", "ADMIN"), "member"},
		{"two roles", issue(t, org1, "client", "admin"), "member"},
		{"a role twice", issue(t, org1, "admin", "admin"), "member"},
		{"no certificate", noCertificate, "member"},
		{"a bad certificate", badCertificate, "member"},
		{"another MSP's admin", issue(t, org2, "admin"), ""},
	}
	for _, w := range whos {
		signed := propose(t, w.who).Signed
		for _, role := range []string{"member", "client", "peer", "admin", "orderer"} {
			want := "nothing"
			if strings.Contains(w.matches, role) {
				want = "read write"
			}
			c := ledger.CollectionConfig{
				Name: "secrets", Policy: "OR('Org3MSP.member', OR('Org1MSP." + role + "'))", MemberOnlyRead: true, MemberOnlyWrite: true,
			}
			if got := allowed(t, collections.Store{}, request("secrets", signed, c)); got != want {
				t.Errorf("%s, %s: %s, want %s", w.name, c.Policy, got, want)
			}
		}
	}
}

func TestMemberOnly(t *testing.T) {
	org1, org2 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP")
	member, stranger := propose(t, issue(t, org1, "client")).Signed, propose(t, issue(t, org2, "client")).Signed
	const nobody = "collection ch1/asset/secrets: it is for its members, and the transaction has no signed proposal that says who asks"
	for _, test := range []struct {
		onlyRead, onlyWrite     bool
		stranger, none, garbled string
	}{
		{false, false, "read write", "read write", "read write"},
		{true, false, "write", nobody, "collection ch1/asset/secrets: parse proposal: decode Proposal: "},
		{false, true, "read", nobody, "collection ch1/asset/secrets: parse proposal: decode Proposal: "},
		{true, true, "nothing", nobody, "collection ch1/asset/secrets: parse proposal: decode Proposal: "},
	} {
		c := ledger.CollectionConfig{
			Name: "secrets", Policy: "OR('Org1MSP.member')", MemberOnlyRead: test.onlyRead, MemberOnlyWrite: test.onlyWrite,
		}
		for _, who := range []struct {
			signed *pb.SignedProposal
			want   string
		}{{member, "read write"}, {stranger, test.stranger}, {nil, test.none}, {&pb.SignedProposal{ProposalBytes: []byte{0xff}}, test.garbled}} {
			if got := allowed(t, collections.Store{}, request("secrets", who.signed, c)); !strings.HasPrefix(got, who.want) {
				t.Errorf("%+v: %s, want %s", c, got, who.want)
			}
		}
	}
}

func TestDefinitions(t *testing.T) {
	signed := propose(t, issue(t, newMSP(t, "Org1MSP"), "client")).Signed
	and := ledger.CollectionConfig{Name: "and", Policy: "AND('A.member', 'B.member')", MemberOnlyRead: true}
	for collection, want := range map[string]string{
		"and": "collection ch1/asset/and: parse policy: signature policy is not an OR concatenation, NOutOf 2",
		"x":   "collection ch1/asset/x could not be found", "broken": "read definition of collection ch1/asset/broken: disk on fire",
		"_implicit_org_Org1MSP": "read write", "_implicit_org_NobodyMSP": "read write",
		"_implicit_org_": "collection ch1/asset/_implicit_org_ could not be found",
	} {
		if got := allowed(t, collections.Store{}, request(collection, signed, and)); got != want {
			t.Errorf("%s: %s, want %s", collection, got, want)
		}
	}
	r := request("and", signed, and)
	r.Namespace = "another"
	if got, want := allowed(t, collections.Store{}, r), "collection ch1/another/and could not be found"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, sim := range []ledger.Simulator{nil, definitions{}.Simulator, struct{ ledger.Simulator }{r.Simulator}} { // the last one hides what it wraps
		r.Simulator = sim
		want := "collection ch1/another/and could not be found: this peer's ledger has no definitions of collections"
		if got := allowed(t, collections.Store{}, r); got != want {
			t.Errorf("%T: %s, want %s", sim, got, want)
		}
	}
}

func TestImplicitCollectionsOfMembers(t *testing.T) {
	s := collections.Store{MSPIDs: func(channelID string) []string {
		return map[string][]string{"ch1": {"Org1MSP", "Org2MSP"}}[channelID]
	}}
	for collection, want := range map[string]string{
		"_implicit_org_Org2MSP": "read write",
		"_implicit_org_Org3MSP": "collection ch1/asset/_implicit_org_Org3MSP could not be found",
		"_implicit_org_":        "collection ch1/asset/_implicit_org_ could not be found",
	} {
		if got := allowed(t, s, request(collection, nil)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	r := request("_implicit_org_Org1MSP", nil)
	r.ChannelID = "ch2"
	if got, want := allowed(t, s, r), "collection ch2/asset/_implicit_org_Org1MSP could not be found"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	org1 := newMSP(t, "Org1MSP")
	verifier, err := identity.NewVerifier(org1.Organization())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s := collections.Store{Verify: func(ctx context.Context, channelID string, p *identity.ParsedProposal) error {
		if asked++; channelID != "ch1" || ctx.Err() != nil {
			t.Errorf("asked about channel %q, %v", channelID, ctx.Err())
		}
		_, err := p.Verify(verifier, time.Now())
		return err
	}}
	secrets := ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')", MemberOnlyRead: true}
	open := ledger.CollectionConfig{Name: "open", Policy: "OR('Org1MSP.member')"}
	impostor := propose(t, issue(t, newMSP(t, "Org1MSP"), "client")).Signed // of a CA with the same name
	unsigned := propose(t, issue(t, org1, "client").Creator()).Signed
	for _, test := range []struct {
		name, collection, want string
		signed                 *pb.SignedProposal
		asked                  int
	}{
		{"member", "secrets", "read write", propose(t, issue(t, org1, "client")).Signed, 1},
		{"impostor", "secrets", "collection ch1/asset/secrets: verify proposal: identity of MSP Org1MSP: check certificate: x509: ", impostor, 1},
		{"unsigned", "secrets", "collection ch1/asset/secrets: verify proposal: decode signature", unsigned, 1},
		{"for everyone", "open", "read write", impostor, 0},
		{"implicit", "_implicit_org_Org1MSP", "read write", impostor, 0},
	} {
		asked = 0
		if got := allowed(t, s, request(test.collection, test.signed, secrets, open)); !strings.HasPrefix(got, test.want) || asked != test.asked {
			t.Errorf("%s: %s, asked %d times, want %s and %d", test.name, got, asked, test.want, test.asked)
		}
	}
	// Who doesn't verify believes.
	if got := allowed(t, collections.Store{}, request("secrets", impostor, secrets)); got != "read write" {
		t.Errorf("without Verify: %s", got)
	}
	garbled := propose(t, []byte{0xff}).Signed // as a creator
	if got, want := allowed(t, collections.Store{}, request("secrets", garbled, secrets)), "collection ch1/asset/secrets: decode creator: "; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}
