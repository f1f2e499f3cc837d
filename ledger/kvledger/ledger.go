package kvledger

import (
	"context"
	"math/rand/v2"
	"strings"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// Provider opens the ledgers of the channels in a store. It is best to have one for each store and process. Commits through
// the same Provider wait for each other. Those of two Providers are validated again if they collide.
type Provider struct {
	store      store.Store
	epoch      uint64        // of the store's head, once this Provider has moved it; random, so that no other one has it
	committing chan struct{} // holds one token while a block is being committed
	maxKey     int           // bytes that a key of the store may have; 0 is any number

	definitions definitionCache
	tips        tips
}

// NewProvider returns the Provider of a store. The caller still has to close the store, when nothing uses the provider's
// ledgers any more.
func NewProvider(s store.Store) *Provider {
	p := &Provider{store: s, epoch: rand.Uint64(), committing: make(chan struct{}, 1)}
	if limited, ok := s.(store.Limited); ok {
		p.maxKey = limited.MaxKeySize()
	}
	return p
}

// Channels returns the IDs of the channels of which the store has something, sorted.
func (p *Provider) Channels(ctx context.Context) ([]string, error) {
	snapshot, err := p.store.Snapshot(ctx)
	if err != nil {
		return nil, errors.Wrap(err, "take snapshot")
	}
	defer snapshot.Close()
	var channels []string
	for lo := ""; ; {
		it := snapshot.Scan(lo, "", store.ScanOptions{KeysOnly: true, Fetch: 1})
		key, _, ok, err := it.Next(ctx)
		it.Close()
		if err != nil {
			return nil, errors.Wrap(err, "read channels")
		}
		if !ok {
			return channels, nil
		}
		channelID, _, _ := strings.Cut(key, "\x00")
		channels = append(channels, channelID)
		lo = channelID + "\x01" // the next channel's keys come after it: an ID has no zero bytes
	}
}

// lock waits until nobody else is committing to the store through this provider. Call release to let the next one in.
func (p *Provider) lock(ctx context.Context) (release func(), err error) {
	select {
	case p.committing <- struct{}{}:
		return func() { <-p.committing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// commit writes to the store what was computed at a head.
func (p *Provider) commit(ctx context.Context, at store.Head, writes []store.Write) error {
	next := store.Head{Blocks: at.Blocks + 1, Epoch: p.epoch}
	return p.store.Commit(ctx, &store.Batch{Prev: at, Next: next, Writes: writes})
}

// Ledger is a channel's ledger. All methods are safe for concurrent use.
type Ledger struct {
	provider *Provider
	keys     keyspace
}

var _ ledger.Ledger = (*Ledger)(nil)

// Open returns the ledger of a channel, which is empty if the store has nothing of that channel. You may open a channel any
// number of times, and there is nothing to close. It is an error if the store was written in a format that this version of
// the package can't read.
func (p *Provider) Open(ctx context.Context, channelID string) (*Ledger, error) {
	if err := checkName("channel ID", channelID); err != nil {
		return nil, err
	}
	l := &Ledger{provider: p, keys: keyspace{channelID: channelID, maxKey: p.maxKey}}
	if _, err := l.Height(ctx); err != nil {
		return nil, errors.Wrapf(err, "open ledger of channel %q", channelID)
	}
	return l, nil
}

// Height returns the number of blocks that are committed. The first block has number 0.
func (l *Ledger) Height(ctx context.Context) (uint64, error) {
	t, err := l.tip(ctx)
	return t.height, err
}

// snapshot returns a snapshot of what is committed now.
func (l *Ledger) snapshot(ctx context.Context) (store.Snapshot, error) {
	snapshot, err := l.provider.store.Snapshot(ctx)
	if err != nil {
		return nil, errors.Wrap(err, "take snapshot")
	}
	return snapshot, nil
}

// NewSimulator implements ledger.Ledger. It returns a *Simulator on what is committed now. ResultsOf says what was
// simulated.
func (l *Ledger) NewSimulator(ctx context.Context, txID string) (ledger.Simulator, error) {
	snapshot, err := l.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return &Simulator{view: view{ledger: l, snapshot: snapshot}, past: past{txID: txID}}, nil
}
