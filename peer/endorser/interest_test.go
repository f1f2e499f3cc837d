package endorser_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/endorser"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// script is chaincode that does what its arguments say, one after the other: a verb, and what it is about.
type script struct{}

func (script) Init(shim.ChaincodeStubInterface) *pb.Response { return shim.Success(nil) }

func (script) Invoke(stub shim.ChaincodeStubInterface) *pb.Response {
	for _, line := range stub.GetStringArgs() {
		if r := step(stub, line); r.GetStatus() != 200 {
			return r
		}
	}
	return shim.Success(nil)
}

// step takes "call CHAINCODE: LINE", "end STATUS", "VERB KEY" or "VERB COLLECTION KEY".
func step(stub shim.ChaincodeStubInterface, line string) *pb.Response {
	words := strings.Fields(line)
	verb, key := words[0], words[len(words)-1]
	collection := ""
	if len(words) == 3 {
		collection = words[1]
	}
	var err error
	switch verb {
	case "call":
		callee, rest, _ := strings.Cut(strings.TrimPrefix(line, "call "), ": ")
		return stub.InvokeChaincode(callee, [][]byte{[]byte(rest)}, "")
	case "end":
		var status int32
		_, err = fmt.Sscan(key, &status)
		if err == nil {
			return &pb.Response{Status: status}
		}
	case "range":
		err = readAll(stub.GetStateByRange("", ""))
	case "range-private":
		err = readAll(stub.GetPrivateDataByRange(key, "", ""))
	case "get":
		_, err = stub.GetState(key)
	case "put":
		err = stub.PutState(key, []byte("v"))
	case "del":
		err = stub.DelState(key)
	case "policy":
		err = stub.SetStateValidationParameter(key, policyOf(key))
	case "get-private":
		_, err = stub.GetPrivateData(collection, key)
	case "hash":
		_, err = stub.GetPrivateDataHash(collection, key)
	case "get-policy":
		_, err = stub.GetPrivateDataValidationParameter(collection, key)
	case "put-private":
		err = stub.PutPrivateData(collection, key, []byte("v"))
	case "del-private":
		err = stub.DelPrivateData(collection, key)
	case "purge":
		err = stub.PurgePrivateData(collection, key)
	case "policy-private":
		err = stub.SetPrivateDataValidationParameter(collection, key, policyOf(key))
	default:
		err = errors.Errorf("there is no verb %s", verb)
	}
	if err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

func readAll(it shim.StateQueryIteratorInterface, err error) error {
	if err != nil {
		return err
	}
	for it.HasNext() {
		if _, err := it.Next(); err != nil {
			return err
		}
	}
	return it.Close()
}

// policyOf is the policy of a key that has one: a member of an MSP that is called like the key. Key "bad" has what is none.
func policyOf(key string) []byte {
	if key == "bad" {
		return []byte{0xff}
	}
	p, err := policies.Parse(fmt.Sprintf("OR('%s.member')", key))
	if err != nil {
		return nil
	}
	b, err := p.Marshal()
	if err != nil {
		return nil
	}
	return b
}

// newScripted is a network whose chaincodes asset and other, and system chaincode qscc, are scripts. Keys with an upper-case name have
// policies of their own, in asset, in its collection secrets, and in other.
func newScripted(t *testing.T) *network {
	t.Helper()
	n := newNetwork(t, func(cfg *endorser.Config, _ *endorser.Channel) {
		cfg.Definitions = chaincodesupport.DefinitionsFunc(func(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
			return chaincodesupport.Definition{ChaincodeID: p.Namespace + ":1", Version: "1.0"}, nil
		})
		support, err := chaincodesupport.New(chaincodesupport.Config{
			Runtimes: chaincodesupport.OneRuntime(inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error {
				return shim.StartInProc(id, s, script{})
			})),
			Definitions: cfg.Definitions, Hooks: handler.Hooks{CollectionStore: collections.Store{}, Builtins: []string{"qscc", "lifecycle"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := support.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		cfg.Chaincode, cfg.Builtins = support, []string{"qscc", "lifecycle"}
	})
	for _, name := range []string{"asset", "other"} {
		if err := n.ledger.Define(t.Context(), name, kvledger.Definition{Collections: []ledger.CollectionConfig{
			{Name: "secrets", Policy: "OR('Org1MSP.member')"}, {Name: "more", Policy: "OR('Org1MSP.member')"},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// commit endorses a script, and commits it.
func (n *network) commit(lines ...string) {
	n.t.Helper()
	n.private = nil
	p := n.propose(nil, lines...)
	r, err := n.endorser.ProcessProposal(n.t.Context(), p.Signed)
	if err != nil || r.GetEndorsement() == nil {
		n.t.Fatalf("%v, %v", r, err)
	}
	var payload pb.ProposalResponsePayload
	var action pb.ChaincodeAction
	if err := proto.Unmarshal(r.GetPayload(), &payload); err != nil {
		n.t.Fatal(err)
	}
	if err := proto.Unmarshal(payload.GetExtension(), &action); err != nil {
		n.t.Fatal(err)
	}
	code, err := n.ledger.CommitTx(n.t.Context(), kvledger.Transaction{TxID: p.TxID, RWSet: action.GetResults(), PrivateRWSet: n.private})
	if err != nil || code != kvledger.Valid {
		n.t.Fatalf("%s, %v", code, err)
	}
}

// shownInterest has a word for each call: the chaincode, its collections, and what is unusual.
func shownInterest(in *pb.ChaincodeInterest) string {
	if in == nil {
		return "none"
	}
	var calls []string
	for _, c := range in.GetChaincodes() {
		s := strings.Join(append([]string{c.GetName()}, c.GetCollectionNames()...), "/")
		for _, p := range c.GetKeyPolicies() {
			s += fmt.Sprintf("+%s", mspOf(p))
		}
		for flag, set := range map[string]bool{"!reads": c.GetNoPrivateReads(), "!writes": c.GetNoPublicWrites(), "!policy": c.GetDisregardNamespacePolicy()} {
			if set {
				s += flag
			}
		}
		calls = append(calls, s)
	}
	return strings.Join(calls, " ")
}

// mspOf is the MSP of the one identity of a policy of policyOf.
func mspOf(p *pb.SignaturePolicyEnvelope) string {
	id := string(p.GetIdentities()[0].GetPrincipal())
	return strings.TrimFunc(id, func(r rune) bool { return r < ' ' })
}

// Each interest is what Fabric's buildChaincodeInterest makes of these reads and writes (core/endorser/endorser.go, with what
// core/ledger/kvledger/txmgmt/txmgr notes for it), in the order of names. "!reads" is no_private_reads, "!policy" is
// disregard_namespace_policy, and "+A" is the policy of key A.
func TestInterest(t *testing.T) {
	n := newScripted(t)
	n.commit("put A", "put B", "put plain", "policy A", "policy B", "put-private secrets C", "put-private secrets plain",
		"call other: put D", "put-private more E")
	n.commit("policy-private secrets C", "policy-private more E", "call other: policy D")
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		// The namespace has nothing in the read/write set.
		{"nothing", nil, ""},
		// It is in the public read/write set, and has no writes: policies.add(ns, "", true).
		{"public read", []string{"get plain"}, "asset"},
		{"public read of a key with a policy", []string{"get A"}, "asset"},
		{"range", []string{"range"}, "asset"},
		// checkStateMetadata finds no policy: policyRequired[ns][""].
		{"public write", []string{"put plain"}, "asset"},
		{"new key", []string{"put absent"}, "asset"},
		{"delete", []string{"del plain"}, "asset"},
		{"policy of a key that has none", []string{"policy plain"}, "asset"},
		// All keys that are written have policies: the chaincode's is not required.
		{"write of a key with a policy", []string{"put A"}, "asset+A!policy"},
		{"delete of a key with a policy", []string{"del A"}, "asset+A!policy"},
		{"write of its policy", []string{"policy A"}, "asset+A!policy"},
		{"key and policy", []string{"put A", "policy A"}, "asset+A!policy"},
		{"two keys with policies", []string{"put B", "put A"}, "asset+A+B!policy"},
		{"public read beside it", []string{"get plain", "put A"}, "asset+A!policy"},
		{"a key with and one without", []string{"put plain", "put A"}, "asset+A"},
		// The hashed read is in the public read/write set, and the collection in PrivateReads.
		{"private read", []string{"get-private secrets plain"}, "asset asset/secrets"},
		{"private read of two collections", []string{"get-private secrets plain", "get-private more E"}, "asset asset/more asset/secrets"},
		// Only GetPrivateData adds to PrivateReads.
		{"hash", []string{"hash secrets plain"}, "asset"},
		{"metadata of a private key", []string{"get-policy secrets C"}, "asset"},
		// A range of a collection is not in the read/write set.
		{"private range", []string{"range-private secrets"}, ""},
		// parseWritesetMetadata sets policyRequired[ns][""] = false, and no key of the public state makes it true.
		{"private write", []string{"put-private secrets plain"}, "asset/secrets!reads"},
		{"private delete", []string{"del-private secrets plain"}, "asset/secrets!reads"},
		{"purge", []string{"purge secrets plain"}, "asset/secrets!reads"},
		{"private policy of a key that has none", []string{"policy-private secrets plain"}, "asset/secrets!reads"},
		{"private write and read", []string{"get-private secrets plain", "put-private secrets plain"}, "asset/secrets"},
		{"private write and hash", []string{"hash secrets plain", "put-private secrets plain"}, "asset/secrets!reads"},
		{"private write and another's read", []string{"get-private more E", "put-private secrets plain"}, "asset/more asset/secrets!reads"},
		{"private write and public read", []string{"get plain", "put-private secrets plain"}, "asset/secrets!reads"},
		{"private and public write", []string{"put plain", "put-private secrets plain"}, "asset asset/secrets!reads"},
		// The policies of private keys are with the public call; their collection is there only if something requires it.
		{"private write of a key with a policy", []string{"put-private secrets C"}, "asset+C!policy"},
		{"its read, too", []string{"get-private secrets C", "put-private secrets C"}, "asset+C!policy asset/secrets"},
		{"a private key with and one without", []string{"put-private secrets C", "put-private secrets plain"}, "asset+C!policy asset/secrets!reads"},
		{"purge of a key with a policy", []string{"purge secrets C"}, "asset+C!policy"},
		{"policies of two collections and of a public key", []string{"put A", "put-private secrets C", "put-private more E"}, "asset+A+E+C!policy"},
		{"a public key without a policy, a private one with", []string{"put plain", "put-private secrets C"}, "asset+C"},
		// Each namespace by itself.
		{"callee reads", []string{"put plain", "call other: get D"}, "asset other"},
		{"callee writes a key with a policy", []string{"put plain", "call other: put D"}, "asset other+D!policy"},
		{"only the callee touches something", []string{"call other: put-private secrets x"}, "other/secrets!reads"},
		// IsSysCC.
		{"system chaincode writes", []string{"put plain", "call lifecycle: put x"}, "asset"},
		{"system chaincode alone", []string{"call lifecycle: get x"}, ""},
		// What has failed has an interest, what is between has none.
		{"500", []string{"put A", "end 500"}, "asset+A!policy"},
		{"499", []string{"put A", "end 499"}, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, c.lines...).Signed)
			if err != nil || r.GetResponse().GetMessage() != "" {
				t.Fatalf("%v, %v", r, err)
			}
			if got := shownInterest(r.GetInterest()); got != c.want {
				t.Errorf("the interest is %q, want %q", got, c.want)
			}
		})
	}
}

// As long as a channel has no metadata, what is written has no policies.
func TestInterestWithoutMetadata(t *testing.T) {
	n := newScripted(t)
	r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, "put A", "policy A", "put-private secrets C").Signed)
	if got, want := shownInterest(r.GetInterest()), "asset asset/secrets!reads"; err != nil || got != want {
		t.Errorf("the interest is %q (%v), want %q", got, err, want)
	}
}

// A key's policy that is none fails the transaction, as in Fabric (protoutil.UnmarshalSignaturePolicy).
func TestInterestOfBadPolicy(t *testing.T) {
	n := newScripted(t)
	n.commit("put bad", "policy bad")
	r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, "put bad").Signed)
	want := "error in simulation: error unmarshalling SignaturePolicyEnvelope: "
	if err != nil || !strings.HasPrefix(r.GetResponse().GetMessage(), want) || r.GetResponse().GetStatus() != 500 || r.GetEndorsement() != nil || r.GetInterest() != nil {
		t.Errorf("%v, %v, want %q", r, err, want)
	}
}

// uninteresting is a ledger that doesn't know what decides who must endorse.
type uninteresting struct{ ledger.Ledger }

type plainSimulator struct{ ledger.Simulator }

func (l uninteresting) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	sim, err := l.Ledger.NewSimulator(ctx, txID)
	return plainSimulator{sim}, err
}

// watched is a ledger that shows the last simulator that it has made.
type watched struct {
	ledger.Ledger
	last ledger.Simulator
}

func (l *watched) NewSimulator(ctx context.Context, txID string) (sim ledger.Simulator, err error) {
	sim, err = l.Ledger.NewSimulator(ctx, txID)
	l.last = sim
	return sim, err
}

// A proposal's simulator is done with it, however the proposal ends.
func TestDone(t *testing.T) {
	n := newScripted(t)
	l := &watched{Ledger: n.channel.Ledger}
	n.channel.Ledger = l
	for _, line := range []string{"put plain", "end 500", "no-verb x"} {
		r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, line).Signed)
		if err != nil || r == nil {
			t.Fatalf("%v, %v", r, err)
		}
		if _, err := l.last.GetState(t.Context(), "asset", "k"); err == nil || !strings.Contains(err.Error(), "after calling Done()") {
			t.Errorf("%s: the simulator says %v", line, err)
		}
	}
}

// There is no interest if the ledger doesn't know, and where Fabric has no simulator: without a channel, and in qscc.
func TestNoInterest(t *testing.T) {
	n := newScripted(t)
	for _, c := range []struct{ channelID, chaincode, want string }{{"mychannel", "asset", ""}, {"", "qscc", "none"}, {"mychannel", "qscc", "none"}, {"mychannel", "lifecycle", ""}} {
		p := n.propose(func(p *identity.ProposalParams) { p.ChannelID, p.Chaincode = c.channelID, c.chaincode })
		r, err := n.endorser.ProcessProposal(t.Context(), p.Signed)
		if err != nil || r.GetResponse().GetStatus() != 200 || shownInterest(r.GetInterest()) != c.want {
			t.Errorf("%s on %q: %v, %v", c.chaincode, c.channelID, r, err)
		}
	}
	n.channel.Ledger = uninteresting{n.channel.Ledger}
	n.channel.Results = func(ctx context.Context, sim ledger.Simulator) (public, private []byte, err error) {
		r, err := kvledger.ResultsOf(ctx, sim.(plainSimulator).Simulator)
		if err != nil {
			return nil, nil, err
		}
		return r.RWSet, r.PrivateRWSet, nil
	}
	r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, "put plain").Signed)
	if err != nil || r.GetEndorsement() == nil || r.GetInterest() != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// Equal transactions have equal interests, whatever the order of Go's maps.
func TestInterestOrder(t *testing.T) {
	n := newScripted(t)
	lines := []string{"get-private more E", "get-private secrets E", "put x", "call other: put y"}
	want := "asset asset/more asset/secrets other"
	for range 10 {
		slices.Reverse(lines)
		r, err := n.endorser.ProcessProposal(t.Context(), n.propose(nil, lines...).Signed)
		if got := shownInterest(r.GetInterest()); err != nil || got != want {
			t.Fatalf("the interest is %q (%v), want %q", got, err, want)
		}
	}
}
