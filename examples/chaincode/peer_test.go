// Package chaincode_test runs the chaincodes that are written with Fabric's own shims, as they are, as processes. They
// are modules of their own, and know nothing of this library.
package chaincode_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network is a network whose first organization's peer runs a chaincode. The first call launches it.
type network struct {
	*testing.T
	*peer.Network
	chaincode string // its name, and the beginning of its ID
}

// startPeer starts a network of two organizations, which ends with the test. Chaincode connects to the first one's peer by mutual
// TLS. It listens where cfg.PeerAddress says, or else on a port of its own; what else is missing in cfg is completed.
func startPeer(t *testing.T, chaincode string, cfg process.Config) *network {
	t.Helper()
	l := listen(t, &cfg)
	auth, err := accesscontrol.New(accesscontrol.Config{Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	n, err := peer.NewNetwork(t.Context(), peer.NetworkConfig{
		Organizations: []peer.Organization{{MSPID: "Org1MSP"}, {MSPID: "Org2MSP"}},
		Support: func(string) chaincodesupport.Config {
			return chaincodesupport.Config{Credentials: auth.ServerCredentials(), Identify: auth.Identify}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- n.Peer("Org1MSP").Support().Serve(l) }()
	t.Cleanup(func() {
		if err := n.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	cfg.TLS, cfg.Logger = auth, zaptest.NewLogger(t)
	if err := n.Deploy(t.Context(), "", peer.Chaincode{
		Name: chaincode, Version: "1.0", Endorsement: "ANY Endorsement",
		Collections: []ledger.CollectionConfig{{Name: "prices", Policy: "OR('Org1MSP.member')"}},
		RuntimeOf: func(p *peer.Peer) (runtime.Runtime, error) {
			if p.MSPID() != "Org1MSP" {
				return nil, nil
			}
			cfg.MSPID = p.MSPID()
			return process.New(cfg)
		},
	}); err != nil {
		t.Fatal(err)
	}
	return &network{t, n, chaincode}
}

func listen(t *testing.T, cfg *process.Config) net.Listener {
	t.Helper()
	network, at := "tcp", "127.0.0.1:0"
	if path, ok := strings.CutPrefix(cfg.PeerAddress, "unix://"); ok {
		network, at = "unix", path
	}
	l, err := net.Listen(network, at)
	if err != nil {
		t.Fatal(err)
	}
	if network == "tcp" {
		cfg.PeerAddress = l.Addr().String()
	}
	return l
}

// watch has go test run the tests again, and not take their results from its cache, when a file of a folder has changed:
// it looks at what the tests open themselves.
func watch(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.ReadDir(folder); err != nil {
		t.Fatal(err)
	}
}

// client is a client of an organization.
func (n *network) client(name string, attributes map[string]string) *identity.Identity {
	n.Helper()
	id, err := n.Client(name, attributes)
	if err != nil {
		n.Fatal(err)
	}
	return id
}

// call is a call of the chaincode, and what must come of it.
type call struct {
	client    *identity.Identity
	transient map[string][]byte
	args      []string
	want      string // the payload, or the message if the chaincode refuses
	refused   bool
	event     string // its name
}

// run runs calls, each on what those before it have committed, and returns the last one's transaction ID.
func (n *network) run(calls ...call) (txID string) {
	n.Helper()
	for _, c := range calls {
		txID = n.runOne(c)
	}
	return txID
}

func (n *network) runOne(c call) (txID string) {
	n.Helper()
	done, err := n.Submit(n.Context(), c.client, peer.Call{Chaincode: n.chaincode, Args: bytes(c.args), Transient: c.transient})
	var refused *peer.RefusedError
	switch {
	case errors.As(err, &refused):
		n.check(c, refused.Result)
		return refused.TxID
	case err != nil:
		n.Fatalf("%q: %v", c.args, err)
	}
	n.check(c, done.Result)
	return done.TxID
}

// check compares an answer with what a call wants. An event must come from the peer with all that clients are told.
func (n *network) check(c call, r peer.Result) {
	n.Helper()
	got := string(r.Payload)
	if c.refused {
		got = r.Message
	}
	if got != c.want || c.refused != (r.Status >= 400) {
		n.Errorf("%q: status %d, message %q, payload %s; want %s", c.args, r.Status, r.Message, r.Payload, c.want)
	}
	var event chaincodesupport.Event
	if r.Event != nil {
		event = *r.Event
	}
	if event.Name != c.event || c.event != "" && (event.Chaincode != n.chaincode || event.TxID != r.TxID || len(event.Payload) == 0) {
		n.Errorf("%q: event %q of %q with %q; want %q", c.args, event.Name, event.Chaincode, event.Payload, c.event)
	}
}

// wantState compares what is committed under a key of the chaincode, by both peers.
func (n *network) wantState(key, want string) {
	n.Helper()
	for _, p := range n.Peers() {
		state, err := p.Channel(peer.DefaultChannel).Ledger().KeyState(n.Context(), n.chaincode, key)
		if err != nil {
			n.Fatal(err)
		}
		if state == nil {
			state = &kvledger.KeyState{}
		}
		if string(state.Value) != want {
			n.Errorf("%q is %q at %s; want %q", key, state.Value, p.Name(), want)
		}
	}
}

func bytes(args []string) [][]byte {
	all := make([][]byte, len(args))
	for i, a := range args {
		all[i] = []byte(a)
	}
	return all
}
