package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/internal/submit"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// mspID is whose member every client is.
const mspID = "ExampleMSP"

// failed is the status from which on a transaction has failed, and is not committed.
const failed = 400

// nodeConfig says what a node runs.
type nodeConfig struct {
	listen     address              // where chaincode connects to
	advertise  advertised           // where it is told to, if it can't be told that
	plaintext  bool                 // it connects without TLS
	ledger     place                // where the ledgers are kept
	channels   []string             // each has a ledger, and so has each channel that there is something of
	chaincodes map[string]chaincode // by name
	// definitions are what the ledgers must know of chaincodes. Those that are not here keep what they had.
	definitions map[string]kvledger.Definition
	builders    []builder.Builder       // of packages
	builds      string                  // the folder in which they build
	dev         bool                    // accept chaincode that somebody else has started, in plaintext
	support     chaincodesupport.Config // its limits; zero means its defaults
	trace       *trace                  // of the conversations; may be nil
	log         *zap.Logger
	outputLevel zapcore.Level // of what chaincode prints
}

// node is the peer: the ledgers of its channels, and the chaincode that runs on them.
type node struct {
	cfg      nodeConfig
	client   *identity.Identity // whose every proposal is
	store    store.Store        // which has the ledgers
	provider *kvledger.Provider
	ledgers  map[string]*kvledger.Ledger
	auth     *accesscontrol.Authenticator // of chaincode; nil: it connects in plaintext
	attached map[string]*attach.Runtime   // what waits for chaincodes that are started by hand, by name
	support  *chaincodesupport.ChaincodeSupport
	served   chan struct{} // closed when chaincode can't connect any more
	// using is held for reading while clients use the ledgers.
	using  sync.RWMutex
	calls  atomic.Int64 // how many clients use them
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
	n := &node{cfg: cfg, attached: map[string]*attach.Runtime{}, served: make(chan struct{})}
	var err error
	if n.client, err = newClient(); err != nil {
		return nil, err
	}
	if n.store, err = cfg.ledger.open(ctx, cfg.log); err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		_ = n.detach() // there is an error already
		_ = n.store.Close()
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
	if err := n.prepare(ctx); err != nil {
		_ = listener.Close()
		return err
	}
	go func() {
		defer close(n.served)
		// The node may end before this has begun.
		if err := n.support.Serve(listener); err != nil && !errors.Is(err, chaincodesupport.ErrClosed) {
			n.cfg.log.Error("chaincode can't connect any more", zap.String("error", err.Error()))
		}
	}()
	return nil
}

// prepare does what needs to be known where the node listens.
func (n *node) prepare(ctx context.Context) (err error) {
	if n.support, err = n.newSupport(ctx); err != nil {
		return err
	}
	return n.define(ctx)
}

// newClient makes the identity that the calls of all clients are made with. It lives as long as the node.
func newClient() (*identity.Identity, error) {
	msp, err := identity.NewMSP(identity.MSPConfig{ID: mspID, Organization: "example.com"})
	if err != nil {
		return nil, err
	}
	return msp.Issue(identity.Config{CommonName: "client"})
}

// newSupport makes what runs chaincode. Chaincode that dials it proves by mutual TLS that it is the one that was launched.
func (n *node) newSupport(ctx context.Context) (*chaincodesupport.ChaincodeSupport, error) {
	cfg := n.cfg.support
	if !n.cfg.plaintext {
		var err error
		if n.auth, err = accesscontrol.New(accesscontrol.Config{Hosts: n.cfg.hosts(), Logger: n.cfg.log}); err != nil {
			return nil, err
		}
		cfg.Credentials, cfg.Identify = n.auth.ServerCredentials(), n.auth.Identify
	}
	runtimes, err := n.runtimes(ctx)
	if err != nil {
		return nil, err
	}
	policies := map[string]chaincodesupport.RestartPolicy{}
	for _, c := range n.cfg.chaincodes {
		policies[c.id] = c.restart
	}
	cfg.Runtimes = chaincodesupport.RuntimesFunc(func(_ context.Context, chaincodeID string) (runtime.Runtime, error) {
		if rt := runtimes[chaincodeID]; rt != nil {
			return rt, nil
		}
		return nil, chaincodesupport.ErrNoRuntime
	})
	cfg.Restart = func(chaincodeID string) chaincodesupport.RestartPolicy { return policies[chaincodeID] }
	cfg.Definitions = chaincodesupport.DefinitionsFunc(func(_ context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
		id, err := n.chaincodeID(p.Namespace)
		return chaincodesupport.Definition{ChaincodeID: id}, err
	})
	// Whoever reaches this peer may do everything.
	cfg.ACL = handler.InsecureAllowAll{}
	cfg.CollectionStore = collectionStore{n.ledgers}
	cfg.Ledgers, cfg.Logger = handler.LedgersFunc(n.ledger), n.cfg.log
	if n.cfg.trace != nil {
		n.cfg.trace.hook(&cfg.Hooks)
	}
	// Chaincode that is attached may come before it is called. Its certificate says which one it is.
	cfg.DevMode = n.cfg.dev || len(n.attached) > 0
	return chaincodesupport.New(cfg)
}

// close lets the calls under way finish until ctx ends, and waits until nothing of the node is running.
func (n *node) close(ctx context.Context) error {
	err := n.support.Close(ctx)
	<-n.served
	if n.auth != nil {
		n.auth.Flush()
	}
	n.using.Lock()
	defer n.using.Unlock()
	n.closed = true
	if closing := n.detach(); err == nil {
		err = closing
	}
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
	p, err := identity.NewProposal(identity.ProposalParams{
		ChannelID: c.Channel, Chaincode: c.Chaincode, Args: c.Args, IsInit: c.IsInit, Transient: c.Transient, Signer: n.client,
	})
	if err != nil {
		return nil, tx, err
	}
	r, tx, err := submit.Simulate(ctx, n.support, l, submit.Call{
		Chaincode: c.Chaincode, ChaincodeID: chaincodeID, Timestamp: p.Timestamp,
		Params: handler.TxParams{ChannelID: c.Channel, TxID: p.TxID, SignedProposal: p.Signed},
		Input:  chaincodesupport.Input{Args: c.Args, IsInit: c.IsInit},
	})
	if err != nil {
		return nil, tx, err
	}
	return &answer{TxID: p.TxID, Status: r.Status, Message: r.Message, Payload: r.Payload}, tx, nil
}

// chaincodeID returns the chaincode ID of a name. In dev mode, names that the node has no program for are those of
// chaincodes that may connect.
func (n *node) chaincodeID(name string) (string, error) {
	if c, ok := n.cfg.chaincodes[name]; ok {
		return c.id, nil
	}
	if !n.cfg.dev {
		return "", unknown("chaincode", name, n.cfg.chaincodes)
	}
	return name + ":" + defaultVersion, nil
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
