package ordering

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/ccpeer/ccpeer/block"
	pb "github.com/ccpeer/ccpeer/proto"
)

// channel is what an orderer has of a channel. Nothing runs in it but its timer: blocks are cut by whoever broadcasts the
// envelope that makes them full.
type channel struct {
	Channel
	orderer *Config
	done    chan struct{} // closed when it has ended
	timers  sync.WaitGroup
	// leaving is held by the one who finds out whether a slow reader can be left behind.
	leaving sync.Mutex

	mu     sync.Mutex
	cutter cutter
	timer  *time.Timer // nil unless it runs, for what is pending
	head   *pb.BlockHeader
	window window
	err    error // why it has ended
}

func newChannel(o *Config, cfg Channel) *channel {
	c := &channel{Channel: cfg, orderer: o, done: make(chan struct{}), cutter: cutter{Batch: cfg.Batch}}
	next := uint64(0)
	if cfg.Head.Header != nil {
		c.head = proto.CloneOf(cfg.Head.Header)
		next = c.head.GetNumber() + 1
	}
	c.window = newWindow(next, o.MaxWaitingBytes)
	return c
}

// order puts an envelope behind those that came before.
func (c *channel) order(ctx context.Context, e entry) error {
	if err := c.enter(ctx, e.room()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil { // so that nobody needs its room any more
		return stopped()
	}
	for _, batch := range c.cutter.add(e) {
		c.write(batch)
	}
	switch {
	case len(c.cutter.pending) == 0:
		c.stopTimer()
	case c.Batch.Timeout == 0:
		c.write(c.cutter.cut())
	default:
		c.startTimer()
	}
	if c.err != nil { // while a block was made
		return stopped()
	}
	return nil
}

// enter waits for room.
func (c *channel) enter(ctx context.Context, bytes int64) error {
	p := c.window.room.ask(bytes)
	if p == nil {
		return nil
	}
	patience := time.NewTimer(c.orderer.Patience)
	defer patience.Stop()
	for {
		select {
		case <-p.granted:
			return nil
		case <-ctx.Done():
			c.window.room.leave(p)
			return errors.Wrap(ctx.Err(), "wait for room in orderer")
		case <-c.done:
			c.window.room.leave(p)
			return stopped()
		case <-patience.C:
			c.leaveBehind(ctx)
			patience.Reset(c.orderer.Patience)
		}
	}
}

// leaveBehind makes room by forgetting the first block, if all who still want it can have it from Past. Who is left behind has
// no say about later blocks, so this is enough.
func (c *channel) leaveBehind(ctx context.Context) {
	if c.orderer.Past == nil || !c.leaving.TryLock() {
		return
	}
	defer c.leaving.Unlock()
	c.mu.Lock()
	first, can := c.window.first, c.window.spare()
	c.mu.Unlock()
	if !can {
		return
	}
	if _, err := c.past(ctx, first); err != nil {
		c.orderer.Logger.Warn("slow reader can't be left behind", zap.String("channel", c.ID), zap.Uint64("block", first), zap.Error(err))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.window.first == first {
		c.window.forget()
		c.window.shrink()
	}
	c.orderer.Logger.Info("slow reader is left behind", zap.String("channel", c.ID), zap.Uint64("block", first))
}

// past returns a block that is not in memory.
func (c *channel) past(ctx context.Context, number uint64) (*pb.Block, error) {
	if c.orderer.Past == nil {
		return nil, errors.Errorf("block %d of channel %s is not in memory", number, c.ID)
	}
	b, err := c.orderer.Past(ctx, c.ID, number)
	switch {
	case err != nil:
		return nil, errors.WithMessagef(err, "get block %d of channel %s", number, c.ID)
	case b.GetHeader().GetNumber() != number:
		return nil, errors.Errorf("get block %d of channel %s: got block %d", number, c.ID, b.GetHeader().GetNumber())
	}
	return own(b), nil
}

// startTimer starts the timer unless it runs. It needs the lock.
func (c *channel) startTimer() {
	if c.timer != nil {
		return
	}
	c.timers.Add(1)
	var t *time.Timer
	t = time.AfterFunc(c.Batch.Timeout, func() {
		defer c.timers.Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.timer == t { // and not a later one
			c.timer = nil
			c.write(c.cutter.cut())
		}
	})
	c.timer = t
}

// stopTimer needs the lock.
func (c *channel) stopTimer() {
	if c.timer != nil && c.timer.Stop() {
		c.timers.Done()
	}
	c.timer = nil
}

// write makes a block of some envelopes, if there are any. It needs the lock. If it fails, that is the channel's end: Fabric's
// orderer panics then.
func (c *channel) write(batch []entry) {
	if len(batch) == 0 || c.err != nil {
		return
	}
	w := waiting{}
	envelopes := make([][]byte, len(batch))
	for i, e := range batch {
		envelopes[i] = e.bytes
		w.bytes += e.room()
	}
	var err error
	if w.block, err = block.New(c.window.end(), c.head, envelopes); err == nil {
		err = c.seal(w.block)
	}
	if err != nil {
		c.orderer.Logger.Error("channel ends: block can't be made", zap.String("channel", c.ID), zap.Error(err))
		c.end(err)
		return
	}
	for _, m := range w.block.GetMetadata().GetMetadata() {
		c.window.room.force(int64(len(m)))
		w.bytes += int64(len(m))
	}
	c.head = w.block.GetHeader()
	c.window.add(w)
}

// close makes a block of what is pending, and ends the channel.
func (c *channel) close() {
	c.mu.Lock()
	c.stopTimer()
	c.write(c.cutter.cut())
	c.end(ErrClosed)
	c.mu.Unlock()
	c.timers.Wait()
}

// end needs the lock.
func (c *channel) end(err error) {
	if c.err == nil {
		c.err = err
		close(c.done)
		c.window.wake()
	}
}
