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
// Who has room may need more of it, and then two could wait for one another. So one caller at a time may take more than there
// is: grow waits for that turn, and adjust takes.
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
	growing     bool     // somebody may take more than there is
	growers     []*claim // who wait for that turn, in the order in which they came
}

// claim is one caller's place in the queue for room.
type claim struct {
	size    int
	grows   bool          // it is one for the turn to take more than there is; size is what its owner has already
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

// withdraw gives up a claim. A claim that was granted meanwhile gives back its room.
func (b *budget) withdraw(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.grows {
		b.withdrawGrower(c)
		return
	}
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.waitingSize -= c.size
	} else {
		b.release(c.size)
		return
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

// grant lets in the first in the queue, as long as there is room for it. mu is held.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.room(b.waiting[0].size) {
		c := b.waiting[0]
		b.occupy(c.size)
		b.waitingSize -= c.size
		close(c.granted)
		b.waiting[0] = nil // so that the array doesn't keep it
		b.waiting = b.waiting[1:]
	}
	if len(b.growers) > 0 && !b.growing && b.usedBytes-b.growers[0].size <= b.bytes {
		b.growing = true
		close(b.growers[0].granted)
		b.growers = b.growers[1:]
	}
}

// grow waits for the turn to take more than there is, until ctx or the stream ends at the latest. The caller has taken held
// bytes already. After a nil error it takes by adjust, and calls endGrowth later.
func (b *budget) grow(ctx context.Context, done <-chan struct{}, held int) error {
	c := &claim{size: held, grows: true, granted: make(chan struct{})}
	b.mu.Lock()
	b.growers = append(b.growers, c)
	b.grant()
	b.mu.Unlock()
	return b.await(ctx, done, c)
}

// endGrowth lets the next one have its turn.
func (b *budget) endGrowth() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.growing = false
	b.grant()
}

// withdrawGrower gives up a claim for a turn, or the turn. mu is held.
func (b *budget) withdrawGrower(c *claim) {
	if i := slices.Index(b.growers, c); i >= 0 {
		b.growers = slices.Delete(b.growers, i, i+1)
	} else {
		b.growing = false
	}
	b.grant()
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
