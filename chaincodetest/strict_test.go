package chaincodetest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/shim"
)

// policies sets the policy of a private key.
type policies struct{}

func (policies) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (policies) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	if err := stub.SetPrivateDataValidationParameter("secrets", "k", []byte("policy")); err != nil {
		return shim.Error(err.Error())
	}
	return shim.Success(nil)
}

// stale returns a simulation that is invalid once it is committed.
func stale(_ *chaincodetest.Net, alice *chaincodetest.Client) *chaincodetest.Tx {
	tx := alice.Simulate("basic", "Transfer", "a1", "bob")
	alice.Submit("basic", "Transfer", "a1", "carol").OK()
	return tx
}

// What doesn't hold is not taken for right.
func TestStrict(t *testing.T) {
	for want, test := range map[string]func(*chaincodetest.Net, *chaincodetest.Client){
		"failed, and the test never asked": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			net.Commit(stale(net, alice).OK())
		},
		"want status 200, got it, but it was committed as invalid: MVCC_READ_CONFLICT": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			tx := stale(net, alice)
			net.Commit(tx)
			tx.Status(200)
		},
		"the payload of event Transferred isn't what was expected": func(_ *chaincodetest.Net, alice *chaincodetest.Client) {
			alice.Submit("basic", "Transfer", "a1", "bob").Event("Transferred", &asset{"a1", 5, "carol"})
		},
		"decode the payload of event Transferred into a *int": func(_ *chaincodetest.Net, alice *chaincodetest.Client) {
			alice.Submit("basic", "Transfer", "a1", "bob").EventInto("Transferred", new(int))
		},
		"want event Moved, got event Transferred": func(_ *chaincodetest.Net, alice *chaincodetest.Client) {
			alice.Submit("basic", "Transfer", "a1", "bob").EventInto("Moved", new(asset))
		},
		"want it to write nothing, but it writes": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			net.Deploy("policies", chaincodetest.InProcess(policies{}), chaincodetest.CollectionConfigs(
				ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')"}))
			alice.Simulate("policies", "Set").WritesNothing()
		},
		"was submitted to a block that is committed already": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			var late *chaincodetest.Block
			net.Block(func(b *chaincodetest.Block) { late = b })
			late.Submit(alice, "basic", "Transfer", "a1", "bob")
		},
		"basic.Transfer by alice@Org1MSP (transaction 3) failed, and the test never asked": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			net.Block(func(b *chaincodetest.Block) {
				b.Submit(alice, "basic", "Transfer", "a1", "bob").OK()
				b.Submit(alice, "basic", "Transfer", "a1", "carol").OK()
			})
		},
		"not committed, because it failed": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			var tx *chaincodetest.Tx
			net.Block(func(b *chaincodetest.Block) { tx = b.Submit(alice, "basic", "Transfer", "a2", "bob") })
			tx.OK()
		},
		"(transaction 2) is there twice": func(net *chaincodetest.Net, alice *chaincodetest.Client) {
			tx := alice.Simulate("basic", "Transfer", "a1", "bob")
			net.Commit(tx, tx)
		},
	} {
		said := record(t, t.Name(), func(tb testing.TB) {
			net, alice := newNet(tb)
			alice.Submit("basic", "Create", "a1", 5).OK()
			test(net, alice)
		})
		if !strings.Contains(said, want) {
			t.Errorf("it says %s\nwant %s", said, want)
		}
	}
}

// A ledger isn't asked for what can't be there.
func TestTypos(t *testing.T) {
	eachBackend(t, func(t *testing.T, option chaincodetest.Option) {
		const noChaincode, noCollection = `no chaincode "basics" is deployed; there is basic`,
			`chaincode basic has no collection "secret"; there is secrets, _implicit_org_Org1MSP`
		for i, test := range []struct {
			want string
			try  func(*chaincodetest.Net)
		}{
			{noChaincode, func(net *chaincodetest.Net) { net.State("basics", "a1").Absent() }},
			{noChaincode, func(net *chaincodetest.Net) { net.Private("basics", "secrets", "a1").Absent() }},
			{noChaincode, func(net *chaincodetest.Net) { net.History("basics", "a1") }},
			{noChaincode, func(net *chaincodetest.Net) { net.Query("basics", `{"selector":{}}`) }},
			{noChaincode, func(net *chaincodetest.Net) { net.Set("basics", "a1", "v") }},
			{noCollection, func(net *chaincodetest.Net) { net.Private("basic", "secret", "a1").Absent() }},
			{"want a collection", func(net *chaincodetest.Net) { net.Private("basic", "", "a1").Absent() }},
		} {
			said := record(t, t.Name(), func(tb testing.TB) {
				net, _ := newNet(tb, option)
				test.try(net)
			})
			if !strings.Contains(said, test.want) {
				t.Errorf("%d: it says %q, want %q", i, said, test.want)
			}
		}
		net, _ := newNet(t, option)
		net.Private("basic", "_implicit_org_Org1MSP", "a1").Absent()
	})
}

// caller calls another chaincode after many requests of its own.
type caller struct{}

func (caller) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (caller) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	for i := range 600 {
		if _, err := stub.GetState(fmt.Sprint("k", i)); err != nil {
			return shim.Error(err.Error())
		}
	}
	return stub.InvokeChaincode("basic", [][]byte{[]byte("Echo"), []byte("the end")}, "")
}

// A long conversation has its end, and the calls that it had are known.
func TestLongConversation(t *testing.T) {
	net, alice := newNet(t)
	net.Deploy("caller", chaincodetest.InProcess(caller{}))
	said := alice.Simulate("caller", "Run").OK().Calls("basic", "Echo").String()
	for _, want := range []string{"< TRANSACTION Run()", "> INVOKE_CHAINCODE basic Echo(", "> COMPLETED 200", " more messages, and then", "read    … and 550 more keys"} {
		if !strings.Contains(said, want) {
			t.Errorf("there is no %q in %s", want, said)
		}
	}
}

// An upgrade changes what options say, and keeps the rest.
func TestUpgradeKeepsDefinition(t *testing.T) {
	eachBackend(t, func(t *testing.T, option chaincodetest.Option) {
		net := chaincodetest.New(t, option)
		cc := chaincodetest.InProcess(new(assets))
		net.Deploy("basic", cc, chaincodetest.MetaInf("testdata"), chaincodetest.Collections("testdata/collections.json"), chaincodetest.InitRequired())
		net.Deploy("basic", cc, chaincodetest.MetaInf("testdata"))
		alice := net.As("alice@Org1MSP", "name", "alice")
		alice.Submit("basic", "Create", "a1", 1).Fails("has not been initialized")
		alice.AsInit().Submit("basic", "Init").OK()
		alice.Transient("price", 7).Submit("basic", "Private", "a1").OK()
		net.Deploy("basic", cc, chaincodetest.CollectionConfigs(ledger.CollectionConfig{Name: "secrets", Policy: "OR('Org1MSP.member')"}))
		net.Set("basic", "a2", asset{"a2", 3, "bob"})
		net.Query("basic", map[string]any{"selector": map[string]any{"owner": "bob"}, "sort": []string{"owner"}})
	})
}

// What Dump writes is what Load reads, byte by byte.
func TestDumpIsExact(t *testing.T) {
	values := []string{"null", "{ }", "[1, 2]", "1 ", `"s"`, `{"b":1,"a":2}`, `{"a":"<&>"}`, "{}}", "base64:x", "1e3", "\xff", `"\xff"`, "text", "true"}
	net, _ := newNet(t)
	for i, v := range values {
		net.Set("basic", fmt.Sprint("k", i), v)
	}
	file := t.TempDir() + "/dump.json"
	if err := os.WriteFile(file, net.Dump(), 0o600); err != nil {
		t.Fatal(err)
	}
	other, _ := newNet(t)
	other.Load(file)
	for i, v := range values {
		if got := other.State("basic", fmt.Sprint("k", i)).Bytes; string(got) != v {
			t.Errorf("%q became %q", v, got)
		}
	}
}

// ending is a test that go test is going to end soon.
type ending struct {
	*recorder
	at time.Time
}

func (e *ending) Deadline() (time.Time, bool) { return e.at, true }

// A transaction ends before go test ends the process, however late it began, and whichever test has made the network.
func TestDeadline(t *testing.T) {
	r := &ending{&recorder{TB: t, name: t.Name()}, time.Now().Add(time.Hour)}
	net, alice := newNet(r)
	alice.Submit("basic", "Create", "a1", 5).OK()
	net.Inject(chaincodetest.Fault{Request: "GET_STATE", Delay: 24 * time.Hour})
	r.at = time.Now().Add(8 * time.Second) // the network needs seven to end
	alice.Submit("basic", "Transfer", "a1", "bob").Fails("timeout expired while executing transaction")
	r.end()
}

// digest is bytes under another name.
type digest []byte

func TestNamedBytes(t *testing.T) {
	net, _ := newNet(t)
	net.Set("basic", "k", digest{0xff, 1})
	net.State("basic", "k").Is([]byte{0xff, 1})
}

// Without attributes, a client is whoever has the name.
func TestSameClient(t *testing.T) {
	eachBackend(t, func(t *testing.T, option chaincodetest.Option) {
		net, alice := newNet(t, option)
		if again := net.As("alice"); again.ID() != alice.ID() {
			t.Error("it is another client")
		}
		net.As("alice").Submit("basic", "Create", "a1", 5).OK().Writes("a1", asset{"a1", 5, "alice"})
	})
}

func TestGoPackageIsNoProgram(t *testing.T) {
	said := record(t, t.Name(), func(tb testing.TB) { chaincodetest.New(tb).Deploy("cc", chaincodetest.GoPackage(".")) })
	if !strings.Contains(said, "it is package chaincodetest, and not main") {
		t.Errorf("it says %q", said)
	}
}
