package chaincodetest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// backend is all that the kit needs of a network. Nothing else of the kit knows how a chaincode is run, or where what it has written
// goes.
type backend interface {
	// identity returns the client of a name, which is made if it isn't there.
	identity(name, mspID string, attributes map[string]string) (*identity.Identity, error)
	// deploy makes a chaincode known on all channels, in the place of an earlier one, and starts it.
	deploy(ctx context.Context, name string, d *deployment) error
	// simulate runs a transaction on what is committed now.
	simulate(ctx context.Context, c call) outcome
	// repeat runs a transaction once more, on the peer that simulate asks first, and signs nothing.
	repeat(ctx context.Context, c call) outcome
	// commit commits transactions of a channel that have succeeded, as one block.
	commit(ctx context.Context, channel string, txs []outcome) ([]kvledger.ValidationCode, error)
	// settle waits until what was ordered is committed, although a commit went wrong.
	settle(ctx context.Context) error
	// set commits values of chaincodes' keys, as one transaction.
	set(ctx context.Context, c call, state map[string]map[string][]byte) error
	// ledger returns a channel's ledger, as a peer of an organization has it, or the first peer if that is "".
	ledger(ctx context.Context, channel, mspID string) (*kvledger.Ledger, error)
	// save returns a function that makes everything what it is now.
	save(ctx context.Context) (restore func(context.Context) error, err error)
	// cut begins to end the streams of a chaincode, and doesn't wait.
	cut(chaincodeID string)
	// close ends everything, and waits for it.
	close(ctx context.Context) error
}

// call is a transaction that is to be run.
type call struct {
	channel, chaincode string
	args               [][]byte
	transient          map[string][]byte
	isInit             bool
	who                *identity.Identity
	nonce              []byte
	at                 time.Time
	evaluate           bool // nothing is going to be committed
}

func (c call) txID() string { return identity.ComputeTxID(c.nonce, c.who.Creator()) }

// outcome is what came of a run.
type outcome struct {
	status         int32
	message        string
	payload        []byte
	event          *chaincodesupport.Event
	rwset, private []byte
	err            error // the chaincode didn't answer

	tx       kvledger.Transaction // what the direct backend commits
	envelope []byte               // what a network orders
	differ   []outcome            // what peers have endorsed that don't agree
	by       string               // who has run it, for texts
}

// execute runs a transaction on a ledger. Nothing is signed.
func execute(ctx context.Context, support *chaincodesupport.ChaincodeSupport, l *kvledger.Ledger, c call) outcome {
	p, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: c.channel, Chaincode: c.chaincode, Args: c.args, IsInit: c.isInit, Transient: c.transient,
		Creator: c.who.Creator(), Nonce: c.nonce, Timestamp: c.at,
	})
	if err != nil {
		return outcome{err: err}
	}
	sim, err := l.NewSimulator(ctx, p.TxID)
	if err != nil {
		return outcome{err: err}
	}
	simulation := handler.NewSimulation(sim)
	defer simulation.Done()
	params := handler.TxParams{ChannelID: c.channel, TxID: p.TxID, SignedProposal: p.Signed, Simulation: simulation}
	r, err := support.Execute(ctx, c.chaincode, params, chaincodesupport.Input{Args: c.args, IsInit: c.isInit})
	if err != nil {
		return outcome{err: err}
	}
	o := outcome{status: r.Status, message: r.Message, payload: r.Payload, event: r.Event}
	if o.tx, err = kvledger.TransactionOf(ctx, sim, p.TxID, p.Timestamp); err != nil {
		return outcome{err: err}
	}
	o.rwset, o.private = o.tx.RWSet, o.tx.PrivateRWSet
	return o
}

// deployment is a chaincode as it is deployed now.
type deployment struct {
	deploying
	version string // that an init counts for
	runtime func(h Host) (runtime.Runtime, error)
	host    Host // without what differs from peer to peer
	faults  *faults
}

// runtimeOf returns what runs the chaincode on a peer.
func (d *deployment) runtimeOf(mspID string, listen func() (string, error)) (runtime.Runtime, error) {
	h := d.host
	h.MSPID, h.PeerAddress = mspID, listen
	rt, err := d.runtime(h)
	if err != nil {
		return nil, err
	}
	return &doubling{rt, d.faults}, nil
}

// deployments are all, by name. They are safe for concurrent use.
type deployments struct {
	mu     sync.Mutex
	byName map[string]*deployment
}

func (d *deployments) find(name string) *deployment {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byName[name]
}

func (d *deployments) put(name string, next *deployment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byName == nil {
		d.byName = map[string]*deployment{}
	}
	d.byName[name] = next
}

func (d *deployments) all() map[string]*deployment {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.byName)
}

func (d *deployments) setAll(all map[string]*deployment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byName = maps.Clone(all)
}

// hint names what is deployed, for an error about something that isn't.
func (d *deployments) hint() string {
	all := d.all()
	if len(all) == 0 {
		return "; call net.Deploy first"
	}
	return "; there is " + strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}

// limits are those of a peer whose transactions may take some time.
func limits(timeout time.Duration) handler.Limits {
	return handler.Limits{ExecuteTimeout: timeout, RegisterTimeout: timeout}
}
