package interop_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// The peer's channels. The first one is where transactions run.
const (
	channel = "ch"
	other   = "other"
)

// began is the time of the first transaction; each is a second later than the one before.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testPeer runs the chaincodes a and b, both the one under test.
type testPeer struct {
	t   testing.TB
	way way
	*chaincodesupport.ChaincodeSupport
	policy  *policy
	client  *identity.Identity // who submits the transactions
	trace   *trace
	ledgers map[string]*kvledger.Ledger
	faulty  map[string]*ledgertest.Faulty // the same, as chaincode sees them
	count   int                           // transactions so far
}

// setting changes how a peer behaves.
type setting func(*chaincodesupport.Config)

// newPeer starts a peer, which ends with the test. Its trace is what was said since a's launch.
func newPeer(t testing.TB, w way, settings ...setting) *testPeer {
	t.Helper()
	p := newUnlaunched(t, w, settings...)
	if err := p.Launch(t.Context(), "a:1"); err != nil {
		t.Fatal(err)
	}
	return p
}

// newUnlaunched is newPeer without a's launch.
func newUnlaunched(t testing.TB, w way, settings ...setting) *testPeer {
	t.Helper()
	p := &testPeer{
		t: t, way: w, policy: newPolicy(), client: submitter(t), trace: newTrace(),
		ledgers: map[string]*kvledger.Ledger{}, faulty: map[string]*ledgertest.Faulty{},
	}
	p.openLedgers()
	p.serve(settings)
	return p
}

func (p *testPeer) openLedgers() {
	provider := kvledger.NewProvider(memory.New())
	for _, name := range []string{channel, other} {
		l, err := provider.Open(p.t.Context(), name)
		if err != nil {
			p.t.Fatal(err)
		}
		faulty := ledgertest.NewFaulty(l)
		p.ledgers[name], p.faulty[name] = l, faulty
		p.t.Cleanup(func() { faulty.Check(p.t) })
	}
}

// serve makes the ChaincodeSupport, and serves it where chaincode dials.
func (p *testPeer) serve(settings []setting) {
	address, start := "", func() {}
	if p.way.listen != nil {
		l := p.way.listen(p.t)
		address = dialName(l.Addr())
		start = func() { p.serveOn(grpc.NewServer(append(p.ServerOptions(), p.way.options...)...), l) }
	}
	rt := p.way.runtime(p.t, address)
	cfg := chaincodesupport.Config{
		Hooks: handler.Hooks{ACL: p.policy, CollectionStore: p.policy, ApplicationConfig: p.policy, Ledgers: handler.LedgersFunc(p.ledger), Messages: p.trace, Faults: p.trace},
		Runtimes: choose(func(chaincodeID string) runtime.Runtime {
			if chaincodeID == "a:1" || chaincodeID == "b:1" {
				return rt
			}
			return nil
		}),
		Definitions: p.policy,
		Decorators:  []chaincodesupport.Decorator{p.policy},
	}
	for _, set := range settings {
		set(&cfg)
	}
	var err error
	if p.ChaincodeSupport, err = chaincodesupport.New(cfg); err != nil {
		p.t.Fatal(err)
	}
	start()
	p.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			p.t.Errorf("Close: %v", err)
		}
	})
}

// serveOn serves the peer until the test ends.
func (p *testPeer) serveOn(s *grpc.Server, l net.Listener) {
	pbgrpc.RegisterChaincodeSupportServer(s, p)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	p.t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			p.t.Errorf("Serve: %v", err)
		}
	})
}

// choose is Runtimes made of a function that returns nil for a chaincode that isn't run.
func choose(f func(chaincodeID string) runtime.Runtime) chaincodesupport.Runtimes {
	return chaincodesupport.RuntimesFunc(func(_ context.Context, chaincodeID string) (runtime.Runtime, error) {
		if rt := f(chaincodeID); rt != nil {
			return rt, nil
		}
		return nil, chaincodesupport.ErrNoRuntime
	})
}

// askRuntime is what choose was given, of any Runtimes.
func askRuntime(all chaincodesupport.Runtimes, chaincodeID string) runtime.Runtime {
	rt, err := all.Runtime(context.Background(), chaincodeID)
	if err != nil {
		return nil
	}
	return rt
}

// ledger finds a channel's ledger, or returns an interface that is nil.
func (p *testPeer) ledger(_ context.Context, channelID string) (ledger.Ledger, error) {
	if l := p.faulty[channelID]; l != nil {
		return l, nil
	}
	return nil, handler.ErrUnknownChannel
}

// call is a transaction that is to be run on channel.
type call struct {
	chaincode string   // a if empty
	args      []string // in words
	function  bool     // the words are not a program but the arguments
	isInit    bool
	transient map[string][]byte
	decorated map[string][]byte
	noLedger  bool
	resign    func(*pb.SignedProposal) *pb.SignedProposal // what goes to the chaincode in place of the proposal
}

// outcome is what became of a transaction.
type outcome struct {
	name     string // in the trace: tx1, tx2 …
	proposal *identity.Proposal
	result   *chaincodesupport.Result // or
	err      error
	code     string // of the commit, if the result was a success
}

// prepare makes the proposal of the next transaction.
func (p *testPeer) prepare(c call) (string, *identity.Proposal) {
	p.t.Helper()
	p.count++
	name := fmt.Sprintf("tx%d", p.count)
	proposed, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: channel, Chaincode: c.name(), Args: p.input(c), IsInit: c.isInit, Transient: c.transient,
		Signer: p.client, Nonce: []byte(name), Timestamp: began.Add(time.Duration(p.count-1) * time.Second),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.trace.call(proposed.TxID, name)
	return name, proposed
}

// run runs a transaction, and commits it if it succeeds.
func (p *testPeer) run(ctx context.Context, c call) outcome {
	p.t.Helper()
	name, proposed := p.prepare(c)
	return p.execute(ctx, c, name, proposed)
}

// execute is run for a transaction that has been prepared. It may be called from any goroutine.
func (p *testPeer) execute(ctx context.Context, c call, name string, proposed *identity.Proposal) outcome {
	o := outcome{name: name, proposal: proposed}
	tx := handler.TxParams{ChannelID: channel, TxID: proposed.TxID, SignedProposal: proposed.Signed}
	if c.resign != nil {
		tx.SignedProposal = c.resign(proposed.Signed)
	}
	if !c.noLedger {
		sim, err := p.faulty[channel].NewSimulator(ctx, proposed.TxID)
		if err != nil {
			o.err = err
			return o
		}
		tx.Simulation = handler.NewSimulation(sim)
		defer tx.Simulation.Done()
	}
	in := chaincodesupport.Input{Args: p.input(c), IsInit: c.isInit, Decorations: c.decorated}
	if p.policy.defines(c.name()) {
		o.result, o.err = p.Execute(ctx, c.name(), tx, in)
	} else {
		o.result, o.err = p.ExecuteID(ctx, c.name()+":1", tx, in)
	}
	if o.err == nil && o.result.Status < 400 && !c.noLedger {
		o.code, o.err = p.commit(ctx, tx.Simulation, proposed)
	}
	return o
}

func (p *testPeer) commit(ctx context.Context, s *handler.Simulation, proposed *identity.Proposal) (string, error) {
	tx, err := kvledger.TransactionOf(ctx, s.Simulator(), proposed.TxID, proposed.Timestamp)
	if err != nil {
		return "", err
	}
	code, err := p.ledgers[channel].CommitTx(ctx, tx)
	return code.String(), err
}

func (c call) name() string {
	if c.chaincode == "" {
		return "a"
	}
	return c.chaincode
}

// input returns the arguments that make the family's chaincode do what a call says.
func (p *testPeer) input(c call) [][]byte {
	args := c.args
	if program := p.way.program; program != nil && !c.function {
		args = program(args)
	}
	var in [][]byte
	for _, a := range args {
		in = append(in, []byte(a))
	}
	return in
}

// text runs a transaction that must succeed, and returns its payload. The call is words, none of which is empty.
func (p *testPeer) text(line string) string {
	p.t.Helper()
	return p.success(call{args: strings.Fields(line)})
}

// success runs a transaction that must succeed, and returns its payload.
func (p *testPeer) success(c call) string {
	p.t.Helper()
	o := p.run(p.t.Context(), c)
	if o.err != nil || o.result.Status != 200 || o.code != "VALID" {
		p.t.Fatalf("%.100q: %+v, %v, %s", c.args, o.result, o.err, o.code)
	}
	return string(o.result.Payload)
}

// write commits values of a's, as the transaction txID.
func (p *testPeer) write(txID string, values map[string]string) {
	p.t.Helper()
	p.writeBy(txID, values, func(s ledger.Simulator, key string, value []byte) error {
		return s.SetState(p.t.Context(), "a", key, value)
	})
}

// writeCollection commits values of one of a's collections, as the transaction txID.
func (p *testPeer) writeCollection(txID, collection string, values map[string]string) {
	p.t.Helper()
	p.writeBy(txID, values, func(s ledger.Simulator, key string, value []byte) error {
		return s.(ledger.PrivateState).SetPrivateData(p.t.Context(), "a", collection, key, value)
	})
}

func (p *testPeer) writeBy(txID string, values map[string]string, set func(s ledger.Simulator, key string, value []byte) error) {
	p.t.Helper()
	s, err := p.ledgers[channel].NewSimulator(p.t.Context(), txID)
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Done()
	for k, v := range values {
		if err := set(s, k, []byte(v)); err != nil {
			p.t.Fatal(err)
		}
	}
	tx, err := kvledger.TransactionOf(p.t.Context(), s, txID, began)
	if err != nil {
		p.t.Fatal(err)
	}
	code, err := p.ledgers[channel].CommitTx(p.t.Context(), tx)
	if err != nil || code != kvledger.Valid {
		p.t.Fatalf("commit: %v, %v", code, err)
	}
}
