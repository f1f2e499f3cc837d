package ordering

import (
	"container/list"
	"sync"
)

// room is what may wait in a channel, in bytes. Who wants some of it waits in line, so that nobody large waits for ever.
type room struct {
	limit int64

	mu   sync.Mutex
	used int64
	line list.List // of *place
}

// place is some room that somebody wants.
type place struct {
	bytes   int64
	granted chan struct{} // closed when it is theirs
}

// ask takes room and returns nil. If there is none, it returns a place in line. Whoever has one waits until it is granted, or
// calls leave.
func (r *room) ask(bytes int64) *place {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.line.Len() == 0 && r.fits(bytes) {
		r.used += bytes
		return nil
	}
	p := &place{bytes: bytes, granted: make(chan struct{})}
	r.line.PushBack(p)
	return p
}

// fits needs the lock. What is larger than the room fits when it is empty.
func (r *room) fits(bytes int64) bool { return r.used == 0 || r.used+bytes <= r.limit }

// leave gives up what was asked for, granted or not.
func (r *room) leave(p *place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for e := r.line.Front(); e != nil; e = e.Next() {
		if e.Value == p {
			r.line.Remove(e)
			r.grant() // those behind it may be smaller
			return
		}
	}
	r.used -= p.bytes
	r.grant()
}

// force takes room, whether there is any or not.
func (r *room) force(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used += bytes
}

// give gives room back.
func (r *room) give(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used -= bytes
	r.grant()
}

// grant needs the lock.
func (r *room) grant() {
	for e := r.line.Front(); e != nil; e = r.line.Front() {
		p := e.Value.(*place)
		if !r.fits(p.bytes) {
			return
		}
		r.used += p.bytes
		close(p.granted)
		r.line.Remove(e)
	}
}
