package handler

import (
	"context"
	"slices"
	"sync"

	pb "github.com/ccpeer/ccpeer/proto"
)

// budget is how much may wait in one direction of a stream: how many bytes of messages and, where that is limited too, how
// many messages.
//
// Think of a room with a guard. A message takes its bytes when it begins to wait, and gives them back when it no longer
// does. There are three ways in:
//
//   - acquire waits for room, in turn. So small messages can't pass a large one for ever. A message that is larger than the
//     whole budget waits until it is the only one.
//   - take never waits. It takes what it needs, and tells the caller when that is more than there is.
//   - takeUnasked never waits either, but takes nothing once twice the budget would be used.
//
// Who has room may need more of it, and then two could wait for one another. So one transaction at a time may take more than
// there is: extend takes what there is, and otherwise waits for that turn.
//
// Nobody waits under the lock. A caller that finds no room leaves a claim in the queue, and waits for the claim's channel
// instead.
type budget struct {
	bytes    int // how many may wait
	messages int // how many may wait; 0: any number

	mu          sync.Mutex // protects the fields below
	usedBytes   int
	usedPlaces  int
	waiting     []*claim // in the order in which they came
	waitingSize int      // bytes of all claims
	turn        *turn    // may take more than there is; nil: none
	growers     []*claim // who need more than they have, in the order in which they came
}

// turn is what a transaction needs to take more than there is.
type turn struct {
	in   *budget
	over bool // the transaction has ended, and may have no turn any more. in's mu protects it
}

// claim is one caller's place in the queue for room.
type claim struct {
	size    int
	held    int           // how many bytes its owner has already
	turn    *turn         // of an owner that has room already and needs more of it; otherwise nil
	granted chan struct{} // closed when the room has been taken for it
}

// room reports whether there is room for n bytes. mu is held.
func (b *budget) room(n int) bool {
	return (b.usedBytes == 0 || b.usedBytes+n <= b.bytes) && (b.messages == 0 || b.usedPlaces < b.messages)
}

// occupy takes n bytes and a place. mu is held.
func (b *budget) occupy(n int) {
	b.usedBytes += n
	b.usedPlaces++
}

// acquire takes n bytes and a place. It waits while there is no room, until ctx or the stream ends at the latest.
func (b *budget) acquire(ctx context.Context, done <-chan struct{}, n int) error {
	c := b.ask(n)
	if c == nil {
		return nil
	}
	return b.await(ctx, done, c)
}

// await waits until a claim is granted, or withdraws it.
func (b *budget) await(ctx context.Context, done <-chan struct{}, c *claim) (err error) {
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-done:
		err = ErrStreamTerminated
	}
	b.withdraw(c)
	return err
}

// wait returns when there is room, or when the stream has ended.
func (b *budget) wait(done <-chan struct{}) error {
	err := b.acquire(context.Background(), done, 0)
	if err == nil {
		b.give(0)
	}
	return err
}

// ask takes n bytes and a place, and returns nil. Where there is no room it returns a claim, which the caller waits for or
// withdraws.
func (b *budget) ask(n int) *claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 && b.room(n) {
		b.occupy(n)
		return nil
	}
	c := &claim{size: n, granted: make(chan struct{})}
	b.waiting = append(b.waiting, c)
	b.waitingSize += n
	return c
}

// withdraw gives up a claim. A claim that was granted meanwhile gives back its room. If it was for more of a place, the
// owner keeps the place.
func (b *budget) withdraw(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	queue, size := &b.waiting, &b.waitingSize
	if c.turn != nil {
		queue, size = &b.growers, new(int)
	}
	i := slices.Index(*queue, c)
	switch {
	case i >= 0:
		*queue = slices.Delete(*queue, i, i+1)
		*size -= c.size
	case c.turn != nil:
		b.usedBytes -= c.size
	default:
		b.usedBytes -= c.size
		b.usedPlaces--
	}
	b.grant()
}

// take takes n bytes and a place without waiting, even if there is no room. It reports whether more is taken now than the
// budget allows.
func (b *budget) take(n int) (exceeded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.occupy(n)
	return b.usedBytes > b.bytes
}

// takeUnasked takes n bytes and a place for a message that the loop sends unasked. It takes nothing, and returns false, if
// more than twice the budget would be used.
func (b *budget) takeUnasked(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if (b.usedBytes+n)/2 > b.bytes || b.usedPlaces >= 2*b.messages {
		return false
	}
	b.occupy(n)
	return true
}

// give gives n bytes and a place back.
func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release(n)
}

// release gives n bytes and a place back, and lets in those who now have room. mu is held.
func (b *budget) release(n int) {
	b.usedBytes -= n
	b.usedPlaces--
	b.grant()
}

// grant lets in those for whom there is room: first those who need more than they have, because they give room back when
// they have it, and then the first in the queue. mu is held.
func (b *budget) grant() {
	b.growers = slices.DeleteFunc(b.growers, func(c *claim) bool {
		granted := b.enlarge(c.turn, c.held, c.size)
		if granted {
			close(c.granted)
		}
		return granted
	})
	for len(b.waiting) > 0 && b.room(b.waiting[0].size) {
		c := b.waiting[0]
		b.occupy(c.size)
		b.waitingSize -= c.size
		close(c.granted)
		b.waiting[0] = nil // so that the array doesn't keep it
		b.waiting = b.waiting[1:]
	}
}

// enlarge takes n bytes for a place that has held already, if there is room for them, or if it is that place's turn to take
// more than there is. A place has its turn when nobody else has one, and what others took in theirs was sent. mu is held.
func (b *budget) enlarge(t *turn, held, n int) bool {
	switch {
	case b.usedBytes+n <= b.bytes, b.turn == t:
	case b.turn == nil && b.usedBytes-held <= b.bytes && !t.over:
		b.turn = t
	default:
		return false
	}
	b.usedBytes += n
	return true
}

// extend takes n bytes more for a place that has held already. It waits for room or for its turn, until ctx, the stream or
// the turn's transaction ends at the latest. The caller calls t.end when it needs no more.
func (b *budget) extend(ctx context.Context, done <-chan struct{}, t *turn, held, n int) error {
	b.mu.Lock()
	if t.over {
		b.mu.Unlock()
		return context.Canceled
	}
	if b.enlarge(t, held, n) {
		b.mu.Unlock()
		return nil
	}
	c := &claim{size: n, held: held, turn: t, granted: make(chan struct{})}
	b.growers = append(b.growers, c)
	b.mu.Unlock()
	return b.await(ctx, done, c)
}

// end lets the next one have its turn, if it is t's.
func (t *turn) end() {
	t.in.mu.Lock()
	defer t.in.mu.Unlock()
	t.in.drop(t)
}

// forsake ends a transaction's turn for good. The transaction has ended, but its operation may hang in the ledger for as
// long as it likes. What it has taken stays taken until then.
func (t *turn) forsake() {
	t.in.mu.Lock()
	defer t.in.mu.Unlock()
	t.over = true
	t.in.drop(t)
}

// drop ends t's turn, if it is t's. mu is held.
func (b *budget) drop(t *turn) {
	if b.turn == t {
		b.turn = nil
		b.grant()
	}
}

// adjust changes by how many bytes one place is filled, even if there is no room.
func (b *budget) adjust(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.usedBytes += n
	b.grant()
}

// exceeded reports whether more is taken than the budget allows.
func (b *budget) exceeded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usedBytes > b.bytes
}

// total is how many bytes are taken or waited for.
func (b *budget) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usedBytes + b.waitingSize
}

// messageSize is how many bytes a message of the peer has, or a few more. It doesn't encode the message to find out.
func messageSize(msg *pb.ChaincodeMessage) int {
	const others = 64 // the type, and the tags and lengths of all fields
	n := others + len(msg.Payload) + len(msg.Txid) + len(msg.ChannelId)
	if p := msg.Proposal; p != nil {
		n += len(p.ProposalBytes) + len(p.Signature)
	}
	return n
}
