package main

import (
	"context"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/collections"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// openLedgers opens the ledgers of all channels.
func (n *node) openLedgers(ctx context.Context) error {
	n.provider, n.ledgers = kvledger.NewProvider(n.store), map[string]*kvledger.Ledger{}
	channels, err := n.provider.Channels(ctx)
	if err != nil {
		return err
	}
	for _, channel := range append(channels, n.cfg.channels...) {
		if _, err := n.openLedger(ctx, channel); err != nil {
			return err
		}
	}
	return nil
}

// define tells the ledgers what they must know of chaincodes.
func (n *node) define(ctx context.Context) error {
	for channel, l := range n.ledgers {
		for name, d := range n.cfg.definitions {
			if err := l.Define(ctx, name, d); err != nil {
				return errors.WithMessagef(err, "channel %s", channel)
			}
		}
	}
	return nil
}

// openLedger opens the ledger of a channel, which the node then has. It must not be called while clients use the node.
func (n *node) openLedger(ctx context.Context, channel string) (*kvledger.Ledger, error) {
	l, err := n.provider.Open(ctx, channel)
	if err != nil {
		return nil, err
	}
	n.ledgers[channel] = l
	return l, nil
}

// channel returns the ledger of a channel.
func (n *node) channel(name string) (*kvledger.Ledger, error) {
	l := n.ledgers[name]
	if l == nil {
		return nil, unknown("channel", name, n.ledgers)
	}
	return l, nil
}

// ledger is what chaincode finds the other channels with.
func (n *node) ledger(_ context.Context, channelID string) (ledger.Ledger, error) {
	if l := n.ledgers[channelID]; l != nil {
		return l, nil
	}
	return nil, handler.ErrUnknownChannel
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
type collectionStore struct {
	ledgers map[string]*kvledger.Ledger
}

var _ handler.CollectionStore = collectionStore{}

// CollectionPermission implements handler.CollectionStore.
func (s collectionStore) CollectionPermission(ctx context.Context, r handler.CollectionRequest) (handler.CollectionPermission, error) {
	d, err := s.ledgers[r.ChannelID].Definition(ctx, r.Namespace)
	if err != nil {
		return handler.CollectionPermission{}, err
	}
	if d == nil {
		return handler.InsecureAllowAll{}.CollectionPermission(ctx, r)
	}
	// The proposals are this peer's own: there is nothing to verify.
	return collections.Store{}.CollectionPermission(ctx, r)
}
