package peer

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// Deploy gives a channel of the peer a chaincode, or another version of it, and the peer what runs it. It returns when new indexes
// have all documents. Peers of a channel decide alike only if they are given a chaincode at the same height.
func (p *Peer) Deploy(ctx context.Context, channelID string, cc Chaincode) error {
	return errors.WithMessagef(p.deploy(ctx, channelID, cc), "deploy chaincode %s on channel %s of %s", cc.Name, channelID, p.cfg.Name)
}

func (p *Peer) deploy(ctx context.Context, channelID string, cc Chaincode) error {
	c := p.Channel(channelID)
	if c == nil {
		return errors.New("the peer is not on the channel")
	}
	next, err := c.definitions.next(cc)
	if err != nil {
		return err
	}
	rt, err := cc.runtimeFor(p)
	if err != nil {
		return err
	}
	height, err := c.ledger.Height(ctx)
	if err != nil {
		return err
	}
	next.follow(c.definitions.find(cc.Name), height)
	return (&deployment{next: next, channels: []*Channel{c}, runtimes: []runtime.Runtime{rt}}).do(ctx)
}

// Deploy gives a chaincode to all peers of a channel, between the same two blocks: what was ordered before is committed before,
// and what is ordered meanwhile waits. It doesn't start the chaincode: the first call does. If it fails, all peers
// go on with the definition that they had, but some may have what was to run the new one: deploy again. If one of them can't go back,
// the channel ends on all of them. Once peers are being told, ctx doesn't end it. Without a channelID it is the network's first channel.
func (n *Network) Deploy(ctx context.Context, channelID string, cc Chaincode) error {
	channelID = n.channelOr(channelID)
	return errors.WithMessagef(n.deploy(ctx, channelID, cc), "deploy chaincode %s on channel %s", cc.Name, channelID)
}

func (n *Network) deploy(ctx context.Context, channelID string, cc Chaincode) error {
	g := n.gates[channelID]
	if g == nil {
		return errors.Errorf("channel '%s' not found", channelID)
	}
	runtimes := make([]runtime.Runtime, len(n.peers))
	for i, p := range n.peers {
		var err error
		if runtimes[i], err = cc.runtimeFor(p); err != nil {
			return err
		}
	}
	passed, err := g.close(ctx)
	if err != nil {
		return err
	}
	defer g.open()
	next, err := n.next(ctx, channelID, cc, passed)
	if err != nil {
		return err
	}
	d := &deployment{next: next, runtimes: runtimes, keep: func(next *definition) error { return n.folder.keepDeployed(n.peers[0].Channel(channelID), next) }}
	for _, p := range n.peers {
		d.channels = append(d.channels, p.Channel(channelID))
	}
	return d.do(ctx)
}

// next waits until the peers have committed what has passed a channel's gate, and returns what is going to be deployed there.
func (n *Network) next(ctx context.Context, channelID string, cc Chaincode, passed uint64) (next *definition, err error) {
	for _, p := range n.peers {
		c := p.Channel(channelID)
		if err := c.waiting.reach(ctx, passed); err != nil {
			return nil, err
		}
		d, err := c.definitions.next(cc)
		if err != nil {
			return nil, err
		}
		if next != nil && d.sequence <= next.sequence { // a peer may have been given another one alone
			continue
		}
		next = d
		height, err := c.ledger.Height(ctx)
		if err != nil {
			return nil, err
		}
		next.follow(c.definitions.find(cc.Name), height)
	}
	return next, nil
}

// channelWith returns a channel other than one that has a chaincode with an ID, or nil.
func (p *Peer) channelWith(chaincodeID string, but *Channel) *Channel {
	for _, c := range p.Channels() {
		if c == but {
			continue
		}
		for _, d := range c.definitions.all() {
			if d.ID == chaincodeID {
				return c
			}
		}
	}
	return nil
}

// installed is a runtime that was given to a peer. Its address tells it from others: runtimes may be functions, which can't be
// compared.
type installed struct{ runtime.Runtime }

// Install gives the peer what runs a chaincode, by what that registers as. A chaincode that is running is stopped. The next
// call starts the new one.
func (p *Peer) Install(ctx context.Context, chaincodeID string, rt runtime.Runtime) error {
	p.mu.Lock()
	if delete(p.runtimes, chaincodeID); rt != nil {
		p.runtimes[chaincodeID] = &installed{rt}
	}
	p.mu.Unlock()
	return errors.WithMessagef(p.support.Stop(ctx, chaincodeID), "stop chaincode %s", chaincodeID)
}

// uninstall stops a chaincode that no channel has any more.
func (p *Peer) uninstall(ctx context.Context, chaincodeID string) error {
	p.mu.Lock()
	delete(p.runtimes, chaincodeID)
	p.mu.Unlock()
	return errors.WithMessagef(p.support.Stop(ctx, chaincodeID), "stop chaincode %s", chaincodeID)
}
