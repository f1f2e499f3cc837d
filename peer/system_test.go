package peer_test

import (
	"context"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// query calls qscc on one peer.
func query(t *testing.T, n *peer.Network, who identity.Signer, args ...string) *peer.Result {
	t.Helper()
	r, err := n.Evaluate(t.Context(), who, calling("qscc", args...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refused is the text with which a chaincode refuses.
func refused(t *testing.T, n *peer.Network, who identity.Signer, chaincode string, args ...string) string {
	t.Helper()
	_, err := n.Evaluate(t.Context(), who, calling(chaincode, args...))
	var e *peer.RefusedError
	if !errors.As(err, &e) || e.Status != 500 {
		t.Fatalf("%s %v: %v", chaincode, args, err)
	}
	return e.Message
}

func calling(chaincode string, args ...string) peer.Call {
	c := peer.Call{Chaincode: chaincode}
	for _, a := range args {
		c.Args = append(c.Args, []byte(a))
	}
	return c
}

func decoded[T any, M interface {
	*T
	proto.Message
}](t *testing.T, b []byte) M {
	t.Helper()
	m := M(new(T))
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// qscc answers from the ledger, on all peers and without being deployed.
func TestQSCC(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	alice := client(t, n, "alice@Org2MSP")
	done, err := n.Submit(t.Context(), alice, call("put", "k", "v"))
	if err != nil {
		t.Fatal(err)
	}
	info := decoded[pb.BlockchainInfo](t, query(t, n, alice, "GetChainInfo", "mychannel").Payload)
	newest := decoded[pb.Block](t, query(t, n, alice, "GetBlockByNumber", "mychannel", strconv.FormatUint(math.MaxUint64, 10)).Payload)
	if newest.GetHeader().GetNumber() != info.GetHeight()-1 {
		t.Errorf("newest is %d of %d", newest.GetHeader().GetNumber(), info.GetHeight())
	}
	hash, err := block.HeaderHash(newest.GetHeader())
	if err != nil || string(hash) != string(info.GetCurrentBlockHash()) || string(newest.GetHeader().GetPreviousHash()) != string(info.GetPreviousBlockHash()) {
		t.Errorf("%x, %v, %v", hash, info, err)
	}
	for _, other := range []*peer.Result{
		query(t, n, alice, "GetBlockByHash", "mychannel", string(hash)),
		query(t, n, alice, "GetBlockByTxID", "mychannel", done.TxID),
		query(t, n, alice, "GetBlockByNumber", "mychannel", strconv.FormatUint(done.Outcome.Block, 10)),
	} {
		if b := decoded[pb.Block](t, other.Payload); !proto.Equal(b, newest) {
			t.Errorf("got %v, want %v", b, newest)
		}
	}
	tx := decoded[pb.ProcessedTransaction](t, query(t, n, alice, "GetTransactionByID", "mychannel", done.TxID).Payload)
	var in pb.Envelope
	if err := proto.Unmarshal(newest.GetData().GetData()[0], &in); err != nil || !proto.Equal(&in, tx.GetTransactionEnvelope()) || tx.GetValidationCode() != 0 {
		t.Errorf("%v, %v", tx, err)
	}
	if got := refused(t, n, alice, "qscc", "GetTransactionByID", "mychannel", "none"); got != "Failed to get transaction with id none, error no such transaction ID [none] in index" {
		t.Error(got)
	}
	if got := refused(t, n, alice, "qscc", "GetBlockByNumber", "mychannel", "99"); got != "Failed to get block number 99, error no such block number [99] in index" {
		t.Error(got)
	}
	if got := refused(t, n, alice, "qscc", "GetBlockByHash", "mychannel", "x"); got != "Failed to get block hash x, error no such block hash [78] in index" {
		t.Error(got)
	}
	if got := refused(t, n, alice, "qscc", "Other", "mychannel", "x"); got != "access denied for [Other][mychannel]: [Unmapped policy for qscc/Other]" {
		t.Error(got)
	}
}

// What qscc has answered can be ordered, if the client says who endorses it. But it isn't valid: no channel has a definition of it
// (Fabric: v20's plugindispatcher). If the client doesn't say that, nobody can.
func TestQSCCIsNoTransaction(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	alice := client(t, n, "alice")
	call := calling("qscc", "GetChainInfo", "mychannel")
	if _, err := n.Endorse(t.Context(), alice, call); err == nil || !strings.HasSuffix(err.Error(), "No metadata was found for chaincode qscc in channel mychannel") {
		t.Errorf("%v", err)
	}
	call.Endorsers = []string{"Org1MSP"}
	e, err := n.Endorse(t.Context(), alice, call)
	if err != nil || len(e.RWSet) != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	tx, err := block.ParseTransaction(e.Envelope)
	if err != nil || tx.Version != "syscc" || tx.Chaincode != "qscc" {
		t.Errorf("%+v, %v", tx, err)
	}
	_, err = n.Submit(t.Context(), alice, call)
	var invalid *peer.InvalidError
	if !errors.As(err, &invalid) || invalid.Code != kvledger.InvalidChaincode {
		t.Errorf("%v", err)
	}
	decoded[pb.Block](t, query(t, n, alice, "GetBlockByTxID", "mychannel", invalid.TxID).Payload)
}

// Chaincode of a channel can't call qscc, nor have its name.
func TestQSCCIsForClients(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "nosy", Runtime: runs(func(stub shim.ChaincodeStubInterface) *pb.Response {
		return stub.InvokeChaincode("qscc", [][]byte{[]byte("GetChainInfo"), []byte("mychannel")}, "mychannel")
	})})
	want := "Rejecting invoke of QSCC from another chaincode because of potential for deadlocks, original invocation for 'nosy'"
	if got := refused(t, n, client(t, n, "alice"), "nosy"); got != want {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"qscc", "cscc", "lscc", "escc", "vscc"} {
		if err := n.Deploy(t.Context(), "", peer.Chaincode{Name: name}); err == nil || !strings.HasSuffix(err.Error(), "chaincode name '"+name+"' is the name of a system chaincode") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.Deploy(t.Context(), "", peer.Chaincode{Name: "_lifecycle"}); err == nil || !strings.Contains(err.Error(), "invalid chaincode name '_lifecycle'") {
		t.Errorf("%v", err)
	}
}

// cscc has the channel's configuration for its members.
func TestConfigOfCSCC(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	c, err := n.Peer("Org2MSP").Channel("mychannel").Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for function, want := range map[string]proto.Message{"GetConfigBlock": c.Block, "GetChannelConfig": c.Config} {
		r, err := n.Evaluate(t.Context(), client(t, n, "alice@Org2MSP"), calling("cscc", function, "mychannel"))
		if err != nil {
			t.Fatal(err)
		}
		got := want.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(r.Payload, got); err != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v", function, got, err)
		}
	}
}

// cscc tells members of the peer's organization which channels it is on, by a call without a channel.
func TestGetChannels(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations, Channels: []string{"mychannel", "another"}})
	list := func(who string, kind pb.HeaderType) (*pb.ProposalResponse, error) {
		p, err := identity.NewProposal(identity.ProposalParams{Chaincode: "cscc", Args: [][]byte{[]byte("GetChannels")}, Signer: client(t, n, who)})
		if err != nil {
			t.Fatal(err)
		}
		if kind != pb.HeaderType_ENDORSER_TRANSACTION {
			p.Signed = retyped(t, p.Signed, kind, client(t, n, who))
		}
		return n.Peer("Org1MSP").ProcessProposal(context.Background(), p.Signed)
	}
	for _, kind := range []pb.HeaderType{pb.HeaderType_ENDORSER_TRANSACTION, pb.HeaderType_CONFIG} {
		r, err := list("alice@Org1MSP", kind)
		if err != nil || r.GetResponse().GetStatus() != 200 || r.GetEndorsement() != nil {
			t.Fatalf("%v, %v", r, err)
		}
		all := decoded[pb.ChannelQueryResponse](t, r.GetResponse().GetPayload()).GetChannels()
		if len(all) != 2 || all[0].GetChannelId() != "another" || all[1].GetChannelId() != "mychannel" {
			t.Errorf("%v", all)
		}
	}
	if r, err := list("bob@Org2MSP", pb.HeaderType_ENDORSER_TRANSACTION); err == nil || err.Error() != "error validating proposal: access denied: channel [] creator org unknown, creator is malformed" {
		t.Errorf("%v, %v", r, err)
	}
	// On a channel, a stranger to the peer's organization gets past the endorser.
	r, err := n.Evaluate(t.Context(), client(t, n, "bob@Org2MSP"), peer.Call{Chaincode: "cscc", Args: [][]byte{[]byte("GetChannels")}, Endorsers: []string{"Org1MSP"}})
	if err == nil || !strings.Contains(err.Error(), "access denied for [GetChannels]: Failed deserializing proposal creator during channelless check policy with policy [Members]: [") {
		t.Errorf("%v, %v", r, err)
	}
	if got := refused(t, n, client(t, n, "alice@Org1MSP"), "cscc", "JoinChainBySnapshot", "x"); got != "access denied for [JoinChainBySnapshot]: "+
		"[Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]]]" {
		t.Error(got)
	}
}

// retyped is a proposal with another header type.
func retyped(t *testing.T, signed *pb.SignedProposal, kind pb.HeaderType, who identity.Signer) *pb.SignedProposal {
	t.Helper()
	p := decoded[pb.Proposal](t, signed.GetProposalBytes())
	h := decoded[pb.Header](t, p.GetHeader())
	ch := decoded[pb.ChannelHeader](t, h.GetChannelHeader())
	ch.Type = int32(kind)
	h.ChannelHeader = marshalled(t, ch)
	p.Header = marshalled(t, h)
	b := marshalled(t, p)
	signature, err := who.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	return &pb.SignedProposal{ProposalBytes: b, Signature: signature}
}

func marshalled(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whoever may not see a configuration learns nothing of the channel. No peer joins a channel that it is on.
func TestRefusalsOfCSCC(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Organizations: threeOrganizations})
	if got := refused(t, n, client(t, n, "alice@Org2MSP"), "cscc", "GetConfigBlock", "nochannel"); got != "access denied for [GetConfigBlock][nochannel]: Failed to get policy manager for channel [nochannel]" {
		t.Error(got)
	}
	genesis := query(t, n, client(t, n, "admin@Org2MSP"), "GetBlockByNumber", "mychannel", "0").Payload
	if got := refused(t, n, client(t, n, "admin@Org2MSP"), "cscc", "JoinChain", string(genesis)); got != "cannot create ledger from genesis block: ledger [mychannel] already exists with state [ACTIVE]" {
		t.Error(got)
	}
}
