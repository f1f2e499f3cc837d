package peer

import (
	"context"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
	"github.com/ccpeer/ccpeer/peer/committer"
	"github.com/ccpeer/ccpeer/peer/ordering"
)

// State is what a network had at some moment: all peers' ledgers, and what was deployed. Network.Save makes it. It never changes,
// and shares memory with the network for what both have.
type State struct {
	of       *Network
	stores   []memory.State
	deployed map[string]map[string]*definition // by channel and name
	runtimes []map[string]*installed           // of each peer, by chaincode ID
}

// saving is a store that can go back to an earlier state. memory.Store is one.
type saving interface {
	Save() (memory.State, error)
	Restore(memory.State) error
}

var _ saving = (*memory.Store)(nil)

// Save notes what the network has. It waits until what was ordered is committed by all peers, and what is ordered meanwhile waits.
// Apart from that it takes the same time whatever the ledgers have. All stores must be in memory.
func (n *Network) Save(ctx context.Context) (*State, error) {
	s := &State{of: n, deployed: map[string]map[string]*definition{}}
	err := n.still(ctx, func() error {
		for _, st := range n.stores {
			m, ok := st.(saving)
			if !ok {
				return errors.Errorf("a store is a %T, and not in memory", st)
			}
			saved, err := m.Save()
			if err != nil {
				return err
			}
			s.stores = append(s.stores, saved)
		}
		for _, p := range n.peers {
			s.runtimes = append(s.runtimes, p.installed())
		}
		for id := range n.gates {
			s.deployed[id] = n.peers[0].Channel(id).definitions.byNames()
		}
		return nil
	})
	return s, errors.WithMessage(err, "save network")
}

// Restore makes the ledgers, and what is deployed, what they were when s was saved. States may be restored in any order, any number of
// times. It waits as Save does. A transaction that was endorsed before, and is ordered after it, is validated against what is there
// then. Chaincode that is running goes on, with what it keeps in its own memory, unless its ID had another runtime then. Such chaincode
// is stopped, and the next call starts what was there. Subscriptions to blocks that are gone end with an error. It is for tests.
func (n *Network) Restore(ctx context.Context, s *State) error {
	if s == nil || s.of != n {
		return errors.New("restore network: the state is another network's")
	}
	n.configuring.Lock() // meanwhile there are no channels
	defer n.configuring.Unlock()
	err := n.still(ctx, func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := n.restore(context.WithoutCancel(ctx), s); err != nil { // half of it would leave a network that does nothing any more
			return err
		}
		var first error
		for i, p := range n.peers {
			if err := p.reinstall(ctx, s.runtimes[i]); err != nil && first == nil {
				first = err
			}
		}
		return first
	})
	return errors.WithMessage(err, "restore network")
}

// restore is Restore without the chaincodes that run.
func (n *Network) restore(ctx context.Context, s *State) error {
	var channels []*Channel
	for _, p := range n.peers {
		for _, c := range p.Channels() {
			c.close()
			channels = append(channels, c)
		}
	}
	for i, st := range n.stores {
		if err := st.(saving).Restore(s.stores[i]); err != nil {
			return err
		}
	}
	for id := range n.gates {
		if err := reorder(ctx, n, id); err != nil {
			return err
		}
	}
	for _, c := range channels {
		if err := c.again(ctx, s.deployed[c.cfg.ID]); err != nil {
			return err
		}
	}
	for id := range n.gates {
		if err := n.folder.keepDeployed(n.peers[0].Channel(id), nil); err != nil {
			return err
		}
	}
	return nil
}

// installed returns what runs the peer's chaincodes, by their IDs, in a new map.
func (p *Peer) installed() map[string]*installed {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return maps.Clone(p.runtimes)
}

// reinstall makes what runs the peer's chaincodes what it was before, and stops those that something else runs now.
func (p *Peer) reinstall(ctx context.Context, before map[string]*installed) error {
	p.mu.Lock()
	now := p.runtimes
	p.runtimes = maps.Clone(before)
	p.mu.Unlock()
	return chaincodesupport.StopReplaced(ctx, p.support, before, now)
}

// still calls f while nothing is ordered, and everything that was ordered is committed.
func (n *Network) still(ctx context.Context, f func() error) error {
	for _, id := range slices.Sorted(maps.Keys(n.gates)) { // in one order, so that two don't wait for each other
		g := n.gates[id]
		passed, err := g.close(ctx)
		if err != nil {
			return err
		}
		defer g.open()
		for _, p := range n.peers {
			if err := p.Channel(id).waiting.reach(ctx, passed); err != nil {
				return err
			}
		}
	}
	return f()
}

// Settle waits until all peers have committed what was ordered so far, also if one of them can't at the moment, and tries again.
func (n *Network) Settle(ctx context.Context) error {
	for id, g := range n.gates {
		passed, err := g.close(ctx)
		if err != nil {
			return err
		}
		g.open()
		for _, p := range n.peers {
			if err := p.Channel(id).waiting.settle(ctx, passed); err != nil {
				return errors.WithMessagef(err, "channel %s", id)
			}
		}
	}
	return nil
}

// reorder has the orderer go on behind the last block that the peers have of a channel.
func reorder(ctx context.Context, n *Network, id string) error {
	c := n.peers[0].Channel(id)
	head, _, err := headOf(ctx, c.ledger)
	if err != nil {
		return err
	}
	n.orderer.RemoveChannel(id)
	return n.orderer.AddChannel(ordering.Channel{ID: id, Head: head, Batch: n.cfg.Batch, Verifier: c.verifier, Writers: c.writers})
}

// again takes the peer to a channel that was closed, with what was deployed on it then.
func (c *Channel) again(ctx context.Context, deployed map[string]*definition) error {
	next := &Channel{
		cfg: c.cfg, peer: c.peer, mspIDs: c.mspIDs, verifier: c.verifier, self: c.self, writers: c.writers, ledger: c.ledger,
		definitions: &definitions{organizations: c.mspIDs, byName: maps.Clone(deployed)}, reasons: map[int]error{}, ended: make(chan struct{}),
	}
	next.waiting.seen = c.waiting.seen // the gate has counted them
	var err error
	next.committer, err = committer.New(next.committerConfig())
	if err != nil {
		return err
	}
	c.peer.mu.Lock()
	delete(c.peer.channels, c.cfg.ID)
	c.peer.mu.Unlock()
	return next.start(ctx)
}

// byNames returns the definitions by their names, in a new map.
func (d *definitions) byNames() map[string]*definition {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return maps.Clone(d.byName)
}
