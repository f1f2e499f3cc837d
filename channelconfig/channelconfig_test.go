package channelconfig_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/channelconfig"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMSP(t testing.TB, id string) *identity.MSP {
	t.Helper()
	m, err := identity.NewMSP(identity.MSPConfig{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// member makes a member of an organization with a role.
func member(t testing.TB, m *identity.MSP, role identity.Role) *identity.Verified {
	t.Helper()
	id, err := m.Issue(identity.Config{CommonName: string(role), OUs: []string{string(role)}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := identity.NewVerifier(m.Organization())
	if err != nil {
		t.Fatal(err)
	}
	who, err := v.Identify(id.Creator())
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// full is a channel that says everything.
func full(t testing.TB) channelconfig.Channel {
	t.Helper()
	org1, org2, orderer := newMSP(t, "Org1MSP").Organization(), newMSP(t, "Org2MSP").Organization(), newMSP(t, "OrdererMSP").Organization()
	org1.TLSRoots, org1.Admins = org2.Roots, org2.Roots
	org2.NodeOUs, org2.OUs = nil, []identity.OU{{Name: "unit", Certifier: org2.Roots[0]}}
	own, err := policies.Parse("OutOf(2, 'Org1MSP.peer', 'Org2MSP.member', 'OrdererMSP.admin')")
	if err != nil {
		t.Fatal(err)
	}
	return channelconfig.Channel{
		Sequence: 7, Addresses: []string{"old.example.com:7050"}, Capabilities: []string{"V2_0", "V3_0"}, Policies: channelconfig.Policies{"Readers": {Rule: policies.AllRule, Of: "Readers"}},
		Application: channelconfig.Application{
			Organizations: []channelconfig.Organization{
				{Name: "one", MSP: org1, AnchorPeers: []string{"peer0.example.com:7051", "[::1]:65535"}, Policies: channelconfig.MemberPolicies("Org1MSP")},
				{Name: "two", MSP: org2, Policies: channelconfig.Policies{"Own": {Signature: own}}},
			},
			ACLs: map[string]string{"event/Block": "/Channel/Application/Admins"}, Capabilities: []string{"V2_5"},
			Policies: channelconfig.Policies{"Writers": {Rule: policies.MajorityRule, Of: "Own"}},
		},
		Orderer: channelconfig.Orderer{
			Organizations: []channelconfig.Organization{
				{Name: "orderer", MSP: orderer, Endpoints: []string{"orderer.example.com:7050"}, Policies: channelconfig.Policies{}},
				{Name: "too", MSP: org1, Policies: channelconfig.Policies{}},
			},
			Consensus: "etcdraft", ConsensusMetadata: []byte("metadata"), Capabilities: []string{}, Policies: channelconfig.Policies{},
			Batch: channelconfig.Batch{MaxMessageCount: 1, AbsoluteMaxBytes: 2000, PreferredMaxBytes: 1000, Timeout: 1500 * time.Millisecond},
		},
	}
}

// What was written is read, and written again as the same bytes.
func TestWriteAndRead(t *testing.T) {
	want := full(t)
	var before []byte
	for range 10 { // maps are in another order each time
		config, err := want.Config()
		if err != nil {
			t.Fatal(err)
		}
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(b, before) {
			t.Fatal("the bytes are others each time")
		}
		before = b
	}
	var config pb.Config
	if err := proto.Unmarshal(before, &config); err != nil {
		t.Fatal(err)
	}
	got, err := channelconfig.Read(&config)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got\n%+v, want\n%+v", *got, want)
	}
	var ids []string
	for _, o := range got.Members() {
		ids = append(ids, o.MSPID)
	}
	if !slices.Equal(ids, []string{"Org1MSP", "Org2MSP", "OrdererMSP"}) {
		t.Errorf("members are %v", ids)
	}
	if a := got.OrdererAddresses(); !slices.Equal(a, []string{"orderer.example.com:7050"}) {
		t.Errorf("orderers are at %v", a)
	}
	got.Orderer.Organizations[0].Endpoints = nil
	if a := got.OrdererAddresses(); !slices.Equal(a, []string{"old.example.com:7050"}) {
		t.Errorf("without those of organizations, orderers are at %v", a)
	}
}

// A first block has the configuration, and is followed by other blocks.
func TestGenesis(t *testing.T) {
	b, err := channelconfig.Channel{Application: channelconfig.Application{
		Organizations: []channelconfig.Organization{{MSP: newMSP(t, "Org1MSP").Organization()}},
	}}.Genesis("mychannel")
	if err != nil {
		t.Fatal(err)
	}
	if err := block.Check(b, 0, nil); err != nil {
		t.Error(err)
	}
	config, err := channelconfig.FromBlock(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := channelconfig.Read(config)
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Application.Organizations; len(o) != 1 || o[0].Name != "Org1MSP" || o[0].MSP.MSPID != "Org1MSP" {
		t.Errorf("organizations are %+v", o)
	}
	if want := (channelconfig.Batch{MaxMessageCount: 500, AbsoluteMaxBytes: 10 << 20, PreferredMaxBytes: 2 << 20, Timeout: 2 * time.Second}); c.Orderer.Batch != want {
		t.Errorf("batch is %+v", c.Orderer.Batch)
	}
	for _, other := range []*pb.Block{{}, {Data: &pb.BlockData{Data: [][]byte{nil}}}, {Data: &pb.BlockData{Data: append(b.Data.Data, b.Data.Data...)}}} {
		if _, err := channelconfig.FromBlock(other); !errors.Is(err, channelconfig.ErrNoConfig) {
			t.Errorf("%v", err)
		}
	}
}

// The policies of a channel that says nothing of them are those of Fabric's test network.
func TestDefaultPolicies(t *testing.T) {
	org1, org2 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP")
	c := channelconfig.Channel{
		Application: channelconfig.Application{Organizations: []channelconfig.Organization{{MSP: org1.Organization()}, {MSP: org2.Organization()}}},
		Orderer:     channelconfig.Orderer{Organizations: []channelconfig.Organization{{MSP: org2.Organization()}}},
	}
	peer1, peer2, client1, admin1, admin2 := member(t, org1, identity.Peer), member(t, org2, identity.Peer), member(t, org1, identity.Client), member(t, org1, identity.Admin), member(t, org2, identity.Admin)
	for _, test := range []struct {
		path    string
		signers []*identity.Verified
		want    string // "" is that they are enough
	}{
		{"/Channel/Application/Readers", []*identity.Verified{client1}, ""},
		{"/Channel/Application/Readers", nil, "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Readers' sub-policies to be satisfied"},
		{"/Channel/Application/Writers", []*identity.Verified{peer1}, "requires 1 of the 'Writers'"},
		{"/Channel/Application/Org1MSP/Writers", []*identity.Verified{client1}, ""},
		{"/Channel/Application/Endorsement", []*identity.Verified{peer1}, "requires 2 of the 'Endorsement'"},
		{"/Channel/Application/Endorsement", []*identity.Verified{peer1, peer2}, ""},
		{"/Channel/Application/LifecycleEndorsement", []*identity.Verified{peer1, peer2}, ""},
		{"/Channel/Orderer/BlockValidation", []*identity.Verified{peer2}, ""},
		{"/Channel/Orderer/BlockValidation", []*identity.Verified{peer1}, "requires 1 of the 'Writers'"},
		{"/Channel/Admins", []*identity.Verified{admin1}, "requires 2 of the 'Admins'"},
		{"/Channel/Admins", []*identity.Verified{admin1, admin2}, ""},
		{"/Channel/Readers", []*identity.Verified{client1}, ""},
		{"/Channel/Application/Nothing", nil, "no such policy: '/Channel/Application/Nothing'"},
		{"/Channel/Nothing/Readers", nil, "no such policy: '/Channel/Nothing/Readers'"},
		{"Readers", nil, "no such policy: 'Readers'"},
	} {
		p, err := c.Policy(test.path)
		if err == nil {
			err = p.Evaluate(test.signers)
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.path, err, test.want)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	org1 := channelconfig.Organization{MSP: newMSP(t, "Org1MSP").Organization()}
	for want, c := range map[string]channelconfig.Channel{
		`organization "Org1MSP" is there twice`:          {Application: channelconfig.Application{Organizations: []channelconfig.Organization{org1, org1}}},
		`organization "" is there twice, or has no name`: {Application: channelconfig.Application{Organizations: []channelconfig.Organization{{}}}},
		"anchor peer: take address apart":                {Application: channelconfig.Application{Organizations: []channelconfig.Organization{{Name: "a", AnchorPeers: []string{"a"}}}}},
		"port of a:65536":                                {Application: channelconfig.Application{Organizations: []channelconfig.Organization{{Name: "a", AnchorPeers: []string{"a:65536"}}}}},
		`policy "P": rule "SOME" is unknown`:             {Policies: channelconfig.Policies{"P": {Rule: "SOME"}}},
		"want nothing but positive numbers":              {Orderer: channelconfig.Orderer{Batch: channelconfig.Batch{Timeout: -1}}},
		"batch has 2 preferred bytes":                    {Orderer: channelconfig.Orderer{Batch: channelconfig.Batch{AbsoluteMaxBytes: 1, PreferredMaxBytes: 2}}},
	} {
		if _, err := c.Config(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if _, err := c.Genesis("mychannel"); err == nil {
			t.Errorf("there is a first block in spite of %s", want)
		}
	}
}

// spoilt returns a good configuration after something was done to it.
func spoilt(t testing.TB, spoil func(root *pb.ConfigGroup)) *pb.Config {
	t.Helper()
	config, err := full(t).Config()
	if err != nil {
		t.Fatal(err)
	}
	spoil(config.ChannelGroup)
	return config
}

func TestReadRefuses(t *testing.T) {
	marshalled := func(m proto.Message) *pb.ConfigValue {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return &pb.ConfigValue{Value: b}
	}
	msp := func(kind int32, m *pb.FabricMSPConfig) *pb.ConfigValue {
		return marshalled(&pb.MSPConfig{Type: kind, Config: marshalled(m).Value})
	}
	one := func(root *pb.ConfigGroup) *pb.ConfigGroup { return root.Groups["Application"].Groups["one"] }
	for want, spoil := range map[string]func(root *pb.ConfigGroup){
		`hashing algorithm is "MD5"`:                 func(g *pb.ConfigGroup) { g.Values["HashingAlgorithm"] = marshalled(&pb.HashingAlgorithm{Name: "MD5"}) },
		"the width of hashing is 0":                  func(g *pb.ConfigGroup) { delete(g.Values, "BlockDataHashingStructure") },
		"decode value OrdererAddresses":              func(g *pb.ConfigGroup) { g.Values["OrdererAddresses"].Value = []byte{1} },
		`there is a group "Consortiums"`:             func(g *pb.ConfigGroup) { g.Groups["Consortiums"] = &pb.ConfigGroup{} },
		`policy "Readers": policy type 0 is unknown`: func(g *pb.ConfigGroup) { g.Policies["Readers"].Policy = nil },
		"decode SignaturePolicyEnvelope":             func(g *pb.ConfigGroup) { g.Policies["Readers"].Policy = &pb.Policy{Type: 1, Value: []byte{1}} },
		"decode ImplicitMetaPolicy":                  func(g *pb.ConfigGroup) { g.Policies["Readers"].Policy = &pb.Policy{Type: 3, Value: []byte{1}} },
		"rule 9 is unknown":                          func(g *pb.ConfigGroup) { g.Policies["Readers"].Policy = &pb.Policy{Type: 3, Value: []byte{16, 9}} },
		"batch timeout":                              func(g *pb.ConfigGroup) { delete(g.Groups["Orderer"].Values, "BatchTimeout") },
		"nothing but positive numbers":               func(g *pb.ConfigGroup) { delete(g.Groups["Orderer"].Values, "BatchSize") },
		"it has 1 groups below it":                   func(g *pb.ConfigGroup) { one(g).Groups = map[string]*pb.ConfigGroup{"a": {}} },
		`organization "one": its MSP has no ID`:      func(g *pb.ConfigGroup) { delete(one(g).Values, "MSP") },
		"decode MSPConfig":                           func(g *pb.ConfigGroup) { one(g).Values["MSP"].Value = []byte{1} },
		"decode FabricMSPConfig":                     func(g *pb.ConfigGroup) { one(g).Values["MSP"] = marshalled(&pb.MSPConfig{Config: []byte{1}}) },
		`MSP "a" has no root certificate`:            func(g *pb.ConfigGroup) { one(g).Values["MSP"] = msp(0, &pb.FabricMSPConfig{Name: "a"}) },
		"certificate is not PEM": func(g *pb.ConfigGroup) {
			one(g).Values["MSP"] = msp(0, &pb.FabricMSPConfig{Name: "a", RootCerts: [][]byte{nil}})
		},
		"parse revocation list": func(g *pb.ConfigGroup) {
			one(g).Values["MSP"] = msp(0, &pb.FabricMSPConfig{Name: "a", RevocationList: [][]byte{nil}})
		},
		`unit "u": certificate is not PEM`: func(g *pb.ConfigGroup) {
			one(g).Values["MSP"] = msp(0, &pb.FabricMSPConfig{Name: "a", FabricNodeOus: &pb.FabricNodeOUs{
				Enable: true, ClientOuIdentifier: &pb.FabricOUIdentifier{OrganizationalUnitIdentifier: "u", Certificate: []byte("x")},
			}})
		},
		"attempted to define two different versions of MSP: Org1MSP": func(g *pb.ConfigGroup) {
			other := channelconfig.MSP(newMSP(t, "Org1MSP").Organization())
			one(g).Values["MSP"] = msp(0, other)
		},
	} {
		if _, err := channelconfig.Read(spoilt(t, spoil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, empty := range []*pb.Config{nil, {}} {
		if _, err := channelconfig.Read(empty); err == nil || !strings.Contains(err.Error(), "there is no channel group") {
			t.Errorf("%v", err)
		}
	}
	other := spoilt(t, func(g *pb.ConfigGroup) { one(g).Values["MSP"] = msp(1, &pb.FabricMSPConfig{Name: "IdemixMSP"}) })
	c, err := channelconfig.Read(other)
	if err != nil || c.Application.Organizations[0].MSP.MSPID != "IdemixMSP" || len(c.Members()) != 3 {
		t.Errorf("an MSP of another type: %v", err)
	}
}

// A policy that isn't fully named is the application's, as Fabric has it.
func TestACLs(t *testing.T) {
	c := full(t)
	c.Application.ACLs = map[string]string{"qscc/GetChainInfo": "Admins", "nothing": ""}
	config, err := c.Config()
	if err != nil {
		t.Fatal(err)
	}
	got, err := channelconfig.Read(config)
	if err != nil || !reflect.DeepEqual(got.Application.ACLs, map[string]string{"qscc/GetChainInfo": "/Channel/Application/Admins"}) {
		t.Errorf("%v, %v", got, err)
	}
}

// Whatever is a block has a configuration that can be read, or has none.
func FuzzFromBlock(f *testing.F) {
	b, err := full(f).Genesis("mychannel")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Data.Data[0])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, envelope []byte) {
		config, err := channelconfig.FromBlock(&pb.Block{Data: &pb.BlockData{Data: [][]byte{envelope}}})
		if (config.GetChannelGroup() == nil) != (err != nil) {
			t.Errorf("%v, %v", config, err)
		}
	})
}

// Whatever is a configuration can be read or is refused, and what was read can be written.
func FuzzRead(f *testing.F) {
	config, err := full(f).Config()
	if err != nil {
		f.Fatal(err)
	}
	b, err := proto.Marshal(&pb.ConfigEnvelope{Config: config})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		config, err := channelconfig.Unmarshal(b)
		if err != nil {
			return
		}
		c, err := channelconfig.Read(config)
		if err != nil {
			return
		}
		for _, path := range []string{"/Channel/Readers", "/Channel/Application/Endorsement"} {
			if p, err := c.Policy(path); err == nil {
				_ = p.Evaluate(nil) // anything, but no panic
			}
		}
		again, err := c.Config()
		if err != nil {
			return // what Fabric takes for an address, say
		}
		if _, err := channelconfig.Read(again); err != nil {
			t.Errorf("read again: %v", err)
		}
	})
}
