package ordering

import (
	"context"
	"slices"

	"github.com/pkg/errors"

	pb "github.com/ccpeer/ccpeer/proto"
)

// reader is one who reads a channel's blocks.
type reader struct {
	channel *channel
	over    context.Context // when this ends, so does the reader
	end     context.CancelCauseFunc
	unwatch func() bool // has leave not be called when the caller's context ends

	// The channel's lock is for these.
	next        uint64 // the block that Next returns next
	uncommitted uint64 // the first block that the reader hasn't committed
}

var _ Blocks = (*reader)(nil)

func (c *channel) read(ctx context.Context, from uint64) *reader {
	r := &reader{channel: c, next: from, uncommitted: from}
	r.over, r.end = context.WithCancelCause(ctx)
	c.mu.Lock()
	c.window.readers[r] = struct{}{}
	c.window.commit(r)
	c.mu.Unlock()
	r.unwatch = context.AfterFunc(ctx, r.leave)
	return r
}

// leave has blocks not wait for the reader any more.
func (r *reader) leave() {
	r.channel.mu.Lock()
	defer r.channel.mu.Unlock()
	delete(r.channel.window.readers, r)
	r.channel.window.shrink()
}

// Close implements Blocks.
func (r *reader) Close() {
	r.end(ErrClosed)
	r.unwatch()
	r.leave()
}

// Next implements Blocks.
func (r *reader) Next(ctx context.Context) (*pb.Block, error) {
	for {
		if r.over.Err() != nil {
			return nil, errors.WithMessage(context.Cause(r.over), "deliver blocks")
		}
		if err := ctx.Err(); err != nil {
			return nil, errors.Wrap(err, "wait for block")
		}
		b, past, grown, err := r.look()
		switch {
		case b != nil || err != nil:
			return b, err
		case past:
			return r.fromPast(ctx)
		}
		select {
		case <-grown:
		case <-ctx.Done():
		case <-r.over.Done():
		}
	}
}

// look takes the next block if it is in memory. Otherwise it says whether the block is past, or when to look again.
func (r *reader) look() (b *pb.Block, past bool, grown <-chan struct{}, err error) {
	c := r.channel
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.window
	w.commit(r)
	switch {
	case r.next < w.first:
		return nil, true, nil, nil
	case r.next < w.end():
		b = own(w.blocks[r.next-w.first].block)
		r.next++
		return b, false, nil, nil
	}
	return nil, false, w.grown, c.err
}

func (r *reader) fromPast(ctx context.Context) (*pb.Block, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.over, cancel)()
	b, err := r.channel.past(ctx, r.next) // only Next changes it
	if err != nil {
		return nil, err
	}
	r.channel.mu.Lock()
	defer r.channel.mu.Unlock()
	r.next++
	return b, nil
}

// own is a block whose metadata belong to one reader. Peers write into them.
func own(b *pb.Block) *pb.Block {
	return &pb.Block{Header: b.GetHeader(), Data: b.GetData(), Metadata: &pb.BlockMetadata{Metadata: slices.Clone(b.GetMetadata().GetMetadata())}}
}
