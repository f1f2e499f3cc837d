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
	block  once[*pb.Block]
	forms  [forms]once[[]byte] // marshalled DeliverResponses

	// The lock of blocks is for these.
	waiting int           // how many wait for it
	bytes   int64         // what it counts as
	used    *list.Element // nil if it isn't kept
}

func newCached(number uint64) *cached {
	b := &cached{number: number, block: newOnce[*pb.Block]()}
	for i := range b.forms {
		b.forms[i] = newOnce[[]byte]()
	}
	return b
}

// block returns a block, and waits for it.
func (c *Channel) block(ctx context.Context, number uint64) (*cached, error) {
	b := c.blocks.join(number)
	defer c.blocks.leave(b)
	_, err := b.block.get(ctx, func(ctx context.Context) (*pb.Block, error) {
		block, err := c.Ledger.Block(ctx, number)
		if err == nil || ctx.Err() == nil {
			c.keep(b, block, err)
		}
		return block, err
	})
	return b, err
}

// join notes that somebody wants a block.
func (l *blocks) join(number uint64) *cached {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.byNumber[number]
	if b == nil {
		b = newCached(number)
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
func (c *Channel) keep(b *cached, block *pb.Block, err error) {
	l := &c.blocks
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		delete(l.byNumber, b.number)
		return
	}
	b.used = l.used.PushFront(b)
	c.grow(b, overhead+int64(proto.Size(block)))
}

// overhead is about what a block takes in memory beside its bytes.
const overhead = 2000

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
