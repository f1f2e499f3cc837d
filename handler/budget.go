package handler

import (
	"context"
	"slices"
	"sync"

	pb "github.com/ccpeer/ccpeer/proto"
)

// budget is how many bytes of messages may wait in one direction of a stream, and how many messages, where that is limited too.
//
// Whoever has a message to wait takes its bytes, and gives them back when it waits no more. Who may wait for room does so in
// turn, so that a large message is not passed by small ones for ever; a message that is larger than the budget waits until it is
// the only one. Who must not wait takes what it needs, and is told that there was no room. Nobody waits under the lock.
type budget struct {
	bytes    int // that may wait
	messages int // that may; 0: any number

	mu          sync.Mutex // protects what follows
	usedBytes   int
	usedPlaces  int
	waiting     []*claim // in the order in which they came
	waitingSize int      // of all of them
}

// claim is of somebody who waits for room.
type claim struct {
	size    int
	granted chan struct{} // closed when room has been taken
}

// room reports whether there is any for n bytes. mu is held.
func (b *budget) room(n int) bool {
	return (b.usedBytes == 0 || b.usedBytes+n <= b.bytes) && (b.messages == 0 || b.usedPlaces < b.messages)
}

// occupy takes n bytes and a place. mu is held.
func (b *budget) occupy(n int) {
	b.usedBytes += n
	b.usedPlaces++
}

// acquire takes n bytes and a place. It waits while there is no room, at most until ctx or the stream ends.
func (b *budget) acquire(ctx context.Context, done <-chan struct{}, n int) (err error) {
	c := b.ask(n)
	if c == nil {
		return nil
	}
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

// ask takes n bytes and a place and returns nil, or, where there is no room, returns a claim, to be waited for or withdrawn.
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

// withdraw gives a claim up, granted or not.
func (b *budget) withdraw(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.waitingSize -= c.size
	} else {
		b.release(c.size)
		return
	}
	b.grant()
}

// take takes n bytes, room or not, for who must not wait. It reports whether more is taken then than there is.
func (b *budget) take(n int) (exceeded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.occupy(n)
	return b.usedBytes > b.bytes
}

// takeUnasked is take for what the peer says unasked. Where more than twice of what may wait would wait then, it takes nothing,
// and reports so.
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

// release is give under mu: it lets in those who wait, as far as there is room now.
func (b *budget) release(n int) {
	b.usedBytes -= n
	b.usedPlaces--
	b.grant()
}

// grant lets in those who wait, as far as there is room. mu is held.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.room(b.waiting[0].size) {
		c := b.waiting[0]
		b.occupy(c.size)
		b.waitingSize -= c.size
		close(c.granted)
		b.waiting[0] = nil // not to be kept by the array
		b.waiting = b.waiting[1:]
	}
}

// exceeded reports whether more is taken than there is.
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

// messageSize is how many bytes a message of the peer has, or a few more: it need not be encoded for that.
func messageSize(msg *pb.ChaincodeMessage) int {
	const others = 64 // the type, and the tags and lengths of all fields
	n := others + len(msg.Payload) + len(msg.Txid) + len(msg.ChannelId)
	if p := msg.Proposal; p != nil {
		n += len(p.ProposalBytes) + len(p.Signature)
	}
	return n
}
