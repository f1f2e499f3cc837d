package discovery_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/discovery"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a channel with peers, and everything that a service asks for.
type world struct {
	t          testing.TB
	msps       map[string]*identity.MSP
	verifier   *identity.Verifier
	peers      []discovery.Peer
	chaincodes map[string]*discovery.Chaincode
	refuse     func(acl.Request) error
	asked      []acl.Request
	broken     error
	alice      *identity.Identity
}

var _ discovery.Channel = (*world)(nil)

func newWorld(t testing.TB, mspIDs ...string) *world {
	t.Helper()
	w := &world{t: t, msps: map[string]*identity.MSP{}, chaincodes: map[string]*discovery.Chaincode{}, refuse: func(acl.Request) error { return nil }}
	var all []identity.Organization
	for _, id := range mspIDs {
		msp, err := identity.NewMSP(identity.MSPConfig{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		w.msps[id], all = msp, append(all, msp.Organization())
	}
	var err error
	if w.verifier, err = identity.NewVerifier(all...); err != nil {
		t.Fatal(err)
	}
	w.alice = w.issue(mspIDs[0], "alice", "client")
	return w
}

func (w *world) issue(mspID, name, unit string) *identity.Identity {
	w.t.Helper()
	id, err := w.msps[mspID].Issue(identity.Config{CommonName: name, OUs: []string{unit}})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// add adds a peer, whose name is like peer0.Org1MSP. It runs chaincodes in their first version.
func (w *world) add(name string, chaincodes ...string) {
	w.t.Helper()
	_, mspID, _ := strings.Cut(name, ".")
	p := discovery.Peer{Identity: w.issue(mspID, name, "peer").Creator(), Endpoint: name + ":7051", Height: 5}
	for _, c := range chaincodes {
		p.Chaincodes = append(p.Chaincodes, discovery.Installed{Name: c, Version: "1"})
	}
	w.peers = append(w.peers, p)
}

// define defines a chaincode.
func (w *world) define(name, policy string, collections ...discovery.Collection) {
	w.t.Helper()
	w.chaincodes[name] = &discovery.Chaincode{Name: name, Version: "1", Endorsement: parse(w.t, policy), Collections: collections}
}

func parse(t testing.TB, policy string) policies.Signature {
	t.Helper()
	p, err := policies.Parse(policy)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) Verifier() *identity.Verifier                    { return w.verifier }
func (w *world) Peers(context.Context) ([]discovery.Peer, error) { return w.peers, w.broken }
func (w *world) Configuration(context.Context) (*pb.ConfigResult, error) {
	return &pb.ConfigResult{Orderers: map[string]*pb.Endpoints{"Org1MSP": discovery.Endpoints("localhost:7050")}}, w.broken
}
func (w *world) Chaincode(_ context.Context, name string) (*discovery.Chaincode, error) {
	return w.chaincodes[name], nil
}

func (w *world) config() discovery.Config {
	return discovery.Config{
		Channel: func(id string) discovery.Channel {
			if id != "mychannel" {
				return nil
			}
			return w
		},
		Peers: func(context.Context) ([]discovery.Peer, error) { return w.peers, w.broken },
		Access: acl.CheckerFunc(func(_ context.Context, r acl.Request) error {
			w.asked = append(w.asked, r)
			return w.refuse(r)
		}),
	}
}

func (w *world) service() *discovery.Service {
	w.t.Helper()
	s, err := discovery.New(w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// sign makes a request of alice's.
func (w *world) sign(queries ...*pb.DiscoveryQuery) *pb.SignedDiscoveryRequest {
	w.t.Helper()
	return w.signed(&pb.DiscoveryRequest{Authentication: &pb.DiscoveryAuthInfo{ClientIdentity: w.alice.Creator()}, Queries: queries})
}

func (w *world) signed(r *pb.DiscoveryRequest) *pb.SignedDiscoveryRequest {
	w.t.Helper()
	b, err := proto.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	signature, err := w.alice.Sign(b)
	if err != nil {
		w.t.Fatal(err)
	}
	return &pb.SignedDiscoveryRequest{Payload: b, Signature: signature}
}

// discover returns a query's result.
func (w *world) discover(q *pb.DiscoveryQuery) *pb.DiscoveryResult {
	w.t.Helper()
	r, err := w.service().Discover(w.t.Context(), w.sign(q))
	if err != nil || len(r.GetResults()) != 1 {
		w.t.Fatalf("%v, %v", r, err)
	}
	return r.GetResults()[0]
}

// The queries of a channel.
func config() *pb.DiscoveryQuery {
	return &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_ConfigQuery{ConfigQuery: &pb.ConfigQuery{}}}
}

func peersFor(calls ...*pb.ChaincodeCall) *pb.DiscoveryQuery {
	q := &pb.PeerMembershipQuery{}
	if calls != nil {
		q.Filter = &pb.ChaincodeInterest{Chaincodes: calls}
	}
	return &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_PeerQuery{PeerQuery: q}}
}

func endorsers(calls ...*pb.ChaincodeCall) *pb.DiscoveryQuery {
	return &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_CcQuery{CcQuery: &pb.ChaincodeQuery{
		Interests: []*pb.ChaincodeInterest{{Chaincodes: calls}},
	}}}
}

func local() *pb.DiscoveryQuery {
	return &pb.DiscoveryQuery{Query: &pb.DiscoveryQuery_LocalPeers{LocalPeers: &pb.LocalPeerQuery{}}}
}

func calls(name string, collections ...string) *pb.ChaincodeCall {
	return &pb.ChaincodeCall{Name: name, CollectionNames: collections}
}

// interests asks for the same endorsers again and again.
func interests(n int) *pb.DiscoveryQuery {
	q := endorsers(calls("asset"))
	for all := &q.GetCcQuery().Interests; len(*all) < n; {
		*all = append(*all, (*all)[0])
	}
	return q
}

// A request that isn't one gets an error, with the texts of discovery/service.go. F211: so does one that is too large.
func TestForm(t *testing.T) {
	w := newWorld(t, "Org1MSP")
	hash := []byte("0123456789abcdef0123456789abcdef")
	connected := hash
	for _, c := range []struct {
		name    string
		request *pb.SignedDiscoveryRequest
		change  func(*discovery.Config)
		want    string
	}{
		{name: "none", want: "nil request"},
		{name: "garbage", request: &pb.SignedDiscoveryRequest{Payload: []byte("garbage")}, want: "failed parsing request: proto:"},
		{name: "empty", request: &pb.SignedDiscoveryRequest{}, want: "access denied, no authentication info in request"},
		{name: "nobody", request: w.signed(&pb.DiscoveryRequest{Authentication: &pb.DiscoveryAuthInfo{}}), want: "access denied, client identity wasn't supplied"},
		{name: "large", request: &pb.SignedDiscoveryRequest{Payload: make([]byte, 11)}, change: func(c *discovery.Config) { c.MaxBytes = 10 }, want: "request has 11 bytes, and may have 10"},
		{name: "many", request: w.sign(config(), config()), change: func(c *discovery.Config) { c.MaxQueries = 1 }, want: "request has 2 queries, and may have 1"},
		{name: "many interests", request: w.sign(config(), interests(100)), want: "request has 101 queries, and may have 100"},
		{name: "no certificate", request: w.sign(), change: func(*discovery.Config) { connected = nil }, want: "client didn't send a TLS certificate"},
		{name: "no hash", request: w.sign(), change: func(*discovery.Config) { connected = hash }, want: "client claimed TLS hash doesn't match computed TLS hash from gRPC stream"},
		{name: "right hash", request: w.signed(&pb.DiscoveryRequest{Authentication: &pb.DiscoveryAuthInfo{ClientIdentity: w.alice.Creator(), ClientTlsCertHash: hash}})},
	} {
		cfg := w.config()
		cfg.TLSCertHash = func(context.Context) []byte { return connected }
		if c.change != nil {
			c.change(&cfg)
		}
		s, err := discovery.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Discover(t.Context(), c.request)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	if len(w.asked) > 0 {
		t.Errorf("asked for %+v", w.asked)
	}
}

// What is wrong with a query is told in its result. The texts are Fabric's.
func TestQueriesThatFail(t *testing.T) {
	w := newWorld(t, "Org1MSP", "Org2MSP")
	w.add("peer0.Org1MSP", "asset", "old")
	w.add("peer0.Org2MSP")
	w.define("asset", "OR('Org1MSP.peer')", discovery.Collection{Name: "secrets", Members: parse(t, "OR('Org1MSP.member')")})
	w.define("both", "AND('Org1MSP.peer', 'Org2MSP.peer')")
	w.define("admins", "OR('Org1MSP.admin')")
	w.define("old", "OR('Org1MSP.peer')")
	w.chaincodes["old"].Version = "2"
	w.chaincodes["nobody"] = &discovery.Chaincode{Name: "nobody", Version: "1", Endorsement: policies.OutOf(0, policies.SignedBy(identity.Principal{MSPID: "Org1MSP", Role: identity.Peer}))}
	of := func(channelID string, q *pb.DiscoveryQuery) *pb.DiscoveryQuery {
		q.Channel = channelID
		return q
	}
	empty := func(interests ...*pb.ChaincodeInterest) *pb.DiscoveryQuery {
		return &pb.DiscoveryQuery{Channel: "mychannel", Query: &pb.DiscoveryQuery_CcQuery{CcQuery: &pb.ChaincodeQuery{Interests: interests}}}
	}
	disregarding := calls("asset")
	disregarding.DisregardNamespacePolicy = true
	for _, c := range []struct {
		query      *pb.DiscoveryQuery
		want, text string // text is the error of Descriptor, if that has another one
	}{
		{query: of("nochannel", config()), want: "access denied"},
		{query: of("", config()), want: "unknown or missing request type"},
		{query: of("", peersFor()), want: "unknown or missing request type"},
		{query: of("mychannel", local()), want: "unknown or missing request type"},
		{query: &pb.DiscoveryQuery{Channel: "mychannel"}, want: "unknown or missing request type"},
		{query: &pb.DiscoveryQuery{}, want: "unknown or missing request type"},
		{query: empty(), want: "chaincode query must have at least one chaincode interest"},
		{query: empty(&pb.ChaincodeInterest{}), want: "chaincode interest must contain at least one chaincode"},
		{query: endorsers(calls("asset"), calls("")), want: "chaincode name in interest cannot be empty"},
		{query: peersFor(calls("none")), want: "No metadata was found for chaincode none in channel mychannel"},
		{query: peersFor(calls("asset", "other")), want: "collection other doesn't exist in collection config for chaincode asset"},
		{query: endorsers(calls("none")), want: `failed constructing descriptor for chaincodes:<name:"none" > `, text: "No metadata was found for chaincode none in channel mychannel"},
		{query: endorsers(calls("asset", "other")), want: `failed constructing descriptor for chaincodes:<name:"asset" collection_names:"other" > `,
			text: "collection other doesn't exist in collection config for chaincode asset"},
		{query: endorsers(calls("admins")), want: `failed constructing descriptor for chaincodes:<name:"admins" > `, text: "no peer combination can satisfy the endorsement policy"},
		{query: endorsers(calls("both")), want: `failed constructing descriptor for chaincodes:<name:"both" > `, text: "required chaincodes are not installed on sufficient peers"},
		{query: endorsers(calls("old")), want: `failed constructing descriptor for chaincodes:<name:"old" > `, text: "required chaincodes are not installed on sufficient peers"},
		{query: endorsers(calls("nobody")), want: `failed constructing descriptor for chaincodes:<name:"nobody" > `, text: "endorsement policy cannot be satisfied"},
		{query: endorsers(disregarding), want: `failed constructing descriptor for chaincodes:<name:"asset" disregard_namespace_policy:true > `,
			text: "requested to disregard chaincode asset's policy but key and collection policies are missing, either disable DisregardNamespacePolicy or specify at least one key policy or at least one collection policy"},
	} {
		if got := w.discover(c.query).GetError().GetContent(); got != c.want {
			t.Errorf("%v: got %q, want %q", c.query, got, c.want)
		}
		if c.text == "" {
			continue
		}
		d, err := w.service().Descriptor(t.Context(), "mychannel", c.query.GetCcQuery().GetInterests()[0])
		if err == nil || err.Error() != c.text {
			t.Errorf("%v: got %v, %v, want %s", c.query, d, err, c.text)
		}
	}
	w.broken = errors.New("disk is broken")
	for want, q := range map[string]*pb.DiscoveryQuery{
		"failed fetching config for channel mychannel":                   config(),
		`failed constructing descriptor for chaincodes:<name:"asset" > `: endorsers(calls("asset")),
		"disk is broken": peersFor(),
	} {
		if got := w.discover(q).GetError().GetContent(); got != want {
			t.Errorf("%v: got %q", q, got)
		}
	}
}

// Who may ask is decided once for a channel, with what was signed. Each query has its result, in order.
func TestAccess(t *testing.T) {
	w := newWorld(t, "Org1MSP")
	w.add("peer0.Org1MSP")
	w.refuse = func(r acl.Request) error {
		if r.ChannelID == "" {
			return errors.New("no administrator")
		}
		return nil
	}
	request := w.sign(config(), local(), peersFor(), config())
	r, err := w.service().Discover(t.Context(), request)
	if err != nil || len(r.GetResults()) != 4 {
		t.Fatalf("%v, %v", r, err)
	}
	if r.GetResults()[0].GetConfigResult() == nil || r.GetResults()[1].GetError().GetContent() != "access denied" || r.GetResults()[2].GetMembers() == nil ||
		r.GetResults()[3].GetConfigResult() == nil {
		t.Errorf("%v", r)
	}
	if len(w.asked) != 2 || w.asked[0].ChannelID != "mychannel" || w.asked[1].ChannelID != "" {
		t.Errorf("asked for %+v", w.asked)
	}
	for _, a := range w.asked {
		if a.Resource != discovery.Resource || !slices.Equal(a.Data, request.GetPayload()) || !slices.Equal(a.Signature, request.GetSignature()) || !slices.Equal(a.Identity, w.alice.Creator()) {
			t.Errorf("asked for %+v", a)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.service().Discover(ctx, request); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
