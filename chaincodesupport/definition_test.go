package chaincodesupport_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/shim"
)

// defined are definitions by the chaincodes' names.
type defined map[string]chaincodesupport.Definition

func (d defined) Definition(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
	if def, ok := d[p.Namespace]; ok {
		return def, nil
	}
	return chaincodesupport.Definition{}, errors.Errorf("chaincode definition for '%s' not found", p.Namespace)
}

// called runs a transaction by the chaincode's name, commits it if it succeeds, and says how it went.
func (n *network) called(name, txID string, in chaincodesupport.Input) string {
	n.t.Helper()
	p := n.params(txID)
	r, err := n.Execute(n.t.Context(), name, p, in)
	if err != nil {
		return err.Error()
	}
	if r.Status < 400 {
		n.commit(p)
	}
	return fmt.Sprintf("%d %s%s", r.Status, r.Payload, r.Message)
}

// invalid is what Execute's error begins with when it refuses to run a chaincode.
const invalid = "failed to execute transaction TXID: invalid invocation: "

func asInit() chaincodesupport.Input { return chaincodesupport.Input{IsInit: true} }

// which is a chaincode that says which of its functions was called.
type which struct{ id string }

func (w which) Init(stub) *shim.Response   { return shim.Success([]byte("Init of " + w.id)) }
func (w which) Invoke(stub) *shim.Response { return shim.Success([]byte("Invoke of " + w.id)) }

// A chaincode that requires it is initialized once for each version, before anything else. The texts are those of Fabric
// (core/chaincode, ChaincodeSupport.CheckInvocation).
func TestInitExactlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		definitions := defined{
			"plain":  {ChaincodeID: "plain:abc", Version: "1"},
			"strict": {ChaincodeID: "strict:abc", Version: "1", InitRequired: true},
			"blank":  {},
		}
		n := newNetwork(t, chaincodesupport.Config{Definitions: definitions}, map[string]function{
			"plain:abc": calls, "strict:abc": which{"abc"}.Invoke, "strict:def": which{"def"}.Invoke,
		})
		call := func(name string, in chaincodesupport.Input, want string) {
			t.Helper()
			txID := n.next()
			want = strings.ReplaceAll(strings.ReplaceAll(want, "INVALID", invalid), "TXID", txID)
			if got := n.called(name, txID, in); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		call("plain", asInit(), "INVALIDchaincode 'plain' does not require initialization but called as init")
		call("strict", input(), "INVALIDchaincode 'strict' has not been initialized for this version, must call as init first")
		call("plain", input("strict"), "500 INVOKE_CHAINCODE failed: transaction ID: TXID: execute failed: "+
			"invalid invocation: chaincode 'strict' has not been initialized for this version, must call as init first")
		call("strict", asInit(), "200 Invoke of abc") // inProcess has one function for both
		call("strict", asInit(), "INVALIDchaincode 'strict' is already initialized but called as init")
		call("strict", input(), "200 Invoke of abc")
		call("plain", input("strict"), "200 Invoke of abc")
		definitions["strict"] = chaincodesupport.Definition{ChaincodeID: "strict:def", Version: "2", InitRequired: true}
		call("strict", input(), "INVALIDchaincode 'strict' has not been initialized for this version, must call as init first")
		call("strict", asInit(), "200 Invoke of def")
		call("strict", input(), "200 Invoke of def")
		call("blank", input(), "INVALIDdefinition of chaincode 'blank' has no chaincode ID")
		call("absent", input(), "INVALID[channel ch1] failed to get chaincode container info for absent: chaincode definition for 'absent' not found")
	})
}

// next numbers transactions.
func (n *network) next() string {
	n.transactions++
	return fmt.Sprintf("t%d", n.transactions)
}

// INIT is sent for an init, TRANSACTION otherwise; without definitions, too.
func TestCallTypes(t *testing.T) {
	for _, definitions := range []chaincodesupport.Definitions{nil, defined{"asset": {ChaincodeID: "asset", Version: "1", InitRequired: true}}} {
		synctest.Test(t, func(t *testing.T) {
			var seen []string
			rt := scripted(t, func(m *msg) *msg { seen = append(seen, m.Type.String()); return succeed(m) })
			n := newNetwork(t, chaincodesupport.Config{Runtimes: always(rt), Definitions: definitions}, nil)
			n.called("asset", "t1", asInit())
			n.called("asset", "t2", input())
			if want := []string{"INIT", "TRANSACTION"}; !slices.Equal(seen, want) {
				t.Errorf("chaincode saw %q, want %q", seen, want)
			}
		})
	}
}

// What keeps an init from being noted.
func TestInitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := chaincodesupport.Config{Definitions: defined{
			"strict": {ChaincodeID: "strict", Version: "1", InitRequired: true}, "nameless": {ChaincodeID: "strict", InitRequired: true},
		}}
		n := newNetwork(t, cfg, map[string]function{"strict": keeper})
		fails := func(method ledgertest.Method, fault ledgertest.Fault, want string) {
			t.Helper()
			n.watched["ch1"].On(method, fault)
			txID := n.next()
			if got := n.called("strict", txID, asInit()); got != "failed to execute transaction "+txID+": "+want {
				t.Errorf("got %q, want %q", got, want)
			}
			n.watched["ch1"].On(method, nil)
		}
		fire := ledgertest.Fail(errors.New("disk on fire"))
		fails(ledgertest.GetState, fire, "invalid invocation: could not get 'initialized' key: disk on fire")
		fails(ledgertest.SetState, fire, "invalid invocation: could not set 'initialized' key: disk on fire")
		fails(ledgertest.GetState, ledgertest.Panic("secret"), "panic during execution")
		_, err := n.Execute(t.Context(), "strict", handler.TxParams{ChannelID: "ch1", TxID: "t"}, asInit())
		wantError(t, err, "failed to execute transaction t: invalid invocation: chaincode 'strict' requires initialization, which needs a simulation")
		if got, want := n.called("nameless", "t", asInit()), "failed to execute transaction t: invalid invocation: chaincode 'nameless' requires initialization, but its definition has no version"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// decorator adds its name.
type decorator string

func (d decorator) Decorate(_ context.Context, p handler.TxParams, in chaincodesupport.Input) (map[string][]byte, error) {
	switch d {
	case "bad":
		return nil, errors.New("no seed")
	case "worse":
		panic("secret")
	}
	seen := strings.Join(slices.Sorted(maps.Keys(in.Decorations)), ",")
	return map[string][]byte{string(d): []byte(p.TxID + " after " + seen), "last": []byte(d)}, nil
}

func TestDecorators(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		show := func(s stub) *shim.Response {
			var lines []string
			for name, value := range s.GetDecorations() {
				lines = append(lines, name+"="+string(value))
			}
			slices.Sort(lines)
			return shim.Success([]byte(strings.Join(lines, "; ")))
		}
		chaincodes := map[string]function{"show": show, "caller": calls}
		n := newNetwork(t, chaincodesupport.Config{Decorators: []chaincodesupport.Decorator{decorator("b"), decorator("a")}}, chaincodes)
		in := input()
		in.Decorations = map[string][]byte{"given": []byte("x")}
		want := "200 a=t1 after b,given,last; b=t1 after given; given=x; last=a"
		if got := n.called("show", "t1", in); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if len(in.Decorations) != 1 {
			t.Errorf("the caller's map was changed: %q", in.Decorations)
		}
		if got := n.called("caller", "t2", input("show")); got != "200 " { // only what the peer's own caller calls
			t.Errorf("a called chaincode got %q", got)
		}
		for name, want := range map[string]string{
			"bad": "failed to execute transaction t: decorate the input of transaction t: no seed", "worse": "failed to execute transaction t: panic during execution",
		} {
			n := newNetwork(t, chaincodesupport.Config{Decorators: []chaincodesupport.Decorator{decorator(name)}}, chaincodes)
			if got := n.called("show", "t", input()); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// A chaincode of the peer can be called without a channel, also by another chaincode.
func TestBuiltinChaincode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peerInfo := func(s stub) *shim.Response { return shim.Success([]byte("on channel '" + s.GetChannelID() + "'")) }
		n := newNetwork(t, chaincodesupport.Config{Hooks: handler.Hooks{Builtins: []string{"qscc"}}}, map[string]function{"qscc": peerInfo, "caller": calls, "keeper": keeper})
		for _, test := range []struct{ chaincode, arg, want string }{
			{"qscc", "", "200 on channel ''"},
			{"caller", "qscc", "200 on channel ''"},
			{"caller", "keeper", "500 INVOKE_CHAINCODE failed: transaction ID: t: could not get valid transaction"},
		} {
			r, err := n.Execute(t.Context(), test.chaincode, handler.TxParams{TxID: "t"}, input(test.arg))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d %s%s", r.Status, r.Payload, r.Message); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		}
	})
}

// READY carries what the Config says.
func TestOffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			cfg  chaincodesupport.Config
			want *pb.ChaincodeAdditionalParams
		}{
			{chaincodesupport.Config{}, &pb.ChaincodeAdditionalParams{
				UseWriteBatch: true, MaxSizeWriteBatch: 1000, UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: 1000,
			}},
			{chaincodesupport.Config{Limits: handler.Limits{Offer: handler.Offer{WriteBatch: 7, MultipleKeys: 200}}},
				&pb.ChaincodeAdditionalParams{UseWriteBatch: true, MaxSizeWriteBatch: 100, UseGetMultipleKeys: true, MaxSizeGetMultipleKeys: 200}},
			{chaincodesupport.Config{Limits: handler.Limits{Offer: handler.Offer{WriteBatch: -1, MultipleKeys: -1}}},
				&pb.ChaincodeAdditionalParams{MaxSizeWriteBatch: 1000, MaxSizeGetMultipleKeys: 1000}},
		} {
			test.cfg.DevMode = true
			c := connect(t, newSupport(t, test.cfg)).register("asset:1")
			c.expect(pb.ChaincodeMessage_REGISTERED)
			if got := c.expect(pb.ChaincodeMessage_READY).Payload; string(got) != string(marshal(test.want)) {
				t.Errorf("READY says %x, want %v", got, test.want)
			}
			if err := c.CloseSend(); err != nil {
				t.Error(err)
			}
			if err := <-c.ended; err != nil {
				t.Errorf("the stream ended with %v", err)
			}
		}
	})
}
