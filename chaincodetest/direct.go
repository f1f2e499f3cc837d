package chaincodetest

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// direct is the backend without signatures: chaincode support and a ledger, and nothing between them.
type direct struct {
	mspID    string
	store    *memory.Store
	ledgers  map[string]*kvledger.Ledger // by channel; not changed any more
	support  *chaincodesupport.ChaincodeSupport
	deployed *deployments
	listener listener

	mu       sync.Mutex
	runtimes map[string]runtime.Runtime // by chaincode ID
	msps     map[string]*identity.MSP
	clients  map[string]*identity.Identity // by name, organization and attributes
}

var _ backend = (*direct)(nil)

// newDirect returns a direct backend. timeout is how long a transaction may take.
func newDirect(c *core, hooks handler.Hooks, timeout time.Duration) (*direct, error) {
	s := &c.settings
	b := &direct{
		mspID: s.organizations[0], store: memory.New(), ledgers: map[string]*kvledger.Ledger{}, deployed: &c.deployed,
		runtimes: map[string]runtime.Runtime{}, msps: map[string]*identity.MSP{}, clients: map[string]*identity.Identity{},
	}
	provider := kvledger.NewProvider(&faultyStore{b.store, b.mspID, &c.faults})
	for _, channel := range s.channels {
		l, err := provider.Open(context.Background(), channel)
		if err != nil {
			return nil, err
		}
		b.ledgers[channel] = l
	}
	hooks.Ledgers = handler.LedgersFunc(b.hookLedger)
	hooks.ACL, hooks.CollectionStore = handler.InsecureAllowAll{}, collections.Store{}
	var err error
	b.support, err = chaincodesupport.New(chaincodesupport.Config{
		Hooks:       hooks,
		Limits:      limits(timeout),
		Runtimes:    chaincodesupport.RuntimesFunc(b.runtime),
		Definitions: chaincodesupport.DefinitionsFunc(b.definition), StartupTimeout: timeout, StopTimeout: closeTimeout,
	})
	b.listener.support, b.listener.faults = b.support, &c.faults
	return b, err
}

func (b *direct) close(ctx context.Context) error {
	err := b.support.Close(ctx)
	b.listener.close()
	return err
}

func (b *direct) identity(name, mspID string, attributes map[string]string) (*identity.Identity, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	parts := []string{name, mspID}
	for _, a := range sortedKeys(attributes, nil) {
		parts = append(parts, a, attributes[a])
	}
	key := strings.Join(parts, "\x00")
	if id := b.clients[key]; id != nil {
		return id, nil
	}
	id, err := issue(b.msps, name, mspID, attributes)
	if err != nil {
		return nil, err
	}
	b.clients[key] = id
	if anyone := name + "\x00" + mspID; b.clients[anyone] == nil {
		b.clients[anyone] = id // it is who comes without attributes
	}
	return id, nil
}

// issue has an organization, which is made if it isn't there, issue an identity.
func issue(msps map[string]*identity.MSP, name, mspID string, attributes map[string]string) (*identity.Identity, error) {
	msp := msps[mspID]
	if msp == nil {
		var err error
		if msp, err = identity.NewMSP(identity.MSPConfig{ID: mspID}); err != nil {
			return nil, err
		}
		msps[mspID] = msp
	}
	role := identity.Client
	if strings.EqualFold(name, "admin") {
		role = identity.Admin
	}
	return msp.Issue(identity.Config{CommonName: name, OUs: []string{string(role)}, Attributes: attributes})
}

func (b *direct) ledger(_ context.Context, channel, mspID string) (*kvledger.Ledger, error) {
	if mspID != "" && mspID != b.mspID {
		return nil, errors.Errorf("the network has no organization %q", mspID)
	}
	if l := b.ledgers[channel]; l != nil {
		return l, nil
	}
	return nil, errors.Errorf("the network has no channel %q", channel)
}

// hookLedger is for chaincode that calls chaincode on another channel.
func (b *direct) hookLedger(_ context.Context, channel string) (ledger.Ledger, error) {
	if l := b.ledgers[channel]; l != nil {
		return l, nil
	}
	return nil, handler.ErrUnknownChannel
}

func (b *direct) definition(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
	d := b.deployed.find(p.Namespace)
	if d == nil {
		return chaincodesupport.Definition{}, errors.Errorf("chaincode %s not found", p.Namespace)
	}
	return chaincodesupport.Definition{ChaincodeID: d.id, Version: d.version, InitRequired: d.initRequired}, nil
}

func (b *direct) runtime(_ context.Context, chaincodeID string) (runtime.Runtime, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if rt := b.runtimes[chaincodeID]; rt != nil {
		return rt, nil
	}
	return nil, chaincodesupport.ErrNoRuntime
}

func (b *direct) deploy(ctx context.Context, name string, d *deployment) error {
	rt, err := d.runtimeOf(b.mspID, b.listener.listen)
	if err != nil {
		return err
	}
	if old := b.deployed.find(name); old != nil {
		if err := b.support.Stop(ctx, old.id); err != nil {
			return err
		}
	}
	for _, l := range b.ledgers {
		if err := l.Define(ctx, name, d.definition); err != nil {
			return err
		}
	}
	b.mu.Lock()
	b.runtimes[d.id] = rt
	b.mu.Unlock()
	b.deployed.put(name, d)
	return b.support.Launch(ctx, d.id)
}

func (b *direct) simulate(ctx context.Context, c call) outcome {
	l, err := b.ledger(ctx, c.channel, "")
	if err != nil {
		return outcome{err: err}
	}
	return execute(ctx, b.support, l, c)
}

// repeat runs it as simulate does, because nothing is signed anyway.
func (b *direct) repeat(ctx context.Context, c call) outcome { return b.simulate(ctx, c) }

func (b *direct) commit(ctx context.Context, channel string, txs []outcome) ([]kvledger.ValidationCode, error) {
	l, err := b.ledger(ctx, channel, "")
	if err != nil {
		return nil, err
	}
	block := kvledger.Block{}
	for _, o := range txs {
		block.Transactions = append(block.Transactions, o.tx)
	}
	return l.Commit(ctx, block)
}

func (b *direct) set(ctx context.Context, c call, state map[string]map[string][]byte) error {
	l, err := b.ledger(ctx, c.channel, "")
	if err != nil {
		return err
	}
	sim, err := l.NewSimulator(ctx, c.txID())
	if err != nil {
		return err
	}
	defer sim.Done()
	if err := setAll(ctx, sim, state); err != nil {
		return err
	}
	tx, err := kvledger.TransactionOf(ctx, sim, c.txID(), c.at)
	if err != nil {
		return err
	}
	_, err = l.CommitTx(ctx, tx)
	return err
}

// setAll writes values of chaincodes' keys, or of their collections' if a name has a slash.
func setAll(ctx context.Context, sim ledger.Simulator, state map[string]map[string][]byte) error {
	for name, keys := range state {
		chaincode, collection, private := strings.Cut(name, "/")
		for key, value := range keys {
			var err error
			if private {
				err = sim.(ledger.PrivateState).SetPrivateData(ctx, chaincode, collection, key, value)
			} else {
				err = sim.SetState(ctx, chaincode, key, value)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *direct) save(context.Context) (restore func(context.Context) error, err error) {
	state, err := b.store.Save()
	b.mu.Lock()
	defer b.mu.Unlock()
	runtimes := maps.Clone(b.runtimes)
	return func(ctx context.Context) error {
		if err := b.store.Restore(state); err != nil {
			return err
		}
		return b.reinstall(ctx, runtimes)
	}, err
}

// reinstall makes what runs the chaincodes what it was before, and stops those that something else runs now.
func (b *direct) reinstall(ctx context.Context, before map[string]runtime.Runtime) error {
	b.mu.Lock()
	now := b.runtimes
	b.runtimes = maps.Clone(before)
	b.mu.Unlock()
	return chaincodesupport.StopReplaced(ctx, b.support, before, now)
}

// settle has nothing to wait for.
func (b *direct) settle(context.Context) error { return nil }

func (b *direct) cut(chaincodeID string) { b.listener.cut(chaincodeID) }
