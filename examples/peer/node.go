package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/proposal"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	pb "github.com/ccpeer/ccpeer/proto"
)

// version is the one that every chaincode of a node has: the chaincode ID of asset is asset:1.0.
const version = "1.0"

// mspID is whose member every client is.
const mspID = "ExampleMSP"

// failed is the status from which on a transaction has failed, and is not committed.
const failed = 400

// nodeConfig says what a node runs.
type nodeConfig struct {
	listen     address  // where chaincode connects to
	ledger     place    // where the ledgers are kept
	channels   []string // each has a ledger, and so has each channel that there is something of
	chaincodes map[string]program
	// definitions are what the ledgers must know of chaincodes. Those that are not here keep what they had.
	definitions map[string]kvledger.Definition
	dev         bool             // accept chaincode that somebody else has started
	observer    handler.Observer // may be nil
	log         *zap.Logger
}

// program is how a chaincode is run.
type program struct {
	path string   // absolute
	args []string // as in process.Config
}

// node is the peer: the ledgers of its channels, and the chaincode that runs on them.
type node struct {
	cfg      nodeConfig
	client   *proposal.Identity // whose every proposal is
	store    store.Store        // which has the ledgers
	provider *kvledger.Provider
	ledgers  map[string]*kvledger.Ledger
	support  *chaincodesupport.ChaincodeSupport
	server   *grpc.Server
	served   chan struct{} // closed when the server has ended
	// using is held for reading while clients use the ledgers.
	using  sync.RWMutex
	closed bool
}

// call is a call of a chaincode, as a client asks for it.
type call struct {
	Channel   string            `json:"channel"`
	Chaincode string            `json:"chaincode"`
	Args      [][]byte          `json:"args"`
	Transient map[string][]byte `json:"transient,omitempty"`
	IsInit    bool              `json:"isInit,omitempty"`
}

// answer is what became of a call.
type answer struct {
	TxID    string `json:"txid"`
	Status  int32  `json:"status"`
	Message string `json:"message,omitempty"`
	Payload []byte `json:"payload,omitempty"`
	// Code is the validation code of the transaction, VALID or why not. It is empty if it wasn't committed.
	Code string `json:"code,omitempty"`
}

// startNode starts a node, which is to be closed. Chaincode is launched when it is first called.
func startNode(ctx context.Context, cfg nodeConfig) (*node, error) {
	n := &node{cfg: cfg, served: make(chan struct{})}
	var err error
	if n.client, err = newClient(); err != nil {
		return nil, err
	}
	if n.store, err = cfg.ledger.open(ctx, cfg.log); err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		_ = n.store.Close() // there is an error already
		return nil, err
	}
	return n, nil
}

func (n *node) start(ctx context.Context) error {
	if err := n.openLedgers(ctx); err != nil {
		return err
	}
	listener, at, err := n.cfg.listen.listen(ctx)
	if err != nil {
		return err
	}
	n.cfg.listen = at
	if n.support, err = n.newSupport(); err != nil {
		_ = listener.Close()
		return err
	}
	n.server = grpc.NewServer(n.support.ServerOptions()...)
	pb.RegisterChaincodeSupportServer(n.server, n.support)
	go func() {
		defer close(n.served)
		if err := n.server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			n.cfg.log.Error("serve chaincode", zap.Error(err))
		}
	}()
	return nil
}

// newClient makes the identity that the calls of all clients are made with. It lives as long as the node.
func newClient() (*proposal.Identity, error) {
	msp, err := proposal.NewMSP(proposal.MSPConfig{ID: mspID, Organization: "example.com"})
	if err != nil {
		return nil, err
	}
	return msp.Issue(proposal.IdentityConfig{CommonName: "client"})
}

func (n *node) newSupport() (*chaincodesupport.ChaincodeSupport, error) {
	runtimes, err := n.runtimes()
	if err != nil {
		return nil, err
	}
	return chaincodesupport.New(chaincodesupport.Config{
		Runtime: func(chaincodeID string) runtime.Runtime { return runtimes[chaincodeID] },
		Definitions: chaincodesupport.DefinitionsFunc(func(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
			id, err := n.chaincodeID(p.Namespace)
			return chaincodesupport.Definition{ChaincodeID: id}, err
		}),
		// Whoever reaches this peer may do everything.
		ACL:             handler.AllowAll{},
		CollectionStore: collectionStore{n.ledgers},
		Ledgers:         n.ledger,
		Observer:        n.cfg.observer,
		Logger:          n.cfg.log,
		DevMode:         n.cfg.dev,
	})
}

// runtimes returns what runs each chaincode, by chaincode ID.
func (n *node) runtimes() (map[string]runtime.Runtime, error) {
	runtimes := map[string]runtime.Runtime{}
	for name, p := range n.cfg.chaincodes {
		r, err := process.New(process.Config{
			Command:     p.path,
			Args:        p.args,
			PeerAddress: n.cfg.listen.String(),
			MSPID:       mspID,
			Logger:      n.cfg.log,
		})
		if err != nil {
			return nil, errors.Wrapf(err, "chaincode %q", name)
		}
		runtimes[name+":"+version] = r
	}
	return runtimes, nil
}

// close lets the calls under way finish until ctx ends, and waits until nothing of the node is running.
func (n *node) close(ctx context.Context) error {
	err := n.support.Close(ctx)
	n.server.Stop()
	<-n.served
	n.using.Lock()
	defer n.using.Unlock()
	n.closed = true
	if closing := n.store.Close(); err == nil {
		err = closing
	}
	return err
}

// invoke runs a transaction and commits what it wrote.
func (n *node) invoke(ctx context.Context, c call) (*answer, error) {
	a, tx, err := n.simulate(ctx, c)
	if err != nil || a.Status >= failed {
		return a, err
	}
	code, err := n.ledgers[c.Channel].CommitTx(ctx, tx)
	if err != nil {
		return nil, errors.Wrapf(err, "commit transaction %s", a.TxID)
	}
	a.Code = code.String()
	return a, nil
}

// query runs a transaction, and commits nothing.
func (n *node) query(ctx context.Context, c call) (*answer, error) {
	a, _, err := n.simulate(ctx, c)
	return a, err
}

// simulate runs a transaction, and returns what could be committed of it.
func (n *node) simulate(ctx context.Context, c call) (*answer, kvledger.Transaction, error) {
	var tx kvledger.Transaction
	l, err := n.channel(c.Channel)
	if err != nil {
		return nil, tx, err
	}
	chaincodeID, err := n.chaincodeID(c.Chaincode)
	if err != nil {
		return nil, tx, err
	}
	p, err := proposal.New(proposal.Params{
		ChannelID: c.Channel, Chaincode: c.Chaincode, Args: c.Args, IsInit: c.IsInit, Transient: c.Transient, Signer: n.client,
	})
	if err != nil {
		return nil, tx, err
	}
	sim, err := l.Simulate(ctx, p.TxID)
	if err != nil {
		return nil, tx, errors.Wrap(err, "open simulator")
	}
	simulation := handler.NewSimulation(sim)
	defer simulation.Done()
	r, err := n.support.Execute(ctx, chaincodeID, handler.TxParams{
		ChannelID: c.Channel, TxID: p.TxID, Namespace: c.Chaincode, SignedProposal: p.Signed, Simulation: simulation,
	}, chaincodesupport.Input{Args: c.Args, IsInit: c.IsInit})
	if err != nil {
		return nil, tx, err
	}
	results, err := sim.Results()
	if err != nil {
		return nil, tx, errors.Wrap(err, "read results")
	}
	tx = kvledger.Transaction{TxID: p.TxID, Timestamp: p.Timestamp, RWSet: results.RWSet, PrivateRWSet: results.PrivateRWSet}
	return &answer{TxID: p.TxID, Status: r.Status, Message: r.Message, Payload: r.Payload}, tx, nil
}

// chaincodeID returns the chaincode ID of a name. In dev mode, names that the node has no program for are those of
// chaincodes that may connect.
func (n *node) chaincodeID(name string) (string, error) {
	if _, ok := n.cfg.chaincodes[name]; !ok && !n.cfg.dev {
		return "", unknown("chaincode", name, n.cfg.chaincodes)
	}
	return name + ":" + version, nil
}

// unknownError names something that a node hasn't got.
type unknownError struct{ text string }

func (e unknownError) Error() string { return e.text }

func unknown[T any](what, name string, known map[string]T) error {
	names := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	if names == "" {
		names = "none"
	}
	return unknownError{what + " " + quote(name) + " is not known to this peer, which has: " + names}
}
