package deliver

import (
	"container/list"
	"context"
	"sync"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// blocks are the blocks of a channel that subscribers wait for, and those that they got last.
//
// Whoever wants a block that isn't here waits for it. There is one turn for each block. Who gets it asks the ledger, and then all have
// the block. If that one's client goes away, it leaves the turn to another. So nothing runs for a channel, and ten thousand subscribers
// ask the ledger as often as one does.
type blocks struct {
	mu       sync.Mutex
	byNumber map[uint64]*cached
	used     list.List // of *cached that are ready, the one that was used last in front
	bytes    int64     // of these
}

// cached is a block, or one that is going to be.
type cached struct {
	number uint64
	turn   chan struct{} // has one element: the right to ask the ledger
	ready  chan struct{} // is closed when block or err is there
	block  *pb.Block     // is set before ready is closed
	err    error         // also

	// The lock of blocks is for these.
	waiting int           // how many wait for it
	bytes   int64         // what it counts as
	used    *list.Element // nil if it isn't kept

	forms [forms]form
}

// block returns a block, and waits for it.
func (c *Channel) block(ctx context.Context, number uint64) (*cached, error) {
	b := c.blocks.join(number)
	defer c.blocks.leave(b)
	select {
	case <-b.ready:
		return b, b.err
	default:
	}
	select {
	case <-b.ready:
		return b, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.turn:
	}
	block, err := c.Ledger.Block(ctx, number)
	if err != nil && ctx.Err() != nil {
		b.turn <- struct{}{}
		return nil, ctx.Err()
	}
	b.block, b.err = block, err
	c.keep(b)
	close(b.ready)
	return b, err
}

// join notes that somebody wants a block.
func (l *blocks) join(number uint64) *cached {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.byNumber[number]
	if b == nil {
		b = &cached{number: number, turn: make(chan struct{}, 1), ready: make(chan struct{})}
		b.turn <- struct{}{}
		if l.byNumber == nil {
			l.byNumber = map[uint64]*cached{}
		}
		l.byNumber[number] = b
	}
	if b.used != nil {
		l.used.MoveToFront(b.used)
	}
	b.waiting++
	return b
}

// leave is called once for each join.
func (l *blocks) leave(b *cached) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.waiting--; b.waiting == 0 && b.used == nil && l.byNumber[b.number] == b {
		delete(l.byNumber, b.number)
	}
}

// keep keeps a block that was read for those who want it later. If it couldn't be read, the next one tries again.
func (c *Channel) keep(b *cached) {
	l := &c.blocks
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.err != nil {
		delete(l.byNumber, b.number)
		return
	}
	b.used = l.used.PushFront(b)
	c.grow(b, overhead+int64(proto.Size(b.block)))
}

// overhead is about what a block takes in memory beside its bytes.
const overhead = 1000

// grow has a block count for more, and drops what was not used for long. Those who are sending it have it still. It needs the lock.
func (c *Channel) grow(b *cached, bytes int64) {
	l := &c.blocks
	if b.used == nil {
		return
	}
	b.bytes += bytes
	l.bytes += bytes
	limit := max(c.CacheBytes, 0)
	if c.CacheBytes == 0 {
		limit = defaultCacheBytes
	}
	if b.bytes > limit { // the others can stay
		c.drop(b)
	}
	for l.bytes > limit {
		c.drop(l.used.Back().Value.(*cached))
	}
}

// drop keeps a block no longer. It needs the lock.
func (c *Channel) drop(b *cached) {
	l := &c.blocks
	l.used.Remove(b.used)
	b.used = nil
	l.bytes -= b.bytes
	delete(l.byNumber, b.number)
}
