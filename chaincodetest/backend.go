package chaincodetest

import (
	"context"
	"maps"
	"net"
	"sync"
	"sync/atomic"
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

// The backend is all that the kit needs of a peer. Nothing else of the kit knows how a chaincode is run, or where what it has
// written goes.

// backend is a peer with its ledgers.
type backend struct {
	store    *memory.Store
	provider *kvledger.Provider
	support  *chaincodesupport.ChaincodeSupport

	mu       sync.Mutex
	ledgers  map[string]*kvledger.Ledger // by channel
	deployed map[string]*deployment      // by name; every channel has them
	address  string                      // where it listens for processes; "" if it doesn't
	serving  sync.WaitGroup
	versions atomic.Int64 // how many chaincodes were deployed
}

// deployment is a chaincode as it is deployed now.
type deployment struct {
	id, version  string // what it registers as, and the version that an init counts for
	initRequired bool
	definition   *kvledger.Definition // nil: none
	runtime      runtime.Runtime
}

// call is a transaction that is to be run.
type call struct {
	channel, chaincode string
	args               [][]byte
	isInit             bool
	proposal           *identity.Proposal
}

// outcome is what came of a run.
type outcome struct {
	status  int32
	message string
	payload []byte
	event   *chaincodesupport.Event
	tx      kvledger.Transaction
	err     error // the chaincode didn't answer
}

// newBackend returns a peer. timeout is how long a transaction may take.
func newBackend(hooks handler.Hooks, timeout time.Duration) (*backend, error) {
	b := &backend{store: memory.New(), ledgers: map[string]*kvledger.Ledger{}, deployed: map[string]*deployment{}}
	b.provider = kvledger.NewProvider(b.store)
	hooks.Ledgers = handler.LedgersFunc(b.hookLedger)
	hooks.ACL, hooks.CollectionStore = handler.InsecureAllowAll{}, collections.Store{}
	cs, err := chaincodesupport.New(chaincodesupport.Config{
		Hooks:          hooks,
		Limits:         handler.Limits{ExecuteTimeout: timeout, RegisterTimeout: timeout},
		Runtimes:       chaincodesupport.RuntimesFunc(b.runtime),
		Definitions:    chaincodesupport.DefinitionsFunc(b.definition),
		StartupTimeout: timeout,
		StopTimeout:    closeTimeout,
	})
	b.support = cs
	return b, err
}

// close ends everything, and waits for it.
func (b *backend) close(ctx context.Context) error {
	err := b.support.Close(ctx)
	b.serving.Wait()
	return err
}

// ledger returns a channel's ledger, which is made when it is asked for first.
func (b *backend) ledger(ctx context.Context, channel string) (*kvledger.Ledger, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.ledgers[channel]; l != nil {
		return l, nil
	}
	l, err := b.provider.Open(ctx, channel)
	if err != nil {
		return nil, err
	}
	for name, d := range b.deployed {
		if err := d.define(ctx, l, name); err != nil {
			return nil, err
		}
	}
	b.ledgers[channel] = l
	return l, nil
}

// define gives a ledger the chaincode's collections and indexes.
func (d *deployment) define(ctx context.Context, l *kvledger.Ledger, name string) error {
	if d.definition == nil {
		return nil
	}
	return l.Define(ctx, name, *d.definition)
}

// hookLedger is for chaincode that calls chaincode on another channel, which must be there.
func (b *backend) hookLedger(_ context.Context, channel string) (ledger.Ledger, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.ledgers[channel]; l != nil {
		return l, nil
	}
	return nil, handler.ErrUnknownChannel
}

func (b *backend) find(name string) *deployment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.deployed[name]
}

func (b *backend) definition(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
	d := b.find(p.Namespace)
	if d == nil {
		return chaincodesupport.Definition{}, errors.Errorf("chaincode %s not found", p.Namespace)
	}
	return chaincodesupport.Definition{ChaincodeID: d.id, Version: d.version, InitRequired: d.initRequired}, nil
}

func (b *backend) runtime(_ context.Context, chaincodeID string) (runtime.Runtime, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.deployed {
		if d.id == chaincodeID {
			return d.runtime, nil
		}
	}
	return nil, chaincodesupport.ErrNoRuntime
}

// deploy makes a chaincode known, in the place of an earlier one, which it stops, and starts it.
func (b *backend) deploy(ctx context.Context, name string, d *deployment) error {
	old := b.find(name)
	if old != nil {
		if err := b.support.Stop(ctx, old.id); err != nil {
			return err
		}
		if d.definition == nil {
			d.definition = old.definition
		}
	}
	if err := b.put(ctx, name, d); err != nil {
		return err
	}
	return b.support.Launch(ctx, d.id)
}

// put makes a chaincode known on all channels.
func (b *backend) put(ctx context.Context, name string, d *deployment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.ledgers {
		if err := d.define(ctx, l, name); err != nil {
			return err
		}
	}
	b.deployed[name] = d
	return nil
}

// deployments returns what is deployed.
func (b *backend) deployments() map[string]*deployment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.deployed)
}

// setDeployments makes it what it was. A chaincode that isn't running is started when it is called.
func (b *backend) setDeployments(d map[string]*deployment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deployed = maps.Clone(d)
}

// listen returns the address at which processes find the peer.
func (b *backend) listen() (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.address != "" {
		return b.address, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	b.address = l.Addr().String()
	b.serving.Go(func() { _ = b.support.Serve(l) }) // it returns when support is closed
	return b.address, nil
}

// simulate runs a transaction on what is committed now.
func (b *backend) simulate(ctx context.Context, c call) outcome {
	l, err := b.ledger(ctx, c.channel)
	if err != nil {
		return outcome{err: err}
	}
	sim, err := l.NewSimulator(ctx, c.proposal.TxID)
	if err != nil {
		return outcome{err: err}
	}
	simulation := handler.NewSimulation(sim)
	defer simulation.Done()
	p := handler.TxParams{ChannelID: c.channel, TxID: c.proposal.TxID, SignedProposal: c.proposal.Signed, Simulation: simulation}
	r, err := b.support.Execute(ctx, c.chaincode, p, chaincodesupport.Input{Args: c.args, IsInit: c.isInit})
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{status: r.Status, message: r.Message, payload: r.Payload, event: r.Event}
	if o.tx, err = kvledger.TransactionOf(sim, c.proposal.TxID, c.proposal.Timestamp); err != nil {
		return outcome{err: err}
	}
	return o
}

// commit commits a block.
func (b *backend) commit(ctx context.Context, channel string, txs []kvledger.Transaction) ([]kvledger.ValidationCode, error) {
	l, err := b.ledger(ctx, channel)
	if err != nil {
		return nil, err
	}
	return l.Commit(ctx, kvledger.Block{Transactions: txs})
}

// height is how many blocks a channel has. It tells whether two runs have seen the same state.
func (b *backend) height(ctx context.Context, channel string) (uint64, error) {
	l, err := b.ledger(ctx, channel)
	if err != nil {
		return 0, err
	}
	return l.Height(ctx)
}
