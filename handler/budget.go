package handler

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	pb "github.com/ccpeer/ccpeer/proto"
)

// budget is how many bytes of messages may wait in one direction of a stream. Whoever takes some gives them back when its
// message waits no more. Nobody waits for a budget under a lock.
type budget struct {
	limit int

	mu      sync.Mutex // protects what follows
	used    int
	waiting []*claim // in the order in which they came: a large one is not passed by small ones for ever
}

// claim is of somebody who waits for room.
type claim struct {
	bytes   int
	granted chan struct{} // closed when the bytes have been taken
}

// room reports whether n bytes may be taken: a message that is larger than the budget waits until it is the only one.
func (b *budget) room(n int) bool { return b.used == 0 || b.used+n <= b.limit }

// ask takes n bytes and returns nil, or, where there is no room, returns a claim, to be waited for or withdrawn.
func (b *budget) ask(n int) *claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 && b.room(n) {
		b.used += n
		return nil
	}
	c := &claim{bytes: n, granted: make(chan struct{})}
	b.waiting = append(b.waiting, c)
	return c
}

// take takes n bytes, room or not, and returns how many are taken then: for who must not wait.
func (b *budget) take(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	return b.used
}

// give gives n bytes back.
func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.grant()
}

// withdraw gives a claim up, granted or not.
func (b *budget) withdraw(c *claim) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, c); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	} else {
		b.used -= c.bytes
	}
	b.grant()
}

// grant lets in those who wait, as far as there is room. mu is held.
func (b *budget) grant() {
	for len(b.waiting) > 0 && b.room(b.waiting[0].bytes) {
		c := b.waiting[0]
		b.used += c.bytes
		close(c.granted)
		b.waiting[0] = nil // not to be kept by the array
		b.waiting = b.waiting[1:]
	}
}

// exceeded reports whether more is taken than there is.
func (b *budget) exceeded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used > b.limit
}

// bytes is how many bytes are taken or waited for.
func (b *budget) bytes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.used
	for _, c := range b.waiting {
		n += c.bytes
	}
	return n
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

// receivedSize is messageSize of a message of the chaincode, which may hold what no shim sends and nobody looks at.
func receivedSize(msg *pb.ChaincodeMessage) int {
	if msg.Proposal != nil || msg.ChaincodeEvent != nil || msg.Timestamp != nil || len(msg.ProtoReflect().GetUnknown()) > 0 {
		return proto.Size(msg)
	}
	return messageSize(msg)
}
