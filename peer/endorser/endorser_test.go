package endorser_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/endorser"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// chaincode puts its second argument under its first one. A third one says how else it ends. Without arguments it does nothing.
type chaincode struct{}

func (chaincode) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (chaincode) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	args := stub.GetStringArgs()
	if len(args) == 0 {
		return shim.Success(nil)
	}
	if err := stub.PutState(args[0], []byte(args[1])); err != nil {
		return shim.Error(err.Error())
	}
	if err := stub.SetEvent("Put", []byte(args[0])); err != nil {
		return shim.Error(err.Error())
	}
	if len(args) == 2 {
		return shim.Success([]byte("done"))
	}
	if args[2] == "private" {
		if err := stub.PutPrivateData("secrets", args[0], []byte(args[1])); err != nil {
			return shim.Error(err.Error())
		}
		return shim.Success(nil)
	}
	var status int32
	if _, err := fmt.Sscan(args[2], &status); err != nil {
		return shim.Error(err.Error())
	}
	return &pb.Response{Status: status, Message: "as you wish", Payload: []byte("p")}
}

// network is an endorser, its channel's ledger, and identities.
type network struct {
	t        *testing.T
	endorser *endorser.Endorser
	ledger   *kvledger.Ledger
	verifier *identity.Verifier
	msp      *identity.MSP
	alice    *identity.Identity
	private  []byte
	cfg      endorser.Config
	channel  endorser.Channel
}

func newNetwork(t *testing.T, change func(*endorser.Config, *endorser.Channel)) *network {
	t.Helper()
	n := &network{t: t}
	var err error
	if n.msp, err = identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"}); err != nil {
		t.Fatal(err)
	}
	n.alice = n.issue("alice", "client")
	if n.verifier, err = identity.NewVerifier(n.msp.Organization()); err != nil {
		t.Fatal(err)
	}
	if n.ledger, err = kvledger.NewProvider(memory.New()).Open(t.Context(), "mychannel"); err != nil {
		t.Fatal(err)
	}
	definitions := chaincodesupport.DefinitionsFunc(func(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
		if p.Namespace != "asset" && p.Namespace != "qscc" {
			return chaincodesupport.Definition{}, errors.Errorf("chaincode %s not found", p.Namespace)
		}
		return chaincodesupport.Definition{ChaincodeID: p.Namespace + ":1", Version: "1.0"}, nil
	})
	support, err := chaincodesupport.New(chaincodesupport.Config{
		Runtimes: chaincodesupport.OneRuntime(inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
			return shim.StartInProc(id, s, chaincode{})
		})),
		Definitions: definitions, Hooks: handler.Hooks{CollectionStore: collections.Store{}, Builtins: []string{"qscc"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := support.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	n.channel = endorser.Channel{
		Verifier: n.verifier, Ledger: n.ledger,
		Committed: func(ctx context.Context, txID string) (bool, error) {
			_, err := n.ledger.Transaction(ctx, txID)
			if errors.Is(err, kvledger.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		},
		Results: func(ctx context.Context, sim ledger.Simulator) (public, private []byte, err error) {
			r, err := kvledger.ResultsOf(ctx, sim)
			if err != nil {
				return nil, nil, err
			}
			return r.RWSet, r.PrivateRWSet, nil
		},
		PrivateData: func(_ context.Context, _ string, private []byte) error { n.private = private; return nil },
	}
	n.cfg = endorser.Config{
		Signer: n.issue("peer0", "peer"), Chaincode: support, Definitions: definitions, Local: n.verifier, Builtins: []string{"qscc"},
		Channel: func(id string) *endorser.Channel {
			if id != "mychannel" {
				return nil
			}
			return &n.channel
		},
	}
	if change != nil {
		change(&n.cfg, &n.channel)
	}
	if n.endorser, err = endorser.New(n.cfg); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *network) issue(name, unit string) *identity.Identity {
	n.t.Helper()
	id, err := n.msp.Issue(identity.Config{CommonName: name, OUs: []string{unit}})
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

// propose is a proposal of alice's, unless change says otherwise.
func (n *network) propose(change func(*identity.ProposalParams), args ...string) *identity.Proposal {
	n.t.Helper()
	p := identity.ProposalParams{ChannelID: "mychannel", Chaincode: "asset", Signer: n.alice}
	for _, a := range args {
		p.Args = append(p.Args, []byte(a))
	}
	if change != nil {
		change(&p)
	}
	made, err := identity.NewProposal(p)
	if err != nil {
		n.t.Fatal(err)
	}
	return made
}

// What is endorsed can be made a transaction, whose signatures fulfil a policy, and be committed.
func TestEndorse(t *testing.T) {
	n := newNetwork(t, nil)
	proposal := n.propose(nil, "k", "v")
	r, err := n.endorser.ProcessProposal(t.Context(), proposal.Signed)
	if err != nil || r.GetResponse().GetStatus() != 200 || string(r.GetResponse().GetPayload()) != "done" || r.GetVersion() != 1 || r.GetTimestamp() != nil {
		t.Fatalf("%v, %v", r, err)
	}
	envelope, err := block.NewTransaction(proposal.Signed, []*pb.ProposalResponse{r}, n.alice)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := block.ParseTransaction(envelope)
	if err != nil {
		t.Fatal(err)
	}
	if tx.Chaincode != "asset" || tx.Version != "1.0" || tx.Event.GetEventName() != "Put" || tx.Event.GetTxId() != proposal.TxID || tx.Event.GetChaincodeId() != "asset" {
		t.Errorf("got %+v", tx)
	}
	who, err := n.verifier.Identify(tx.Endorsements[0].GetEndorser())
	if err != nil {
		t.Fatal(err)
	}
	if err := who.Verify(append(bytes.Clone(tx.Endorsed), tx.Endorsements[0].GetEndorser()...), tx.Endorsements[0].GetSignature()); err != nil {
		t.Error(err)
	}
	policy, err := policies.Parse("AND('Org1MSP.peer')")
	if err != nil {
		t.Fatal(err)
	}
	if err := policy.Evaluate([]*identity.Verified{who}); err != nil {
		t.Error(err)
	}
	code, err := n.ledger.CommitTx(t.Context(), kvledger.Transaction{TxID: tx.TxID, Timestamp: tx.Timestamp, RWSet: tx.RWSet})
	if err != nil || code != kvledger.Valid {
		t.Fatalf("%s, %v", code, err)
	}
	if got, err := n.ledger.KeyState(t.Context(), "asset", "k"); err != nil || string(got.Value) != "v" {
		t.Errorf("%v, %v", got, err)
	}
	again, err := n.endorser.ProcessProposal(t.Context(), proposal.Signed)
	want := fmt.Sprintf("duplicate transaction found [%s]. Creator [%x]", proposal.TxID, n.alice.Creator())
	if err == nil || err.Error() != want || again.GetResponse().GetMessage() != want || again.GetResponse().GetStatus() != 500 {
		t.Errorf("again: %v, %v", again, err)
	}
}

// An evaluation has everything of a response but the endorsement, and is refused as others are.
func TestEvaluate(t *testing.T) {
	n := newNetwork(t, nil)
	proposal := n.propose(nil, "k", "v")
	got, err := n.endorser.Evaluate(t.Context(), proposal.Signed)
	if err != nil || got.GetEndorsement() != nil {
		t.Fatalf("%v, %v", got, err)
	}
	want, err := n.endorser.ProcessProposal(t.Context(), proposal.Signed)
	if err != nil || want.GetEndorsement() == nil {
		t.Fatalf("%v, %v", want, err)
	}
	want.Endorsement = nil
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	foreign := unsigned(n.propose(nil, "k", "v").Signed, proposal.Signed.GetSignature())
	if r, err := n.endorser.Evaluate(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "access denied") || r.GetResponse().GetStatus() != 500 {
		t.Errorf("with a signature of something else: %v, %v", r, err)
	}
}

// A response's status decides what a client gets with it (Fabric: core/endorser).
func TestStatus(t *testing.T) {
	n := newNetwork(t, nil)
	for status, want := range map[int32]string{0: "payload endorsement", 199: "payload endorsement", 399: "payload endorsement", 400: "", 499: "", 500: "payload", 501: "payload"} {
		r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, "k", "v", fmt.Sprint(status)).Signed)
		if err != nil || r.GetResponse().GetStatus() != status || r.GetResponse().GetMessage() != "as you wish" || string(r.GetResponse().GetPayload()) != "p" {
			t.Fatalf("%d: %v, %v", status, r, err)
		}
		got := ""
		if len(r.GetPayload()) > 0 {
			got = "payload"
			if hasEvent := events(t, r) > 0; hasEvent != (status < 400) {
				t.Errorf("%d: has an event: %t", status, hasEvent)
			}
		}
		if r.GetEndorsement() != nil {
			got += " endorsement"
		}
		if got != want {
			t.Errorf("%d: has %q, want %q", status, got, want)
		}
	}
}

func events(t *testing.T, r *pb.ProposalResponse) int {
	t.Helper()
	var payload pb.ProposalResponsePayload
	var action pb.ChaincodeAction
	if err := proto.Unmarshal(r.GetPayload(), &payload); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(payload.GetExtension(), &action); err != nil {
		t.Fatal(err)
	}
	return len(action.GetEvents())
}

func TestPrivateData(t *testing.T) {
	n := newNetwork(t, nil)
	if err := n.ledger.Define(t.Context(), "asset", kvledger.Definition{Collections: []ledger.CollectionConfig{{Name: "secrets", Policy: "OR('Org1MSP.member')"}}}); err != nil {
		t.Fatal(err)
	}
	proposal := n.propose(nil, "k", "hidden", "private").Signed
	r, err := n.endorser.ProcessProposal(t.Context(), proposal)
	if err != nil || r.GetEndorsement() == nil {
		t.Fatalf("%v, %v", r, err)
	}
	if !bytes.Contains(n.private, []byte("hidden")) {
		t.Errorf("kept: %q", n.private)
	}
	n.channel.PrivateData = func(context.Context, string, []byte) error { return errors.New("the disk is full") }
	r, err = n.endorser.ProcessProposal(t.Context(), proposal)
	if want := "error in simulation: the disk is full"; err != nil || r.GetResponse().GetMessage() != want || r.GetEndorsement() != nil {
		t.Errorf("%v, %v", r, err)
	}
	n.channel.PrivateData = nil
	r, err = n.endorser.ProcessProposal(t.Context(), proposal)
	if want := "error in simulation: the transaction writes private data, which this peer can't keep"; err != nil || r.GetResponse().GetMessage() != want || r.GetEndorsement() != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// What fails while a transaction runs is told in the response, without an error.
func TestFailures(t *testing.T) {
	n := newNetwork(t, nil)
	for _, c := range []struct {
		change func(*identity.ProposalParams)
		args   []string
		want   string
	}{
		{func(p *identity.ProposalParams) { p.ChannelID = "other" }, []string{"k", "v"}, "channel 'other' not found"},
		{func(p *identity.ProposalParams) { p.Chaincode = "nothing" }, []string{"k", "v"}, "make sure the chaincode nothing has been successfully defined on channel mychannel and try again: chaincode nothing not found"},
		{nil, []string{"k", "v", "x"}, "expected integer"},
	} {
		r, err := n.endorser.ProcessProposal(t.Context(), n.propose(c.change, c.args...).Signed)
		if err != nil || r.GetResponse().GetStatus() != 500 || !strings.Contains(r.GetResponse().GetMessage(), c.want) || r.GetEndorsement() != nil {
			t.Errorf("%v, %v, want %s", r, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := n.endorser.ProcessProposal(ctx, n.propose(nil, "k", "v").Signed)
	if !errors.Is(err, context.Canceled) || r.GetResponse().GetMessage() != err.Error() {
		t.Errorf("an ended call: %v, %v", r, err)
	}
}

// Who may propose is a policy, which doesn't hold for chaincode that belongs to the peer.
func TestWriters(t *testing.T) {
	n := newNetwork(t, func(_ *endorser.Config, c *endorser.Channel) {
		c.Writers = policies.SignedBy(identity.Principal{MSPID: "Org1MSP", Role: identity.Admin})
	})
	r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, "k", "v").Signed)
	if err == nil || !strings.HasPrefix(err.Error(), "Failed evaluating policy on signed data during check policy on channel [mychannel] with policy [/Channel/Application/Writers]: [signature set did not satisfy policy") ||
		r.GetResponse().GetMessage() != err.Error() {
		t.Errorf("%v, %v", r, err)
	}
	r, err = n.endorser.ProcessProposal(t.Context(), n.propose(func(p *identity.ProposalParams) { p.Chaincode = "qscc" }).Signed)
	if err != nil || r.GetEndorsement() == nil {
		t.Errorf("qscc: %v, %v", r, err)
	}
	r, err = n.endorser.ProcessProposal(t.Context(), n.propose(func(p *identity.ProposalParams) { p.Chaincode = "qscc" }, "k", "v").Signed)
	if err != nil || !strings.Contains(r.GetResponse().GetMessage(), "no ledger context") { // it has no simulator
		t.Errorf("qscc: %v, %v", r, err)
	}
	r, err = n.endorser.ProcessProposal(t.Context(), n.propose(func(p *identity.ProposalParams) { p.Signer = n.issue("boss", "admin") }, "k", "v").Signed)
	if err != nil || r.GetEndorsement() == nil {
		t.Errorf("an administrator: %v, %v", r, err)
	}
}

// A call without a channel has no ledger, and its answer is not endorsed.
func TestWithoutChannel(t *testing.T) {
	n := newNetwork(t, nil)
	r, err := n.endorser.ProcessProposal(t.Context(), n.propose(func(p *identity.ProposalParams) { p.ChannelID, p.Chaincode = "", "qscc" }, "k", "v").Signed)
	if err != nil || !strings.Contains(r.GetResponse().GetMessage(), "no ledger context") || r.GetEndorsement() != nil {
		t.Errorf("%v, %v", r, err)
	}
	n = newNetwork(t, func(c *endorser.Config, _ *endorser.Channel) { c.Local = nil })
	if _, err := n.endorser.ProcessProposal(t.Context(), n.propose(func(p *identity.ProposalParams) { p.ChannelID, p.Chaincode = "", "qscc" }, "k", "v").Signed); err == nil ||
		err.Error() != "error validating proposal: access denied: channel [] creator org unknown, creator is malformed" {
		t.Errorf("%v", err)
	}
}

// What is refused gives an error, and nothing runs.
func TestRefusals(t *testing.T) {
	n := newNetwork(t, nil)
	stranger, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP"})
	if err != nil {
		t.Fatal(err)
	}
	mallory, err := stranger.Issue(identity.Config{CommonName: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.NewMSP(identity.MSPConfig{ID: "Org1MSP", Algorithm: identity.Ed25519})
	if err != nil {
		t.Fatal(err)
	}
	ed25519, err := other.Issue(identity.Config{CommonName: "mallory"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	old, err := n.msp.Issue(identity.Config{CommonName: "old", NotBefore: now.Add(-50 * time.Minute), NotAfter: now.Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	const denied = "error validating proposal: access denied: channel [mychannel] creator org "
	for _, c := range []struct {
		want     string
		signed   *pb.SignedProposal
		response bool
	}{
		{"request unauthorized due to incorrect timestamp 1970-01-01T00:00:00Z, peer time ", nil, false},
		{"failed parsing proposal: error unmarshalling Proposal: ", &pb.SignedProposal{ProposalBytes: []byte{0xff}}, false},
		{"proposal client identity expired", n.propose(func(p *identity.ProposalParams) { p.Signer = old }, "k", "v").Signed, false},
		{"request unauthorized due to incorrect timestamp ", n.propose(func(p *identity.ProposalParams) { p.Timestamp = now.Add(-16 * time.Minute) }, "k", "v").Signed, false},
		{"request unauthorized due to incorrect timestamp ", n.propose(func(p *identity.ProposalParams) { p.Timestamp = now.Add(16 * time.Minute) }, "k", "v").Signed, false},
		{denied + "unknown, creator is malformed", n.propose(func(p *identity.ProposalParams) { p.Signer = mallory }, "k", "v").Signed, true},
		{denied + "[Org1MSP]", n.propose(func(p *identity.ProposalParams) { p.Signer = ed25519 }, "k", "v").Signed, true},
		{denied + "[Org1MSP]", unsigned(n.propose(nil, "k", "v").Signed, []byte{}), true},
		{"error validating proposal: empty signature bytes", unsigned(n.propose(nil, "k", "v").Signed, nil), true},
		{denied + "unknown, creator is malformed", unsigned(n.propose(func(p *identity.ProposalParams) { p.Signer, p.Creator = nil, []byte("x") }, "k", "v").Signed, []byte("x")), true},
	} {
		r, err := n.endorser.ProcessProposal(t.Context(), c.signed)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
			continue
		}
		if (r != nil) != c.response || r != nil && (r.GetResponse().GetStatus() != 500 || r.GetResponse().GetMessage() != err.Error()) {
			t.Errorf("%s: response %v", c.want, r)
		}
	}
	if height, err := n.ledger.Height(t.Context()); height != 0 || err != nil {
		t.Errorf("%d blocks, %v", height, err)
	}
}

func unsigned(signed *pb.SignedProposal, signature []byte) *pb.SignedProposal {
	signed.Signature = signature
	return signed
}

func TestNewRefuses(t *testing.T) {
	n := newNetwork(t, nil)
	for want, change := range map[string]func(*endorser.Config){
		"Config.Signer is missing":      func(c *endorser.Config) { c.Signer = nil },
		"Config.Chaincode is missing":   func(c *endorser.Config) { c.Chaincode = nil },
		"Config.Definitions is missing": func(c *endorser.Config) { c.Definitions = nil },
		"Config.Channel is missing":     func(c *endorser.Config) { c.Channel = nil },
		"Config.TimeWindow is -1s":      func(c *endorser.Config) { c.TimeWindow = -time.Second },
	} {
		cfg := n.cfg
		change(&cfg)
		if _, err := endorser.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
