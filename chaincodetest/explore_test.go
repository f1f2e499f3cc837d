package chaincodetest_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/shim"
)

// tokens keep balances. A transfer to oneself makes money, if it is of more than 3.
type tokens struct{}

func (tokens) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (tokens) Invoke(stub shim.ChaincodeStubInterface) *shim.Response {
	_, args := stub.GetFunctionAndParameters()
	from, to := args[0], args[1]
	amount, err := strconv.Atoi(args[2])
	if err != nil || amount < 0 {
		return shim.Error("a bad amount")
	}
	var balances [2]int
	for i, name := range []string{from, to} {
		b, err := stub.GetState(name)
		if err != nil {
			return shim.Error(err.Error())
		}
		balances[i], _ = strconv.Atoi(string(b))
	}
	if balances[0] < amount {
		return shim.Error("no funds")
	}
	if from == to && amount <= 3 {
		return shim.Success(nil)
	}
	for i, name := range []string{from, to} {
		if err := stub.PutState(name, []byte(strconv.Itoa(balances[i]-amount+2*i*amount))); err != nil {
			return shim.Error(err.Error())
		}
	}
	return shim.Success(nil)
}

// explore looks for money that comes from nowhere.
func explore(t testing.TB, args ...chaincodetest.Arg) *chaincodetest.Net {
	net := chaincodetest.New(t)
	net.Deploy("token", chaincodetest.InProcess(tokens{}))
	for _, name := range []string{"alice", "bob", "carol"} {
		net.Set("token", name, 100)
	}
	net.Explore(chaincodetest.Exploration{
		Seed:  7,
		Calls: []chaincodetest.Call{{As: []*chaincodetest.Client{net.As("alice"), net.As("bob")}, Chaincode: "token", Function: "Transfer", Args: args}},
		Invariants: map[string]func(*chaincodetest.Net) error{"supply": func(n *chaincodetest.Net) error {
			sum := 0
			for _, name := range []string{"alice", "bob", "carol"} {
				var balance int
				n.State("token", name).Into(&balance)
				sum += balance
			}
			if sum != 300 {
				return errors.Errorf("there are %d tokens, and not 300", sum)
			}
			return nil
		}},
	})
	return net
}

// The shortest sequence that makes money is one transfer of 4 to oneself.
func TestExploreShrinks(t *testing.T) {
	names := chaincodetest.OneOf("alice", "bob", "carol")
	said := record(t, t.Name(), func(tb testing.TB) { explore(tb, names, names, chaincodetest.Between(-1, 200)) })
	for _, want := range []string{`invariant "supply" doesn't hold: there are 304 tokens, and not 300`, "It takes one transaction (CHAINCODETEST_SEED=7 does the same again)", "> PUT_STATE "} {
		if !strings.Contains(said, want) {
			t.Errorf("it says %s\nwant %s", said, want)
		}
	}
	found := false
	for _, name := range []string{"alice", "bob", "carol"} {
		for _, client := range []string{"alice", "bob"} {
			found = found || strings.Contains(said, fmt.Sprintf("    %s.Submit(%q, %q, %q, %q, 4)", client, "token", "Transfer", name, name))
		}
	}
	if !found {
		t.Errorf("it says %s", said)
	}
}

// Chaincode that keeps its invariants is left with the state that it had before.
func TestExploreFindsNothing(t *testing.T) {
	net := explore(t, chaincodetest.OneOf("alice", "bob"), chaincodetest.OneOf("carol"), chaincodetest.Between(0, 50))
	net.State("token", "carol").Is(100)
}

func TestExploreUsesWhatItHasSeen(t *testing.T) {
	net, alice := newNet(t)
	net.Explore(chaincodetest.Exploration{
		Seed: 1,
		Calls: []chaincodetest.Call{
			{As: []*chaincodetest.Client{alice}, Chaincode: "basic", Function: "Create", Args: []chaincodetest.Arg{chaincodetest.Seen("a1", "a2"), chaincodetest.Between(1, 9)}},
			{As: []*chaincodetest.Client{alice}, Chaincode: "basic", Function: "Delete", Args: []chaincodetest.Arg{chaincodetest.Seen()}},
		},
	})
}

func TestExploreFindsPanics(t *testing.T) {
	said := record(t, t.Name(), func(tb testing.TB) {
		net, alice := newNet(tb)
		net.Explore(chaincodetest.Exploration{Steps: 20, Calls: []chaincodetest.Call{
			{As: []*chaincodetest.Client{alice}, Chaincode: "basic", Function: "Echo"},
			{As: []*chaincodetest.Client{alice}, Chaincode: "basic", Function: "Panic", Args: []chaincodetest.Arg{chaincodetest.OneOf(1)}},
		}})
	})
	if !strings.Contains(said, "index out of range [7]") || !strings.Contains(said, `    alice.Submit("basic", "Panic", `) {
		t.Errorf("it says %s", said)
	}
}

// busy is a chaincode that counts how many of its transactions run at once. Each takes a second.
type busy struct {
	mu        sync.Mutex
	now, most int
}

func (*busy) Init(shim.ChaincodeStubInterface) *shim.Response { return shim.Success(nil) }

func (b *busy) Invoke(shim.ChaincodeStubInterface) *shim.Response {
	b.add(1)
	defer b.add(-1)
	<-time.After(time.Second)
	return shim.Success(nil)
}

func (b *busy) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now += n
	b.most = max(b.most, b.now)
}

// The transactions of a block run at the same time.
func TestExploreRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, cc := chaincodetest.New(t), new(busy)
		net.Deploy("cc", chaincodetest.InProcess(cc))
		net.Explore(chaincodetest.Exploration{
			Seed: 1, Block: 4, Calls: []chaincodetest.Call{{As: []*chaincodetest.Client{net.As("alice")}, Chaincode: "cc", Function: "Run"}},
		})
		if cc.most != 4 {
			t.Errorf("at most %d transactions have run at once, want 4", cc.most)
		}
	})
}

func TestWrongExplorations(t *testing.T) {
	for want, calls := range map[string][]chaincodetest.Call{
		"there are no Calls": nil,
		"Call basic.Create: want clients, and a chaincode that is deployed": {{Chaincode: "basic", Function: "Create"}},
	} {
		said := record(t, t.Name(), func(tb testing.TB) { chaincodetest.New(tb).Explore(chaincodetest.Exploration{Calls: calls}) })
		if !strings.Contains(said, want) {
			t.Errorf("it says %q, want %q", said, want)
		}
	}
}

// Explore runs a chaincode as often as Submit does.
func TestExploreWithoutDeterminism(t *testing.T) {
	net, alice := newNet(t, chaincodetest.WithoutDeterminism())
	net.Explore(chaincodetest.Exploration{Steps: 3, Calls: []chaincodetest.Call{
		{As: []*chaincodetest.Client{alice}, Chaincode: "basic", Function: "Count"},
	}})
}
