package peer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/policies"
	pb "github.com/ccpeer/ccpeer/proto"
)

// What a NetworkConfig that says nothing has.
const (
	DefaultMSPID   = "Org1MSP"
	DefaultChannel = "mychannel"
)

// NetworkConfig says what a network consists of. The zero value is an organization Org1MSP with one peer, which is on the channel
// mychannel, in memory, with a block for each transaction.
type NetworkConfig struct {
	// Organizations are the members of all channels. Nil: Org1MSP with one peer.
	Organizations []Organization
	// Channels are the channels' IDs. All peers are on all of them. Nil: mychannel.
	Channels []string
	// Batch says when a block is cut. Zero: each transaction has a block, at once.
	Batch ordering.Batch
	// Store opens the store of a peer, whose names are like peer0.Org1MSP. The network closes it. Nil: stores in memory.
	Store func(peerName string) (store.Store, error)
	// Folder is where the network keeps what must outlive it, if stores do: the keys of its organizations and clients, and what
	// was deployed. Organizations are in organizations/, in the form of MSP folders. It is made if it isn't there, and belongs to
	// one network at a time. Empty: nothing is kept.
	Folder string
	// Support says how a peer runs chaincode: see Config.Support. Nil: by the defaults of chaincodesupport.
	Support func(peerName string) chaincodesupport.Config
	// TimeWindow is how far a proposal's timestamp may be from now. Zero: 15 minutes.
	TimeWindow time.Duration
	// OrdererAddresses are where clients find the orderer, and AnchorPeers where they find some peers of each organization, by its MSP
	// ID. All are host:port. They stand in the channels' configurations: see SetAddresses. Nil: these say what they said before.
	OrdererAddresses []string
	AnchorPeers      map[string][]string
	// Logger gets the logs of all, under the peers' names. Nil: nothing is logged.
	Logger *zap.Logger
}

// Organization is an organization of a network. The network is its CA.
type Organization struct {
	// MSPID is the ID of its MSP, such as Org1MSP. Required.
	MSPID string
	// Peers is how many peers it has. Zero: one.
	Peers int
}

// Network is several peers and an orderer in one process, and a client of them. It is safe for concurrent use.
type Network struct {
	cfg           NetworkConfig
	folder        folder
	release       func()     // lets others use the folder; nil if it isn't ours
	closing       sync.Mutex // held while the network is closed, for stores and release
	organizations organizations
	stores        []store.Store
	peers         []*Peer
	orderer       *ordering.Orderer
	signatures    *identity.Signatures
	gates         map[string]*gate // by channel ID; not changed any more
	configuring   sync.Mutex       // held while configurations are changed, for addresses in cfg
}

// NewNetwork starts a network. Close it after use.
func NewNetwork(ctx context.Context, cfg NetworkConfig) (*Network, error) {
	if len(cfg.Organizations) == 0 {
		cfg.Organizations = []Organization{{MSPID: DefaultMSPID}}
	}
	for _, o := range cfg.Organizations {
		if o.MSPID == "" || o.Peers < 0 {
			return nil, errors.Errorf("start network: organization %q with %d peers, want an MSP's ID, and 0 for one peer", o.MSPID, o.Peers)
		}
	}
	if len(cfg.Channels) == 0 {
		cfg.Channels = []string{DefaultChannel}
	}
	if cfg.Store == nil {
		cfg.Store = func(string) (store.Store, error) { return memory.New(), nil }
	}
	if cfg.Support == nil {
		cfg.Support = func(string) chaincodesupport.Config { return chaincodesupport.Config{} }
	}
	cfg.Organizations, cfg.Channels = slices.Clone(cfg.Organizations), slices.Clone(cfg.Channels)
	n := &Network{cfg: cfg, folder: folder(cfg.Folder), gates: map[string]*gate{}, signatures: identity.NewSignatures(0)}
	if err := n.begin(ctx); err != nil {
		_ = n.Close(ctx) // the first error says why
		return nil, errors.WithMessage(err, "start network")
	}
	return n, nil
}

func (n *Network) begin(ctx context.Context) error {
	var err error
	if n.orderer, err = ordering.New(ordering.Config{Past: gated{n}.past, Logger: n.cfg.Logger}); err != nil {
		return err
	}
	if n.release, err = n.folder.prepare(); err != nil {
		return err
	}
	for _, o := range n.cfg.Organizations {
		ready, err := n.folder.organization(o.MSPID)
		if err != nil {
			return err
		}
		n.organizations = append(n.organizations, ready)
		for i := range max(o.Peers, 1) {
			if err := n.addPeer(ready, fmt.Sprintf("peer%d.%s", i, o.MSPID)); err != nil {
				return err
			}
		}
	}
	for _, id := range n.cfg.Channels {
		if err := n.addChannel(ctx, id); err != nil {
			return errors.WithMessagef(err, "channel %s", id)
		}
	}
	return nil
}

func (n *Network) addPeer(o *organization, name string) error {
	id, err := o.member("peers", name, identity.Config{CommonName: name, OUs: []string{string(identity.Peer)}})
	if err != nil {
		return err
	}
	s, err := n.cfg.Store(name)
	if err != nil {
		return errors.WithMessagef(err, "open store of %s", name)
	}
	n.stores = append(n.stores, s)
	own := o.msp.Organization()
	p, err := New(Config{
		Name: name, Signer: id, Organization: &own, Store: s, Orderer: n.orderer, Support: n.cfg.Support(name), Distributor: n, TimeWindow: n.cfg.TimeWindow, Signatures: n.signatures, Logger: n.cfg.Logger,
	})
	if err == nil {
		n.peers = append(n.peers, p)
	}
	return err
}

// addChannel takes all peers to a channel, which goes on where the one that has come furthest has ended.
func (n *Network) addChannel(ctx context.Context, id string) error {
	if n.gates[id] != nil {
		return errors.New("it is there twice")
	}
	cfg := ChannelConfig{ID: id}
	for _, o := range n.organizations {
		cfg.Organizations = append(cfg.Organizations, o.public())
	}
	var opened []*Channel
	for _, p := range n.peers {
		c, err := p.open(ctx, cfg)
		if err != nil {
			return err
		}
		opened = append(opened, c)
	}
	deployed, err := n.folder.readDeployed(opened[0])
	if err != nil {
		return err
	}
	head, height, err := level(ctx, opened, deployed)
	if err != nil {
		return err
	}
	var first *pb.Block
	if height == 0 {
		if first, err = n.cfg.describe(cfg.Organizations).Genesis(id); err != nil {
			return err
		}
		head.Header = first.GetHeader()
	}
	mayWrite, err := channelPolicy(policies.AnyRule, writers, opened[0].mspIDs)
	if err != nil {
		return err
	}
	ch := ordering.Channel{ID: id, Head: head, Batch: n.cfg.Batch, Verifier: opened[0].verifier, Writers: mayWrite}
	if err := n.orderer.AddChannel(ch); err != nil { // which looks at the batch, before anything is committed
		return err
	}
	if first != nil {
		if err := begin(ctx, opened, first); err != nil {
			return err
		}
		height = 1
	}
	if err := n.folder.deployKept(ctx, opened, height, deployed); err != nil {
		return err
	}
	n.gates[id] = &gate{}
	for _, c := range opened {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	if first != nil {
		return nil
	}
	return n.reconfigure(ctx, id) // the network may be another one than before
}

// Distribute implements Distributor: the members of a collection have its data before the transaction is ordered.
func (n *Network) Distribute(ctx context.Context, d PrivateData) error {
	var (
		others     []*Channel
		identities []*identity.Verified
	)
	for _, p := range n.peers {
		if c := p.Channel(d.From.cfg.ID); c != nil && c != d.From {
			others, identities = append(others, c), append(identities, c.self)
		}
	}
	if err := d.Check(ctx, identities); err != nil {
		return err
	}
	for _, c := range others {
		part, err := d.For(ctx, c.self)
		if err != nil {
			return err
		}
		if err := c.KeepPrivateData(ctx, d.TxID, part); err != nil {
			return errors.WithMessagef(err, "give private data to %s", c.peer.Name())
		}
	}
	return nil
}

// Peers returns the peers: the organizations' in their order. They must not be closed.
func (n *Network) Peers() []*Peer { return slices.Clone(n.peers) }

// Peer returns the peer with a name, or the first one of an organization by the ID of its MSP, or nil.
func (n *Network) Peer(name string) *Peer {
	for _, p := range n.peers {
		if p.Name() == name || p.MSPID() == name {
			return p
		}
	}
	return nil
}

// Orderer returns the orderer. Deploy, Save and Restore hold up what it is given, and wait for what it was given, as with Order.
func (n *Network) Orderer() ordering.Service { return gated{n} }

func (n *Network) channelOr(id string) string {
	if id == "" {
		return n.cfg.Channels[0]
	}
	return id
}

// Close ends the network: the orderer, the peers with their chaincode, and the stores. Transactions in flight may finish until ctx
// ends. When it returns, nothing of the network is running, unless the error says so. It may be called again.
func (n *Network) Close(ctx context.Context) error {
	n.closing.Lock()
	defer n.closing.Unlock()
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	for _, p := range n.peers {
		keep(p.support.Close(ctx))
	}
	if n.orderer != nil {
		n.orderer.Close()
	}
	for _, p := range n.peers { // what the orderer has made is committed by all
		for _, c := range p.Channels() {
			select {
			case <-c.ended:
			case <-c.waiting.failed(): // it can't, and catches up when the network is started again
			case <-ctx.Done():
			}
		}
	}
	for _, p := range n.peers {
		keep(p.Close(ctx))
	}
	for _, s := range n.stores {
		keep(s.Close())
	}
	n.stores = nil
	if n.release != nil {
		n.release()
		n.release = nil
	}
	return errors.WithMessage(first, "close network")
}
