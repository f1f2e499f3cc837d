package peer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/endorser"
	"github.com/ccpeer/ccpeer/peer/ordering"
	"github.com/ccpeer/ccpeer/peer/system"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Config says whose peer it is, and what it stands on.
type Config struct {
	// Name is the peer's name, such as peer0.Org1MSP. It is for logs and errors. Required.
	Name string
	// Signer is the peer's identity, which endorses. Required.
	Signer identity.Signer
	// Organization is the peer's own. Its members may make calls without a channel, such as for the list of channels. Nil: nobody may.
	Organization *identity.Organization
	// Store keeps the ledgers of all channels. The caller closes it after Peer.Close. Required.
	Store store.Store
	// Orderer is where blocks come from. Required.
	Orderer ordering.Service
	// Support is how the peer runs chaincode. The peer has its own Hooks.Ledgers, and asks Definitions and Runtimes only for what
	// was not deployed, such as chaincode that belongs to the peer beside qscc and cscc (Hooks.Builtins). If Hooks.ACL and Hooks.CollectionStore are
	// nil, it goes by the channels' policies and the collections' definitions.
	Support chaincodesupport.Config
	// Distributor gives private data to other peers when a transaction is endorsed. Nil: nobody else gets any.
	Distributor Distributor
	// TimeWindow is how far a proposal's timestamp may be from the peer's clock. Zero: 15 minutes.
	TimeWindow time.Duration
	// Signatures are those that were good lately. Peers of one process may share them. Nil: the peer has its own.
	Signatures *identity.Signatures
	// Logger gets the logs, under the peer's name. Nil: nothing is logged.
	Logger *zap.Logger
}

// Peer is one organization's peer. It is safe for concurrent use.
type Peer struct {
	cfg      Config
	mspID    string
	support  *chaincodesupport.ChaincodeSupport
	endorser *endorser.Endorser
	local    *identity.Verifier // of calls without a channel; nil if there is nobody
	acl      acl.Checker
	builtins []string // the names of chaincodes that belong to the peer
	provider *kvledger.Provider

	mu       sync.RWMutex
	channels map[string]*Channel
	runtimes map[string]*installed // by chaincode ID
	closed   bool
}

// New returns a peer that is on no channel yet: see Join. Close it after use.
func New(cfg Config) (*Peer, error) {
	switch {
	case cfg.Name == "":
		return nil, errors.New("make peer: Config.Name is empty")
	case cfg.Signer == nil, cfg.Store == nil, cfg.Orderer == nil:
		return nil, errors.Errorf("make peer %s: Config.Signer, Store and Orderer are required", cfg.Name)
	}
	p := &Peer{
		cfg: cfg, provider: kvledger.NewProvider(cfg.Store), channels: map[string]*Channel{}, runtimes: map[string]*installed{},
	}
	if p.cfg.Signatures == nil {
		p.cfg.Signatures = identity.NewSignatures(0)
	}
	if p.cfg.Logger == nil {
		p.cfg.Logger = zap.NewNop()
	}
	p.cfg.Logger = p.cfg.Logger.Named(cfg.Name)
	var id pb.SerializedIdentity
	if err := proto.Unmarshal(cfg.Signer.Creator(), &id); err != nil {
		return nil, errors.Wrapf(err, "make peer %s: decode its identity", cfg.Name)
	}
	p.mspID = id.GetMspid()
	return p, errors.WithMessagef(p.assemble(), "make peer %s", cfg.Name)
}

// assemble makes the parts.
func (p *Peer) assemble() error {
	support := p.cfg.Support
	h := hooks{peer: p, definitions: support.Definitions, runtimes: support.Runtimes}
	var err error
	if p.local, err = p.newLocal(); err != nil {
		return err
	}
	if p.acl, err = p.newACL(); err != nil {
		return err
	}
	if h.system, err = p.newSystem(); err != nil {
		return err
	}
	h.others = slices.Clone(support.Builtins)
	support.Builtins = slices.Compact(slices.Sorted(slices.Values(append(system.Names(), h.others...))))
	p.builtins = support.Builtins
	support.Ledgers = h
	support.Definitions, support.Runtimes = h, h
	if support.ACL == nil {
		support.ACL = h
	}
	if support.CollectionStore == nil {
		support.CollectionStore = h.collectionStore()
	}
	if support.Logger == nil {
		support.Logger = p.cfg.Logger
	}
	if p.support, err = chaincodesupport.New(support); err != nil {
		return err
	}
	p.endorser, err = endorser.New(endorser.Config{
		Signer: p.cfg.Signer, Chaincode: p.support, Definitions: h, Channel: p.endorserChannel, Local: p.local, Builtins: p.builtins,
		TimeWindow: p.cfg.TimeWindow, Logger: p.cfg.Logger,
	})
	return err
}

// Name returns the peer's name.
func (p *Peer) Name() string { return p.cfg.Name }

// MSPID returns the ID of the peer's organization, which its chaincode is told as CORE_PEER_LOCALMSPID.
func (p *Peer) MSPID() string { return p.mspID }

// Creator returns the peer's identity, a marshalled SerializedIdentity, in a new slice.
func (p *Peer) Creator() []byte { return slices.Clone(p.cfg.Signer.Creator()) }

// Support returns what runs the peer's chaincode. It serves chaincode that dials the peer, and says what is running. It ends with
// the peer.
func (p *Peer) Support() *chaincodesupport.ChaincodeSupport { return p.support }

// ProcessProposal endorses what a client proposes, as Fabric's service Endorser does: see endorser.Endorser.
func (p *Peer) ProcessProposal(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	return p.endorser.ProcessProposal(ctx, signed)
}

// Evaluate is ProcessProposal without an endorsement: see endorser.Endorser.
func (p *Peer) Evaluate(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	return p.endorser.Evaluate(ctx, signed)
}

// Channel returns a channel that the peer is on, or nil.
func (p *Peer) Channel(id string) *Channel {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.channels[id]
}

// Channels returns the channels that the peer is on, in the order of their IDs.
func (p *Peer) Channels() []*Channel {
	p.mu.RLock()
	defer p.mu.RUnlock()
	var all []*Channel
	for _, c := range p.channels {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Channel) int {
		if a.cfg.ID < b.cfg.ID {
			return -1
		}
		return 1
	})
	return all
}

// Close takes the peer off its channels, and ends its chaincode. Transactions in flight may finish until ctx ends. When it
// returns, nothing of the peer is running, unless the error says so.
func (p *Peer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.support.Close(ctx)
	for _, c := range p.Channels() {
		c.close()
	}
	return errors.WithMessagef(err, "close peer %s", p.cfg.Name)
}
