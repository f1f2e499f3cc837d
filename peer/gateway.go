package peer

import (
	"context"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/acl"
	"github.com/ccpeer/ccpeer/peer/gateway"
	"github.com/ccpeer/ccpeer/peer/gateway/plan"
	pb "github.com/ccpeer/ccpeer/proto"
)

// GatewayConfig says how a network serves Fabric's Gateway. The zero value is good.
type GatewayConfig struct {
	// Address returns where a peer is, as host:port. Clients are told it if the peer fails. Nil: its name.
	Address func(peerName string) string
	// OrdererAddress is where the orderer is. Empty: orderer.
	OrdererAddress string
	// ACL decides who may ask for commits and events. Nil: Peer.ACL.
	ACL acl.Checker
	// EndorsementTimeout and BroadcastTimeout are as in gateway.Config.
	EndorsementTimeout, BroadcastTimeout time.Duration
}

// NewGateway returns the Gateway of a peer. It asks the other peers of the network, and has transactions ordered by the network's
// orderer. Close it when its last call has returned.
func NewGateway(n *Network, p *Peer, cfg GatewayConfig) (*gateway.Gateway, error) {
	if cfg.Address == nil {
		cfg.Address = func(peerName string) string { return peerName }
	}
	if cfg.OrdererAddress == "" {
		cfg.OrdererAddress = "orderer"
	}
	if cfg.ACL == nil {
		cfg.ACL = p.ACL()
	}
	s := served{network: n, host: p, cfg: cfg}
	g, err := gateway.New(gateway.Config{
		MSPID: p.mspID, Channel: s.channel, ACL: cfg.ACL, EndorsementTimeout: cfg.EndorsementTimeout, BroadcastTimeout: cfg.BroadcastTimeout, Logger: p.cfg.Logger,
	})
	return g, errors.WithMessagef(err, "serve gateway of %s", p.Name())
}

// served is a network as a gateway knows it.
type served struct {
	network *Network
	host    *Peer
	cfg     GatewayConfig
}

func (s served) channel(id string) *gateway.Channel {
	c := s.host.Channel(id)
	if c == nil {
		return nil
	}
	return &gateway.Channel{
		Peers:    func(ctx context.Context) ([]*plan.Peer, error) { return s.peers(ctx, id) },
		Policies: planPolicies{c},
		Orderers: func(context.Context) (*gateway.Orderers, error) {
			return &gateway.Orderers{Nodes: []gateway.Orderer{
				{Address: s.cfg.OrdererAddress, MSPID: c.cfg.Organizations[0].MSPID, Broadcaster: s.network.Orderer()},
			}}, nil
		},
		Ledger: gatewayLedger{c},
	}
}

// peers are those of a channel.
func (s served) peers(ctx context.Context, channelID string) ([]*plan.Peer, error) {
	var least uint64 // the host's height
	if c := s.host.Channel(channelID); c != nil {
		var err error
		if least, err = c.ledger.Height(ctx); err != nil {
			return nil, errors.WithMessagef(err, "read height of %s", s.host.Name())
		}
	}
	var all []*plan.Peer
	for _, p := range s.network.peers {
		c := p.Channel(channelID)
		if c == nil {
			continue
		}
		height := least
		if p != s.host {
			var err error
			if height, err = c.ledger.Height(ctx); err != nil {
				return nil, errors.WithMessagef(err, "read height of %s", p.Name())
			}
		}
		next := &plan.Peer{
			Address: s.cfg.Address(p.Name()), Identity: c.self, Height: height, Host: p == s.host, Endorser: p,
			Runs: func(name string) bool { return p.runs(c, name) },
		}
		if !next.Host {
			next.Endorser = farPeer{c, least}
		}
		all = append(all, next)
	}
	return all, nil
}

// farPeer is a peer as others have it. Over gRPC there is a response or an error, never both.
//
// A client that was told of a commit by the gateway's peer expects that a transaction after it sees it everywhere. In Fabric, another
// peer may be a block behind, and endorse something else. Here it takes the proposal when it has come as far as the gateway's peer.
type farPeer struct {
	channel *Channel
	least   uint64 // how many blocks it must have
}

// ProcessProposal implements plan.Endorser.
func (f farPeer) ProcessProposal(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	return f.call(ctx, f.channel.peer.ProcessProposal, signed)
}

// Evaluate implements plan.Evaluator.
func (f farPeer) Evaluate(ctx context.Context, signed *pb.SignedProposal) (*pb.ProposalResponse, error) {
	return f.call(ctx, f.channel.peer.Evaluate, signed)
}

func (f farPeer) call(
	ctx context.Context, process func(context.Context, *pb.SignedProposal) (*pb.ProposalResponse, error), signed *pb.SignedProposal,
) (*pb.ProposalResponse, error) {
	if err := f.catchUp(ctx); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	r, err := process(ctx, signed)
	if err != nil {
		return nil, status.Error(codes.Unknown, err.Error())
	}
	return r, nil
}

func (f farPeer) catchUp(ctx context.Context) error {
	height, err := f.channel.ledger.Height(ctx)
	if err != nil || height >= f.least {
		return err
	}
	_, err = awaitBlock(ctx, f.channel, f.least-1)
	return err
}

// gatewayLedger is what a peer has committed of a channel, as long as the peer is on it.
type gatewayLedger struct{ c *Channel }

var _ gateway.Ledger = gatewayLedger{}

// Height implements gateway.Ledger.
func (l gatewayLedger) Height(ctx context.Context) (uint64, error) { return l.c.ledger.Height(ctx) }

// Status implements gateway.Ledger.
func (l gatewayLedger) Status(ctx context.Context, txID string) (gateway.Status, bool, error) {
	at, code, err := l.c.ledger.TransactionCode(ctx, txID)
	if errors.Is(err, kvledger.ErrNotFound) {
		return gateway.Status{}, false, nil
	}
	return gateway.Status{Block: at.Block, Code: pb.TxValidationCode(code)}, err == nil, err
}

// Blocks implements gateway.Ledger.
func (l gatewayLedger) Blocks(from uint64) gateway.Blocks {
	sub := l.c.ledger.Subscribe(from)
	return gatewayBlocks{sub, context.AfterFunc(l.c.running, sub.Close)}
}

// gatewayBlocks are blocks of a ledger. They end when the peer leaves the channel.
type gatewayBlocks struct {
	sub  *kvledger.Subscription
	stop func() bool
}

// Next implements gateway.Blocks.
func (b gatewayBlocks) Next(ctx context.Context) (*gateway.Block, error) {
	committed, err := b.sub.Next(ctx)
	if err != nil {
		return nil, err
	}
	next := &gateway.Block{Number: committed.Number, Transactions: make([]gateway.Transaction, len(committed.Transactions))}
	for i := range committed.Transactions {
		tx := &committed.Transactions[i]
		next.Transactions[i] = gateway.Transaction{TxID: tx.TxID, Code: pb.TxValidationCode(tx.Code), Envelope: tx.Envelope}
	}
	return next, nil
}

// Close implements gateway.Blocks.
func (b gatewayBlocks) Close() {
	b.stop()
	b.sub.Close()
}
