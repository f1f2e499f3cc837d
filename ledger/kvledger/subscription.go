package kvledger

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// ErrSubscriptionClosed is returned by Next after Close.
var ErrSubscriptionClosed = errors.New("the subscription is closed")

// PollInterval is how often a Subscription that has seen every block asks the store for more. It only matters for blocks that
// others commit to the store, another process or another Provider: those that are committed through the same Provider wake it at
// once.
const PollInterval = 500 * time.Millisecond

// Subscription yields a channel's blocks, those that are committed and then those that are to come. It reads a block when it is
// asked for one. So it may be as slow as it likes, and nobody waits for it. It has no goroutine, and nothing is kept for it.
type Subscription struct {
	ledger *Ledger
	next   uint64 // the number of the block that Next returns; it belongs to the caller of Next
	closed chan struct{}
	once   sync.Once
}

// Subscribe returns a subscription to the blocks from a number on. There need not be such a block yet.
func (l *Ledger) Subscribe(from uint64) *Subscription {
	return &Subscription{ledger: l, next: from, closed: make(chan struct{})}
}

// Next returns the next block. It waits until it is committed, until ctx ends, or until Close is called. After an error the
// subscription is where it was, so Next can be called again. One goroutine at a time may call it.
func (s *Subscription) Next(ctx context.Context) (*CommittedBlock, error) {
	for {
		if err := s.usable(ctx); err != nil {
			return nil, err
		}
		seen, moved := s.ledger.provider.tips.look(s.ledger.keys.channelID)
		b, err := s.read(ctx, seen)
		if b != nil || err != nil {
			return b, err
		}
		s.wait(ctx, moved)
	}
}

// read returns the next block, or nil if it is not there yet. What the Provider has seen last may be old. So it only saves a look:
// if the block is there by that, there it is, unless the store has gone back.
func (s *Subscription) read(ctx context.Context, seen uint64) (*CommittedBlock, error) {
	if seen <= s.next {
		t, err := s.ledger.tip(ctx)
		if err != nil || t.height <= s.next {
			return nil, err
		}
	}
	b, err := s.ledger.Block(ctx, s.next)
	if errors.Is(err, ErrNotFound) && seen > s.next {
		return s.read(ctx, 0)
	}
	if err != nil {
		return nil, err
	}
	s.next++
	return b, nil
}

func (s *Subscription) usable(ctx context.Context) error {
	select {
	case <-s.closed:
		return ErrSubscriptionClosed
	default:
		return ctx.Err()
	}
}

// wait returns when it is time to look again.
func (s *Subscription) wait(ctx context.Context, moved <-chan struct{}) {
	poll := time.NewTimer(PollInterval)
	defer poll.Stop()
	select {
	case <-moved:
	case <-poll.C:
	case <-ctx.Done():
	case <-s.closed:
	}
}

// Close ends the subscription, and Next if it waits. Any goroutine may call it, any number of times. A subscription that is not
// used any more need not be closed.
func (s *Subscription) Close() { s.once.Do(func() { close(s.closed) }) }
