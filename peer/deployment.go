package peer

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
)

// deployment gives a definition to the channels of some peers: to all or to none. Peers with different definitions would judge the
// same transactions differently, for ever. So what is likely to fail comes first, and changes no definition. Then the caller's
// context holds no more, and what was changed is changed back if the rest can't be.
type deployment struct {
	next     *definition
	channels []*Channel
	runtimes []runtime.Runtime            // what runs it, by channel; nil for what the peer has
	keep     func(next *definition) error // writes what is deployed, with next unless that is nil; nil keeps nothing
	before   []*kvledger.Definition       // what the ledgers had, by channel
}

func (d *deployment) do(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	old := make([]*definition, len(d.channels))
	for i, c := range d.channels {
		old[i] = c.definitions.find(d.next.Name)
	}
	if err := d.define(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for _, c := range d.channels {
		c.definitions.put(d.next)
	}
	var first error
	for i, c := range d.channels {
		if old[i] == nil || old[i].ID == d.next.ID || c.peer.channelWith(old[i].ID, nil) != nil {
			continue
		}
		if err := c.peer.uninstall(ctx, old[i].ID); err != nil && first == nil {
			first = errors.WithMessagef(err, "it is deployed, but what ran before may still run on %s", c.peer.Name())
		}
	}
	return first
}

// prepare gives the peers what runs the chaincode.
func (d *deployment) prepare(ctx context.Context) error {
	for i, c := range d.channels {
		before, err := c.ledger.Definition(ctx, d.next.Name)
		if err != nil {
			return errors.WithMessage(err, c.peer.Name())
		}
		d.before = append(d.before, before)
		if d.runtimes[i] == nil {
			continue
		}
		if other := c.peer.channelWith(d.next.ID, c); other != nil {
			return errors.Errorf("%s: chaincode ID %s is in use on channel %s: set another Chaincode.ID, or no Runtime to share it",
				c.peer.Name(), d.next.ID, other.cfg.ID)
		}
	}
	for i, c := range d.channels {
		if d.runtimes[i] == nil {
			continue
		}
		if err := c.peer.Install(ctx, d.next.ID, d.runtimes[i]); err != nil {
			return errors.WithMessage(err, c.peer.Name())
		}
	}
	return nil
}

// define gives all ledgers the definition, or none.
func (d *deployment) define(ctx context.Context) error {
	if d.keep == nil {
		d.keep = func(*definition) error { return nil }
	}
	if err := d.keep(d.next); err != nil {
		_ = d.keep(nil) // it may have been written after all; the first error counts
		return err
	}
	if d.next.AnyCollection { // ledgers are told nothing
		return nil
	}
	for i, c := range d.channels {
		err := c.ledger.Define(ctx, d.next.Name, kvledger.Definition{Collections: d.next.Collections, Indexes: d.next.Indexes})
		if err == nil {
			continue
		}
		err = errors.WithMessage(err, c.peer.Name())
		if back := d.back(ctx, i); back != nil {
			err = errors.Errorf("%v; the peers have different definitions of chaincode %s, and can't go back: %v", err, d.next.Name, back)
			for _, c := range d.channels {
				c.fail(err)
			}
			return err
		}
		if back := d.keep(nil); back != nil {
			err = errors.WithMessagef(err, "the next start will try again, since it can't be written that it failed (%v)", back)
		}
		return err
	}
	return nil
}

// back gives the ledgers of the first peers what they had before. The last one of them may have it still. A ledger that had nothing
// keeps what it has, since nobody can write to a namespace without a chaincode.
func (d *deployment) back(ctx context.Context, last int) error {
	for i, c := range d.channels[:last+1] {
		before := d.before[i]
		if before == nil {
			continue
		}
		now, err := c.ledger.Definition(ctx, d.next.Name)
		if err == nil && !sameDefinition(now, before) {
			err = c.ledger.Define(ctx, d.next.Name, *before)
		}
		if err != nil {
			return errors.WithMessage(err, c.peer.Name())
		}
	}
	return nil
}

func sameDefinition(a, b *kvledger.Definition) bool {
	return a != nil && b != nil && slices.Equal(a.Collections, b.Collections) && slices.EqualFunc(a.Indexes, b.Indexes, kvledger.Index.Equal)
}
