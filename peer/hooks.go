package peer

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/identity"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer/endorser"
	"github.com/ccpeer/ccpeer/peer/system"
	pb "github.com/ccpeer/ccpeer/proto"
)

// hooks are what chaincodesupport asks a peer. Definitions and runtimes are those that the peer was configured with, or nil.
type hooks struct {
	peer        *Peer
	definitions chaincodesupport.Definitions
	runtimes    chaincodesupport.Runtimes
	system      *system.System
	others      []string // chaincodes that belong to the peer, and that definitions and runtimes know
}

// Ledger implements handler.Ledgers.
func (h hooks) Ledger(_ context.Context, channelID string) (ledger.Ledger, error) {
	if c := h.peer.Channel(channelID); c != nil {
		return c.ledger, nil
	}
	return nil, handler.ErrUnknownChannel
}

// Definition implements chaincodesupport.Definitions.
func (h hooks) Definition(ctx context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
	if c := h.peer.Channel(p.ChannelID); c != nil {
		if d := c.definitions.find(p.Namespace); d != nil {
			return chaincodesupport.Definition{
				ChaincodeID: d.ID, Version: d.Version, InitRequired: d.InitRequired, InitOptional: d.InitOptional,
			}, nil
		}
	}
	if d, ok := h.system.Definition(p.Namespace); ok && !slices.Contains(h.others, p.Namespace) {
		return d, nil
	}
	if h.definitions != nil {
		return h.definitions.Definition(ctx, p)
	}
	if p.ChannelID == "" {
		return chaincodesupport.Definition{}, errors.New("could not get channel config for channel ''")
	}
	return chaincodesupport.Definition{}, errors.Errorf("chaincode %s not found", p.Namespace)
}

// Runtime implements chaincodesupport.Runtimes.
func (h hooks) Runtime(ctx context.Context, chaincodeID string) (runtime.Runtime, error) {
	h.peer.mu.RLock()
	i := h.peer.runtimes[chaincodeID]
	h.peer.mu.RUnlock()
	own := h.system.Runtime(chaincodeID)
	switch {
	case i != nil:
		return i.Runtime, nil // as it was given, for it may have more methods
	case own != nil:
		return own, nil
	case h.runtimes != nil:
		return h.runtimes.Runtime(ctx, chaincodeID)
	}
	return nil, chaincodesupport.ErrNoRuntime
}

// CheckACL implements handler.ACLProvider: who may write to a channel may call its chaincode from another (Fabric:
// peer/ChaincodeToChaincode). The proposal has been verified when it came. The texts are those of package acl.
func (h hooks) CheckACL(_ context.Context, _, channelID string, signed *pb.SignedProposal) error {
	c := h.peer.Channel(channelID)
	if c == nil {
		return errors.Errorf("Failed to get policy manager for channel [%s]", channelID)
	}
	p, err := identity.ParseProposal(signed)
	if err != nil {
		return err
	}
	var signers []*identity.Verified // nobody, if the channel doesn't know who it is
	if who, err := c.verifier.Identify(p.Creator); err == nil {
		signers = append(signers, who)
	}
	if cause := writersOf(c).Evaluate(signers); cause != nil {
		return errors.Errorf("Failed evaluating policy on signed data during check policy on channel [%s] with policy [/Channel/Application/Writers]: [%s]", channelID, cause)
	}
	return nil
}

// collectionStore goes by definitions. Proposals were verified when they came.
func (h hooks) collectionStore() handler.CollectionStore {
	return collections.Store{MSPIDs: func(channelID string) []string {
		if c := h.peer.Channel(channelID); c != nil {
			return c.mspIDs
		}
		return nil
	}}
}

// endorserChannel is what the endorser must know of a channel.
func (p *Peer) endorserChannel(channelID string) *endorser.Channel {
	c := p.Channel(channelID)
	if c == nil {
		return nil
	}
	return &endorser.Channel{
		Verifier: c.verifier, Writers: writersOf(c), Ledger: c.ledger, Committed: c.committed, Results: results, PrivateData: c.share,
	}
}

// results are what was simulated.
func results(ctx context.Context, sim ledger.Simulator) (public, private []byte, err error) {
	r, err := kvledger.ResultsOf(ctx, sim)
	if err != nil {
		return nil, nil, err
	}
	return r.RWSet, r.PrivateRWSet, nil
}
