// Package chaincode_test runs the chaincodes that are written with Fabric's own shims, as they are, as processes. They
// are modules of their own, and know nothing of this library.
package chaincode_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/submit"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const channel = "mychannel"

// peer is a peer with a ledger in memory, and a chaincode that is launched by the first call.
type peer struct {
	*testing.T
	chaincode string // its name, and the beginning of its ID
	ledger    *kvledger.Ledger
	support   *chaincodesupport.ChaincodeSupport
}

// startPeer starts a peer, which ends with the test, and to which chaincode connects by mutual TLS. It listens where
// cfg.PeerAddress says, or else on a port of its own; what else is missing in cfg is completed.
func startPeer(t *testing.T, chaincode string, cfg process.Config) *peer {
	t.Helper()
	p := &peer{T: t, chaincode: chaincode}
	var err error
	if p.ledger, err = kvledger.NewProvider(memory.New()).Open(t.Context(), channel); err != nil {
		t.Fatal(err)
	}
	l := listen(t, &cfg)
	auth, err := accesscontrol.New(accesscontrol.Config{Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	cfg.TLS, cfg.Logger = auth, zaptest.NewLogger(t)
	rt, err := process.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.support, err = chaincodesupport.New(chaincodesupport.Config{
		Hooks:       handler.Hooks{CollectionStore: handler.InsecureAllowAll{}},
		Runtimes:    chaincodesupport.OneRuntime(rt),
		Credentials: auth.ServerCredentials(),
		Identify:    auth.Identify,
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.support.Serve(l) }()
	t.Cleanup(func() {
		if err := p.support.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return p
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

// issue makes a client of an organization, whose MSP is new.
func (p *peer) issue(mspID, name string, attributes map[string]string) *identity.Identity {
	p.Helper()
	msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID, Organization: mspID + ".example.com"})
	if err != nil {
		p.Fatal(err)
	}
	id, err := msp.Issue(identity.Config{CommonName: name, Attributes: attributes})
	if err != nil {
		p.Fatal(err)
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
func (p *peer) run(calls ...call) (txID string) {
	p.Helper()
	for _, c := range calls {
		txID = p.runOne(c)
	}
	return txID
}

func (p *peer) runOne(c call) (txID string) {
	p.Helper()
	proposed, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: channel, Chaincode: p.chaincode, Args: bytes(c.args), Transient: c.transient, Signer: c.client,
	})
	if err != nil {
		p.Fatal(err)
	}
	result, code, err := submit.Submit(p.Context(), p.support, p.ledger, submit.Call{
		ChaincodeID: p.chaincode + ":1.0", Input: chaincodesupport.Input{Args: bytes(c.args)}, Timestamp: proposed.Timestamp,
		Params: handler.TxParams{ChannelID: channel, TxID: proposed.TxID, SignedProposal: proposed.Signed},
	})
	if err != nil || code != kvledger.Valid {
		p.Fatalf("%q: %s, %v", c.args, code, err)
	}
	p.check(c, proposed.TxID, result)
	return proposed.TxID
}

// check compares an answer with what a call wants. An event must come from the peer with all that clients are told.
func (p *peer) check(c call, txID string, r *chaincodesupport.Result) {
	p.Helper()
	got := string(r.Payload)
	if c.refused {
		got = r.Message
	}
	if got != c.want || c.refused != (r.Status >= 400) {
		p.Errorf("%q: status %d, message %q, payload %s; want %s", c.args, r.Status, r.Message, r.Payload, c.want)
	}
	var event chaincodesupport.Event
	if r.Event != nil {
		event = *r.Event
	}
	if event.Name != c.event || c.event != "" && (event.Chaincode != p.chaincode || event.TxID != txID || len(event.Payload) == 0) {
		p.Errorf("%q: event %q of %q with %q; want %q", c.args, event.Name, event.Chaincode, event.Payload, c.event)
	}
}

// wantState compares what is committed under a key of the chaincode.
func (p *peer) wantState(key, want string) {
	p.Helper()
	sim, err := p.ledger.NewSimulator(p.Context(), "state")
	if err != nil {
		p.Fatal(err)
	}
	defer sim.Done()
	value, err := sim.GetState(p.Context(), p.chaincode, key)
	if err != nil || string(value) != want {
		p.Errorf("%q is %q, %v; want %q", key, value, err, want)
	}
}

func bytes(args []string) [][]byte {
	all := make([][]byte, len(args))
	for i, a := range args {
		all[i] = []byte(a)
	}
	return all
}
