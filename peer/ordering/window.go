package ordering

import (
	pb "github.com/ccpeer/ccpeer/proto"
)

// window has the blocks that are in memory: the last ones of a channel. The channel's lock is for all of it.
type window struct {
	first  uint64 // the number of blocks[0]
	blocks []waiting
	// committed is how far readers have come: somebody has committed the blocks before this one.
	committed uint64
	readers   map[*reader]struct{}
	room      *room
	grown     chan struct{} // closed when there is a new block, and when there won't be one any more
}

// waiting is a block that waits for readers.
type waiting struct {
	block *pb.Block
	bytes int64 // of room
}

func newWindow(first uint64, limit int64) window {
	return window{first: first, readers: map[*reader]struct{}{}, room: &room{limit: limit}, grown: make(chan struct{})}
}

// end is the number of the next block.
func (w *window) end() uint64 { return w.first + uint64(len(w.blocks)) }

func (w *window) add(b waiting) {
	w.blocks = append(w.blocks, b)
	w.wake()
}

// wake has readers look again.
func (w *window) wake() {
	close(w.grown)
	w.grown = make(chan struct{})
}

// commit notes that a reader has committed all blocks before its next one: those that it was given, and those that it
// didn't ask for.
func (w *window) commit(r *reader) {
	r.uncommitted = r.next
	if r.next <= w.end() {
		w.committed = max(w.committed, r.next)
	}
	w.shrink()
}

// spare reports whether the first block can be had from Past.
func (w *window) spare() bool { return len(w.blocks) > 0 && w.first < w.committed }

// shrink forgets the blocks that a reader has committed and that no other one wants. Readers whose blocks are gone already have
// no say: they read what is past until they have caught up.
func (w *window) shrink() {
	for w.spare() && !w.wanted(w.first) {
		w.forget()
	}
}

func (w *window) wanted(number uint64) bool {
	for r := range w.readers {
		if r.uncommitted == number {
			return true
		}
	}
	return false
}

// forget drops the first block.
func (w *window) forget() {
	w.room.give(w.blocks[0].bytes)
	w.blocks[0] = waiting{}
	w.blocks = w.blocks[1:]
	w.first++
}
