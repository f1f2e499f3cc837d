package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/peer"
)

// channels returns the channels that there are to be: those that there is something of, and those that are configured.
func (n *node) channels(ctx context.Context) ([]string, error) {
	channels, err := kvledger.NewProvider(n.store).Channels(ctx)
	if err != nil {
		return nil, err
	}
	more := n.cfg.channels
	if n.cfg.newChannel != nil {
		more = append(more[:len(more):len(more)], n.cfg.newChannel(channels))
	}
	for _, channel := range more {
		if !slices.Contains(channels, channel) {
			channels = append(channels, channel)
		}
	}
	return channels, nil
}

// deploy gives all channels what they must know of chaincodes.
func (n *node) deploy(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(n.cfg.definitions)) {
		if _, ok := n.cfg.chaincodes[name]; !ok {
			if err := n.deployTo(ctx, n.peer.Channels(), name); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(n.cfg.chaincodes)) {
		if err := n.deployTo(ctx, n.peer.Channels(), name); err != nil {
			return err
		}
	}
	return nil
}

// deployTo gives channels a chaincode. A definition that isn't configured stays what the ledger has.
func (n *node) deployTo(ctx context.Context, channels []*peer.Channel, name string) error {
	id, err := n.chaincodeID(name)
	if err != nil { // it has only a definition
		id = name + ":" + defaultVersion
	}
	_, version, _ := strings.Cut(id, ":")
	for _, c := range channels {
		cc := peer.Chaincode{Name: name, ID: id, Version: version, InitOptional: true}
		d, ok := n.cfg.definitions[name]
		if !ok {
			had, err := c.Ledger().Definition(ctx, name)
			if err != nil {
				return errors.WithMessagef(err, "channel %s", c.ID())
			}
			if had == nil {
				cc.AnyCollection = true
			} else {
				d = *had
			}
		}
		cc.Collections, cc.Indexes = d.Collections, d.Indexes
		if err := n.network.Deploy(ctx, c.ID(), cc); err != nil {
			return err
		}
	}
	return nil
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

// undefined is asked for the definition of a chaincode that was not deployed. In dev mode, it is deployed when it is first
// called.
func (n *node) undefined(ctx context.Context, p handler.TxParams) (chaincodesupport.Definition, error) {
	var d chaincodesupport.Definition
	id, err := n.chaincodeID(p.Namespace)
	if err != nil {
		return d, err
	}
	c := n.peer.Channel(p.ChannelID)
	if c == nil {
		return d, handler.ErrUnknownChannel
	}
	if err := n.deployTo(ctx, []*peer.Channel{c}, p.Namespace); err != nil {
		return d, err
	}
	return chaincodesupport.Definition{ChaincodeID: id, Version: defaultVersion, InitOptional: true}, nil
}

// ledgers are the ledgers of all channels.
func (n *node) ledgers() map[string]*kvledger.Ledger {
	ledgers := map[string]*kvledger.Ledger{}
	for _, c := range n.peer.Channels() {
		ledgers[c.ID()] = c.Ledger()
	}
	return ledgers
}

// channel returns the ledger of a channel.
func (n *node) channel(name string) (*kvledger.Ledger, error) {
	c := n.peer.Channel(name)
	if c == nil {
		return nil, unknown("channel", name, n.ledgers())
	}
	return c.Ledger(), nil
}

// errStopping is what clients get that come too late.
var errStopping = errors.New("the peer is stopping")

// use keeps the ledgers open until the function that it returns is called.
func (n *node) use() (release func(), err error) {
	n.using.RLock()
	if n.closed {
		n.using.RUnlock()
		return nil, errStopping
	}
	n.calls.Add(1)
	return func() {
		n.calls.Add(-1)
		n.using.RUnlock()
	}, nil
}

// collectionStore decides who may use a collection: where a chaincode's collections are defined, that is what their
// definitions say, and everyone where they are not.
type collectionStore struct{ node *node }

var _ handler.CollectionStore = collectionStore{}

// CollectionPermission implements handler.CollectionStore.
func (s collectionStore) CollectionPermission(ctx context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	l, err := s.node.channel(r.ChannelID)
	if err != nil {
		return handler.CollectionPermission{}, err
	}
	d, err := l.Definition(ctx, r.Namespace)
	if err != nil {
		return handler.CollectionPermission{}, err
	}
	if d == nil {
		return handler.InsecureAllowAll{}.CollectionPermission(ctx, r)
	}
	members := func(string) (ids []string) {
		for _, o := range s.node.cfg.members() {
			ids = append(ids, o.MSPID)
		}
		return ids
	}
	return collections.Store{MSPIDs: members}.CollectionPermission(ctx, r)
}
