package collections_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// vault is a chaincode. Its arguments are calls, each of a method, a collection, a key and a value, between blanks. It
// goes on after one that fails, and answers what came of each.
type vault struct{}

func (vault) Init(stub shim.ChaincodeStubInterface) *shim.Response { return vault{}.Invoke(stub) }

func (vault) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	var answers []string
	for _, call := range stub.GetStringArgs() {
		answer, err := do(stub, append(strings.Fields(call), "", "", ""))
		if err != nil {
			answer = []byte(err.Error())
		}
		answers = append(answers, string(answer))
	}
	return shim.Success([]byte(strings.Join(answers, "\n")))
}

func do(stub shim.ChaincodeStubInterface, call []string) ([]byte, error) {
	collection, key, value := call[1], call[2], call[3]
	switch call[0] {
	case "get":
		return stub.GetPrivateData(collection, key)
	case "hash":
		h, err := stub.GetPrivateDataHash(collection, key)
		return fmt.Appendf(nil, "%x", h), err
	case "put":
		return nil, stub.PutPrivateData(collection, key, []byte(value))
	case "del":
		return nil, stub.DelPrivateData(collection, key)
	case "range":
		it, err := stub.GetPrivateDataByRange(collection, "", "")
		if err != nil {
			return nil, err
		}
		defer it.Close() //nolint:errcheck // of a chaincode that only reads
		kv, err := it.Next()
		return []byte(kv.GetKey()), err
	}
	return nil, fmt.Errorf("no method %q", call[0])
}

// network is a peer with a vault as chaincode asset on channel ch1.
type network struct {
	*chaincodesupport.ChaincodeSupport
	t      *testing.T
	ledger *kvledger.Ledger
	asked  int // how often the CollectionStore was
	// wrap is what chaincode runs on instead of the ledger's simulator, unless it is nil.
	wrap func(*kvledger.Simulator) ledger.Simulator
}

func newNetwork(t *testing.T, s collections.Store) *network {
	t.Helper()
	n := &network{t: t}
	engine := memory.New()
	rt := inproc.Runtime(func(_ context.Context, id string, s pb.ClientStream) error { return shim.StartInProc(id, s, vault{}) })
	var err error
	if n.ledger, err = kvledger.NewProvider(engine).Open(t.Context(), "ch1"); err != nil {
		t.Fatal(err)
	}
	n.ChaincodeSupport, err = chaincodesupport.New(chaincodesupport.Config{
		Hooks:    handler.Hooks{CollectionStore: counting{s, &n.asked}},
		Limits:   handler.Limits{Offer: handler.Offer{WriteBatch: -1}},
		Runtimes: chaincodesupport.OneRuntime(rt),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// counting counts how often a CollectionStore is asked. The network's transactions come one after the other.
type counting struct {
	handler.CollectionStore
	asked *int
}

func (c counting) CollectionPermission(ctx context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	*c.asked++
	return c.CollectionStore.CollectionPermission(ctx, r)
}

// run runs a transaction of who's, commits it, and returns the chaincode's answers, in which TXID stands for the
// transaction's ID.
func (n *network) run(who any, calls ...string) []string {
	n.t.Helper()
	p := propose(n.t, who)
	sim, err := n.ledger.NewSimulator(n.t.Context(), p.TxID)
	if err != nil {
		n.t.Fatal(err)
	}
	used := sim
	if n.wrap != nil {
		used = n.wrap(sim.(*kvledger.Simulator))
	}
	simulation := handler.NewSimulation(used)
	defer simulation.Done()
	var in chaincodesupport.Input
	for _, c := range calls {
		in.Args = append(in.Args, []byte(c))
	}
	result, err := n.Execute(n.t.Context(), "asset:1", handler.TxParams{
		ChannelID: "ch1", TxID: p.TxID, SignedProposal: p.Signed, Simulation: simulation,
	}, in)
	if err == nil {
		err = result.Err()
	}
	if err != nil {
		n.t.Fatal(err)
	}
	tx, err := kvledger.TransactionOf(n.t.Context(), sim, p.TxID, p.Timestamp)
	if err != nil {
		n.t.Fatal(err)
	}
	if code, err := n.ledger.CommitTx(n.t.Context(), tx); err != nil || code != kvledger.Valid {
		n.t.Errorf("commit: %s, %v", code, err)
	}
	return strings.Split(strings.ReplaceAll(string(result.Payload), p.TxID, "TXID"), "\n")
}

// wants checks answers.
func (n *network) wants(got []string, want ...string) {
	n.t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		n.t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// defined is the simulator of a ledger that has its definitions from elsewhere.
type defined struct {
	*kvledger.Simulator
	definitions
}

func (d defined) GetCollectionConfig(ctx context.Context, namespace, collection string) (*ledger.CollectionConfig, error) {
	return d.definitions.GetCollectionConfig(ctx, namespace, collection)
}

// These are what the tests below define.
var secrets = []ledger.CollectionConfig{
	{Name: "secrets", Policy: "OR('Org1MSP.client', 'Org1MSP.peer')", MemberOnlyRead: true, MemberOnlyWrite: true},
	{Name: "inbox", Policy: "OR('Org1MSP.member')", MemberOnlyRead: true},
	{Name: "notices", Policy: "OR('Org1MSP.member')", MemberOnlyWrite: true},
	{Name: "open", Policy: "OR('Org1MSP.member')"},
}

// elsewhere defines secrets for chaincode asset, around the ledger.
func elsewhere(sim *kvledger.Simulator) ledger.Simulator {
	d := definitions{configs: map[string]ledger.CollectionConfig{}}
	for _, c := range secrets {
		d.configs[c.Name] = c
	}
	return defined{sim, d}
}

const (
	cantRead  = "GET_STATE failed: transaction ID: TXID: tx creator does not have read access permission on privatedata in chaincodeName:asset collectionName: "
	cantWrite = "PUT_STATE failed: transaction ID: TXID: tx creator does not have write access permission on privatedata in chaincodeName:asset collectionName: "
)

func TestMembersAndOthers(t *testing.T) {
	n := newNetwork(t, collections.Store{})
	n.wrap = elsewhere
	playMembersAndOthers(t, n)
}

// The same, with what the reference ledger was given from a file.
func TestDefinedInLedger(t *testing.T) {
	n := newNetwork(t, collections.Store{})
	definitions, err := collections.Parse([]byte(`[
		{"name": "secrets", "policy": "OR('Org1MSP.client', 'Org1MSP.peer')", "memberOnlyRead": true, "memberOnlyWrite": true},
		{"name": "inbox", "policy": "OR('Org1MSP.member')", "memberOnlyRead": true},
		{"name": "notices", "policy": "OR('Org1MSP.member')", "memberOnlyWrite": true},
		{"name": "open", "policy": "OR('Org1MSP.member')"}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	alice := issue(t, newMSP(t, "Org1MSP"), "client")
	n.wants(n.run(alice, "get open k"), "GET_STATE failed: transaction ID: TXID: collection ch1/asset/open could not be found")
	if err := n.ledger.Define(t.Context(), "asset", kvledger.Definition{Collections: definitions}); err != nil {
		t.Fatal(err)
	}
	playMembersAndOthers(t, n)

	// A new definition counts from the next transaction on.
	definitions[3].Policy, definitions[3].MemberOnlyRead = "OR('Org2MSP.member')", true
	if err := n.ledger.Define(t.Context(), "asset", kvledger.Definition{Collections: definitions}); err != nil {
		t.Fatal(err)
	}
	n.wants(n.run(alice, "get open k"), cantRead+"open")
}

// playMembersAndOthers runs transactions on a network that has secrets.
func playMembersAndOthers(t *testing.T, n *network) {
	member := issue(t, newMSP(t, "Org1MSP"), "client")
	admin := issue(t, newMSP(t, "Org1MSP"), "admin") // whom the policy of secrets does not name
	stranger := issue(t, newMSP(t, "Org2MSP"), "client")

	n.wants(n.run(member, "put secrets k 1", "put inbox k 2", "put notices k 3", "put open k 4", "put _implicit_org_Org2MSP k 5"),
		"", "", "", "", "")
	reads := []string{"get secrets k", "get inbox k", "get notices k", "get open k", "get _implicit_org_Org2MSP k"}
	n.wants(n.run(member, reads...), "1", "2", "3", "4", "5")
	n.wants(n.run(admin, reads...), cantRead+"secrets", "2", "3", "4", "5")
	n.wants(n.run(stranger, reads...), cantRead+"secrets", cantRead+"inbox", "3", "4", "5")
	n.wants(n.run(stranger, "range secrets", "range notices"), strings.Replace(cantRead, "GET_STATE", "GET_STATE_BY_RANGE", 1)+"secrets", "k")
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte("1"))) // which everyone may know
	n.wants(n.run(stranger, "hash secrets k"), hash)
	n.wants(n.run(stranger, "put secrets k 6", "put inbox k 7", "put notices k 8", "put open k 9", "del secrets k"),
		cantWrite+"secrets", "", cantWrite+"notices", "", strings.Replace(cantWrite, "PUT_STATE", "DEL_STATE", 1)+"secrets")
	n.wants(n.run(member, reads...), "1", "7", "3", "9", "5")

	const unknown = "GET_STATE failed: transaction ID: TXID: collection ch1/asset/missing could not be found"
	n.wants(n.run(member, "get missing k", "get open k"), unknown, "9")
}

// What is allowed is asked once for each transaction and collection; what is not, again.
func TestPermissionIsRemembered(t *testing.T) {
	n := newNetwork(t, collections.Store{})
	n.wrap = elsewhere
	org1, org2 := newMSP(t, "Org1MSP"), newMSP(t, "Org2MSP")
	member, stranger := issue(t, org1, "client"), issue(t, org2, "client")
	asked := func(want int, who any, calls ...string) {
		t.Helper()
		n.asked = 0
		n.run(who, calls...)
		if n.asked != want {
			t.Errorf("%q: asked %d times, want %d", calls, n.asked, want)
		}
	}
	asked(1, member, "put secrets k 1", "get secrets k", "get secrets l", "del secrets m")
	asked(1, member, "get secrets k") // another transaction
	asked(2, member, "get secrets k", "get open k", "get secrets k")
	asked(1, stranger, "get inbox k", "put inbox k 1", "get inbox k") // it may write
	asked(2, stranger, "get secrets k", "get secrets k")
	asked(0, member, "hash secrets k", "hash missing k")
}

// A wrapper that hides what the ledger can do is a ledger without definitions.
func TestWrapperHidesDefinitions(t *testing.T) {
	n := newNetwork(t, collections.Store{})
	n.wrap = func(sim *kvledger.Simulator) ledger.Simulator {
		return struct {
			ledger.Simulator
			ledger.PrivateState
		}{sim, sim}
	}
	n.wants(n.run(issue(t, newMSP(t, "Org1MSP"), "client"), "get open k", "put _implicit_org_Org1MSP k 1"),
		"GET_STATE failed: transaction ID: TXID: collection ch1/asset/open could not be found: this peer's ledger has no definitions of collections", "")
}

// A proposal that is not its creator's opens nothing, and says why.
func TestImpostor(t *testing.T) {
	org1 := newMSP(t, "Org1MSP")
	verifier, err := identity.NewVerifier(org1.Organization())
	if err != nil {
		t.Fatal(err)
	}
	n := newNetwork(t, collections.Store{Verify: func(_ context.Context, _ string, p *identity.ParsedProposal) error {
		_, err := p.Verify(verifier, time.Now())
		return err
	}})
	n.wrap = elsewhere
	alice := issue(t, org1, "client")
	n.wants(n.run(alice, "put secrets k 1"), "")
	n.wants(n.run(alice.Creator(), "get secrets k", "get open k"), // whoever knows a certificate can name it
		"GET_STATE failed: transaction ID: TXID: collection ch1/asset/secrets: verify proposal: decode signature: asn1: syntax error: sequence truncated", "")
}
