package chaincodetest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer"
	pb "github.com/ccpeer/ccpeer/proto"
)

// network is the backend with all that a network has: each organization's peer endorses, an orderer makes blocks, and each peer checks
// and commits them.
type network struct {
	*peer.Network
	channels  []string
	fixtures  fixtures
	deployed  *deployments
	listeners map[string]*listener // by the peer's name; not changed any more

	mu        sync.Mutex
	strangers map[string]*identity.MSP // organizations that are not the network's
}

var _ backend = (*network)(nil)

// anyTime is longer than a clock may be off.
const anyTime = 250 * 365 * 24 * time.Hour

// newNetwork returns a network. hooks returns those of a peer.
func newNetwork(c *core, hooks func(peerName string) handler.Hooks, timeout time.Duration) (*network, error) {
	s := &c.settings
	b := &network{channels: s.channels, deployed: &c.deployed, listeners: map[string]*listener{}, strangers: map[string]*identity.MSP{}}
	cfg := peer.NetworkConfig{
		Channels: s.channels, TimeWindow: anyTime, Logger: s.logger,
		Store: func(peerName string) (store.Store, error) {
			_, mspID, _ := strings.Cut(peerName, ".")
			return &faultyStore{memory.New(), mspID, &c.faults}, nil
		},
		Support: func(name string) chaincodesupport.Config {
			h := hooks(name)
			h.Transactions = append(h.Transactions, b.fixtures.intercept)
			return chaincodesupport.Config{
				Hooks: h, Limits: limits(timeout), StartupTimeout: timeout, StopTimeout: closeTimeout,
				Decorators: []chaincodesupport.Decorator{chaincodesupport.DecoratorFunc(b.fixtures.decorate)},
			}
		},
	}
	for _, id := range s.organizations {
		cfg.Organizations = append(cfg.Organizations, peer.Organization{MSPID: id})
	}
	var err error
	if b.Network, err = peer.NewNetwork(context.Background(), cfg); err != nil {
		return nil, err
	}
	for _, p := range b.Peers() {
		b.listeners[p.Name()] = &listener{support: p.Support(), faults: &c.faults}
	}
	return b, b.deployCarrier()
}

// carrier is the name of the chaincode that fixtures are transactions of.
const carrier = "chaincodetest"

func (b *network) deployCarrier() error {
	rt, err := Mock(func(string, []string) (any, error) { return nil, nil }).Runtime(Host{})
	if err != nil {
		return err
	}
	cc := peer.Chaincode{Name: carrier, Version: "1", Runtime: rt}
	for _, channel := range b.channels {
		if err := b.Deploy(context.Background(), channel, cc); err != nil {
			return err
		}
		cc.Runtime = nil // the peers have it
	}
	return nil
}

func (b *network) close(ctx context.Context) error {
	err := b.Close(ctx)
	for _, l := range b.listeners {
		l.close()
	}
	return err
}

func (b *network) identity(name, mspID string, attributes map[string]string) (*identity.Identity, error) {
	if b.Peer(mspID) != nil {
		return b.Client(name+"@"+mspID, attributes)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return issue(b.strangers, name, mspID, attributes)
}

func (b *network) ledger(_ context.Context, channel, mspID string) (*kvledger.Ledger, error) {
	p := b.Peers()[0]
	if mspID != "" {
		p = b.Peer(mspID)
	}
	if p == nil {
		return nil, errors.Errorf("the network has no organization %q: say so with WithOrganizations", mspID)
	}
	if c := p.Channel(channel); c != nil {
		return c.Ledger(), nil
	}
	return nil, errors.Errorf("the network has no channel %q: say so with WithChannels", channel)
}

func (b *network) deploy(ctx context.Context, name string, d *deployment) error {
	if old := b.deployed.find(name); old != nil {
		for _, p := range b.Peers() {
			if err := p.Support().Stop(ctx, old.id); err != nil {
				return err
			}
		}
	}
	cc := peer.Chaincode{
		Name: name, Version: d.version, ID: d.id, Endorsement: d.endorsement, InitRequired: d.initRequired,
		Collections: d.definition.Collections, Indexes: d.definition.Indexes,
		RuntimeOf: func(p *peer.Peer) (runtime.Runtime, error) {
			return d.runtimeOf(p.MSPID(), b.listeners[p.Name()].listen)
		},
	}
	for _, channel := range b.channels {
		if err := b.Deploy(ctx, channel, cc); err != nil {
			return err
		}
		cc.RuntimeOf = nil // the peers have it
	}
	b.deployed.put(name, d)
	for _, p := range b.Peers() {
		if err := p.Support().Launch(ctx, d.id); err != nil {
			return errors.WithMessage(err, p.Name())
		}
	}
	return nil
}

// peerCall is a call as the network takes it.
func (b *network) peerCall(c call) peer.Call {
	pc := peer.Call{
		Channel: c.channel, Chaincode: c.chaincode, Args: c.args, Transient: c.transient, Init: c.isInit, Nonce: c.nonce, Timestamp: c.at,
	}
	if c.evaluate {
		pc.Endorsers = []string{b.Peers()[0].Name()}
		if p := b.Peer(c.who.MSPID()); p != nil {
			pc.Endorsers = []string{p.Name()}
		}
	}
	return pc
}

func (b *network) simulate(ctx context.Context, c call) outcome {
	e, err := b.Endorse(ctx, c.who, b.peerCall(c))
	var (
		refused  *peer.RefusedError
		mismatch *peer.MismatchError
		proposal *peer.ProposalError
	)
	switch {
	case errors.As(err, &refused):
		o := outcomeOf(refused.Result)
		o.rwset = refused.RWSet
		return o
	case errors.As(err, &mismatch):
		return endorsements(mismatch)
	case errors.As(err, &proposal) && len(b.Peers()) == 1:
		return outcome{err: errors.New(proposal.Message)} // there is only one peer that can have said it
	case err != nil:
		return outcome{err: err}
	}
	o := outcomeOf(e.Result)
	o.rwset, o.private, o.envelope = e.RWSet, e.PrivateRWSet, e.Envelope
	return o
}

// repeat runs the transaction on the peer that is asked first: one of the client's organization, if there is one.
func (b *network) repeat(ctx context.Context, c call) outcome {
	p := b.Peer(c.who.MSPID())
	if p == nil {
		p = b.Peers()[0]
	}
	return execute(ctx, p.Support(), p.Channel(c.channel).Ledger(), c)
}

func outcomeOf(r peer.Result) outcome {
	return outcome{status: r.Status, message: r.Message, payload: r.Payload, event: r.Event}
}

// endorsements is what peers have endorsed that don't agree.
func endorsements(e *peer.MismatchError) outcome {
	all := outcome{err: e}
	for i, b := range e.Payloads {
		var payload pb.ProposalResponsePayload
		var action pb.ChaincodeAction
		var event pb.ChaincodeEvent
		if proto.Unmarshal(b, &payload) != nil || proto.Unmarshal(payload.GetExtension(), &action) != nil || proto.Unmarshal(action.GetEvents(), &event) != nil {
			return outcome{err: e}
		}
		o := outcome{
			status: action.GetResponse().GetStatus(), message: action.GetResponse().GetMessage(), payload: action.GetResponse().GetPayload(),
			rwset: action.GetResults(), by: e.Peers[i],
		}
		if len(action.GetEvents()) > 0 {
			o.event = &chaincodesupport.Event{Name: event.GetEventName(), Payload: event.GetPayload()}
		}
		all.differ = append(all.differ, o)
	}
	return all
}

func (b *network) commit(ctx context.Context, _ string, txs []outcome) ([]kvledger.ValidationCode, error) {
	var envelopes [][]byte
	for _, o := range txs {
		envelopes = append(envelopes, o.envelope)
	}
	outcomes, err := b.Order(ctx, envelopes...)
	if err != nil {
		return nil, err
	}
	var codes []kvledger.ValidationCode
	for _, o := range outcomes {
		codes = append(codes, o.Code)
	}
	return codes, nil
}

func (b *network) cut(chaincodeID string) {
	for _, l := range b.listeners {
		l.cut(chaincodeID)
	}
}

func (b *network) settle(ctx context.Context) error { return b.Settle(ctx) }

func (b *network) save(ctx context.Context) (restore func(context.Context) error, err error) {
	state, err := b.Save(ctx)
	return func(ctx context.Context) error { return b.Restore(ctx, state) }, err
}

// set commits values as a transaction of a chaincode that doesn't run: see fixtures. So it is endorsed and validated like others.
func (b *network) set(ctx context.Context, c call, state map[string]map[string][]byte) error {
	c.chaincode = carrier
	b.fixtures.add(c.txID(), state)
	defer b.fixtures.remove(c.txID())
	o := b.simulate(ctx, c)
	if o.err != nil {
		return o.err
	}
	codes, err := b.commit(ctx, c.channel, []outcome{o})
	if err == nil && codes[0] != kvledger.Valid {
		err = errors.New(codes[0].String())
	}
	return err
}

// fixtures are transactions that write what they are told to. The peers know them by their IDs, and run no chaincode for them.
type fixtures struct {
	mu   sync.Mutex
	byTx map[string]map[string]map[string][]byte
}

func (f *fixtures) add(txID string, state map[string]map[string][]byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byTx == nil {
		f.byTx = map[string]map[string]map[string][]byte{}
	}
	f.byTx[txID] = state
}

func (f *fixtures) remove(txID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.byTx, txID)
}

func (f *fixtures) find(txID string) map[string]map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byTx[txID]
}

// decorate writes. It is where a peer has the transaction's simulator before chaincode runs.
func (f *fixtures) decorate(ctx context.Context, p handler.TxParams, _ chaincodesupport.Input) (map[string][]byte, error) {
	state := f.find(p.TxID)
	if state == nil {
		return nil, nil
	}
	return nil, p.Simulation.Do(ctx, func(sim ledger.Simulator) error { return setAll(ctx, sim, state) })
}

// intercept answers in the place of the chaincode.
func (f *fixtures) intercept(ctx context.Context, e handler.Execution, next handler.TransactionFunc) (*pb.ChaincodeMessage, error) {
	if f.find(e.Transaction.TxID) == nil {
		return next(ctx)
	}
	payload, err := proto.Marshal(&pb.Response{Status: 200})
	return &pb.ChaincodeMessage{Type: pb.ChaincodeMessage_COMPLETED, Txid: e.Transaction.TxID, ChannelId: e.Transaction.ChannelID, Payload: payload}, err
}
