package peer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// A chaincode that has no definition may use any collection, if the peer's hooks and the deployment both say so.
func TestAnyCollection(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{Support: func(string) chaincodesupport.Config {
		var cfg chaincodesupport.Config
		cfg.CollectionStore = handler.InsecureAllowAll{}
		return cfg
	}})
	alice := client(t, n, "alice")
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), AnyCollection: true})
	if _, err := n.Submit(t.Context(), alice, secret("putPrivate", "gold")); err != nil {
		t.Fatal(err)
	}
	if got, err := n.Evaluate(t.Context(), alice, call("getPrivate", "secrets", "k")); err != nil || string(got.Payload) != "gold" {
		t.Errorf("got %+v, %v", got, err)
	}
	l := n.Peers()[0].Channel("mychannel").Ledger()
	if d, err := l.Definition(t.Context(), "asset"); err != nil || d != nil {
		t.Errorf("the ledger has definition %+v, %v", d, err)
	}

	// Once it is defined, it may use what it is defined with.
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	if _, err := n.Submit(t.Context(), alice, secret("putPrivate", "gold")); err == nil || !strings.Contains(err.Error(), "secrets") {
		t.Errorf("a collection that is not defined: %v", err)
	}
	both := peer.Chaincode{Name: "asset", Runtime: runs(asset), AnyCollection: true, Collections: []ledger.CollectionConfig{secrets}}
	if err := n.Deploy(t.Context(), "", both); err == nil || !strings.Contains(err.Error(), "want one of them") {
		t.Errorf("both: %v", err)
	}
}

// Init may be called, as often as one likes, and needn't be.
func TestInitOptional(t *testing.T) {
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset), InitOptional: true})
	alice, initial := client(t, n, "alice"), call("put", "k", "v")
	initial.Init = true
	for _, c := range []peer.Call{call("put", "k", "v"), initial, initial, call("put", "k", "v")} {
		if _, err := n.Submit(t.Context(), alice, c); err != nil {
			t.Error(err)
		}
	}
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: runs(asset)})
	if _, err := n.Submit(t.Context(), alice, initial); err == nil || !strings.Contains(err.Error(), "does not require initialization but called as init") {
		t.Errorf("without InitOptional: %v", err)
	}
}

// Whoever is in the process is told the error itself, and not its text only.
func TestCause(t *testing.T) {
	broken := errors.New("it is broken")
	n := newNetwork(t, peer.NetworkConfig{})
	deploy(t, n, peer.Chaincode{Name: "asset", Runtime: inproc.Runtime(func(context.Context, string, pb.ClientStream) error { return broken })})
	for name, f := range map[string]func() error{
		"submit":   func() error { _, err := n.Submit(t.Context(), client(t, n, "alice"), call("get", "k")); return err },
		"evaluate": func() error { _, err := n.Evaluate(t.Context(), client(t, n, "alice"), call("get", "k")); return err },
	} {
		err := f()
		var failed *peer.ProposalError
		if !errors.As(err, &failed) || !errors.Is(err, broken) || !strings.Contains(failed.Message, "error in simulation: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is for development outlives a network, as the rest does.
func TestDevelopmentIsKept(t *testing.T) {
	all, folder := stores{}, t.TempDir()
	cfg := peer.NetworkConfig{Store: all.open, Folder: folder}
	first := newNetwork(t, cfg)
	deploy(t, first, peer.Chaincode{Name: "asset", AnyCollection: true, InitOptional: true})
	deploy(t, first, peer.Chaincode{Name: "other"})
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, cc := range newNetwork(t, cfg).Peers()[0].Channel("mychannel").Chaincodes() {
		if want := cc.Name == "asset"; cc.AnyCollection != want || cc.InitOptional != want {
			t.Errorf("got %+v", cc)
		}
	}
}
