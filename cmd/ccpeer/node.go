package main

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/peer"
	"github.com/ccpeer/ccpeer/peer/devnet"
	"github.com/ccpeer/ccpeer/peer/server"
)

// mspID is the ID of the only organization, unless others are configured.
const mspID = peer.DefaultMSPID

// failed is the status from which on a transaction has failed, and is not committed.
const failed = 400

// nodeConfig says what a node runs.
type nodeConfig struct {
	listen        address             // where chaincode connects to
	advertise     advertised          // where it is told to, if it can't be told that
	plaintext     bool                // it connects without TLS
	gateway       gateway             // where applications connect to
	gatewayLimits server.Limits       // of what they can make each peer do
	organizations []peer.Organization // with the number of their peers; nil: one with one
	ledger        place               // where the ledgers are kept
	channels      []string            // each has a ledger, and so has each channel that there is something of
	// newChannel, if not nil, names one more channel, given those that there are.
	newChannel func(channels []string) string
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

// node is the peer: a network of one, or of several, and the chaincode that runs on them.
type node struct {
	cfg       nodeConfig
	store     store.Store     // which has the first peer's ledgers; the network's, once there is one
	network   *peer.Network   // nil: it has not begun
	gateways  *devnet.Running // what applications talk to; nil: nothing
	folder    string          // where the network keeps identities; "" keeps nothing
	temporary string          // the folder if it goes with the node
	homes     homes           // one for the chaincode of each peer
	peer      *peer.Peer      // the first one
	served    chan struct{}   // closed when chaincode of some peer can't connect any more
	ended     sync.Once       // closes served
	serving   sync.WaitGroup  // those who close it
	// using is held for reading while clients use the ledgers.
	using  sync.RWMutex
	calls  atomic.Int64 // how many clients use them
	closed bool
	// stopping ends when clients shouldn't wait any longer for what may never come.
	stopping context.Context
	stop     context.CancelFunc
}

// call is a call of a chaincode, as a client asks for it.
type call struct {
	Channel   string            `json:"channel"`
	Chaincode string            `json:"chaincode"`
	Args      [][]byte          `json:"args"`
	Transient map[string][]byte `json:"transient,omitempty"`
	IsInit    bool              `json:"isInit,omitempty"`
	// As is whose call it is, NAME or NAME@MSPID, with the attributes that chaincode sees. Empty: defaultClient.
	As         string            `json:"as,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// answer is what became of a call.
type answer struct {
	TxID    string `json:"txid"`
	Status  int32  `json:"status"`
	Message string `json:"message,omitempty"`
	Payload []byte `json:"payload,omitempty"`
	// Code is the validation code of the transaction, VALID or why not. It is empty if it wasn't committed.
	Code string `json:"code,omitempty"`
	// Reason says more of a code, if it isn't the ledger's.
	Reason string `json:"reason,omitempty"`
}

// startNode starts a node, which is to be closed. Chaincode is launched when it is first called.
func startNode(ctx context.Context, cfg nodeConfig) (*node, error) {
	n := &node{cfg: cfg, served: make(chan struct{})}
	n.stopping, n.stop = context.WithCancel(context.Background())
	var err error
	if n.store, err = cfg.ledger.open(ctx, cfg.log); err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		_ = n.end(ctx) // there is an error already
		return nil, err
	}
	return n, nil
}

func (n *node) start(ctx context.Context) error {
	channels, err := n.channels(ctx)
	if err != nil {
		return err
	}
	if err := n.settle(ctx); err != nil {
		return err
	}
	gateways, err := n.cfg.listenGateways(ctx)
	if err == nil {
		err = n.prepare(ctx, channels, n.cfg.gatewayAddresses(gateways))
	}
	if err != nil {
		for _, l := range gateways {
			_ = l.Close()
		}
		return err
	}
	for _, h := range n.homes {
		h.open(n.network.Peer(h.name))
	}
	if !n.cfg.gateway.served() {
		return nil
	}
	return n.serveGateways(ctx, gateways)
}

// prepare does what needs to be known where the node listens. The configuration of new channels says where their peers are.
func (n *node) prepare(ctx context.Context, channels []string, peers map[string][]string) error {
	supports := map[string]chaincodesupport.Config{}
	for _, h := range n.homes {
		if err := h.prepare(ctx); err != nil {
			return err
		}
		supports[h.name] = h.config
	}
	err := n.keepFiles()
	if err != nil {
		return err
	}
	n.network, err = peer.NewNetwork(ctx, peer.NetworkConfig{
		Organizations: n.cfg.members(), Channels: channels, Folder: n.folder, Logger: n.cfg.log, AnchorPeers: peers, OrdererAddresses: peers[n.homes[0].mspID],
		Store: func(peerName string) (store.Store, error) {
			if peerName == n.homes[0].name {
				return n.store, nil
			}
			return n.cfg.ledger.of(peerName).open(ctx, n.cfg.log)
		},
		Support: func(peerName string) chaincodesupport.Config { return supports[peerName] },
	})
	if err != nil {
		return err
	}
	n.peer = n.network.Peers()[0]
	return n.deploy(ctx)
}

// close lets the calls under way finish until ctx ends, and waits until nothing of the node is running.
func (n *node) close(ctx context.Context) error {
	n.stop()
	err := n.endGateways(ctx)
	if closing := n.homes.close(ctx); err == nil {
		err = closing
	}
	n.using.Lock()
	defer n.using.Unlock()
	n.closed = true
	if closing := n.end(ctx); err == nil {
		err = closing
	}
	return err
}

// end ends what nobody uses any more.
func (n *node) end(ctx context.Context) error {
	n.stop()
	err := n.homes.close(ctx) // it does nothing if they are closed
	closing := n.homes.detach()
	if err == nil {
		err = closing
	}
	if n.network != nil {
		closing = n.network.Close(ctx)
	} else {
		closing = n.store.Close()
	}
	if err == nil {
		err = closing
	}
	if n.temporary != "" {
		_ = os.RemoveAll(n.temporary) // what stays is among temporary files
	}
	return err
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
