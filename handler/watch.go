package handler

import (
	"sync/atomic"
	"time"
)

// sendWatch notices that Send does not return. The sender says when it begins and ends. That costs a look at the clock, but
// no timer for each message. There is one timer for each stream. It runs only while something is being sent, and as long as
// Send returns in time it expires at most once in limit.
type sendWatch struct {
	limit   time.Duration
	timer   *time.Timer // to the loop
	started time.Time
	since   atomic.Int64 // when the present Send began, in nanoseconds since started; 0: there is none
	armed   atomic.Bool  // timer runs, or has expired and is about to be looked at
	late    int64        // the since of a Send that was found late once; used by the loop alone
}

func (w *sendWatch) init(limit time.Duration) {
	w.limit, w.started = limit, time.Now()
	w.timer = time.NewTimer(limit)
	w.timer.Stop()
}

// begin notes that a Send begins. The sender calls it.
func (w *sendWatch) begin() {
	w.since.Store(int64(time.Since(w.started)) + 1)
	w.arm(w.limit)
}

// end notes that the Send has returned.
func (w *sendWatch) end() { w.since.Store(0) }

// arm starts the timer, if it isn't running.
func (w *sendWatch) arm(d time.Duration) {
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.timer.Reset(d)
	}
}

// stalled reports whether the present Send has taken longer than it may. The loop calls it when the timer has expired. If
// the Send still has time, the timer is started again for the rest. A Send that is late gets a moment more: if this process
// was paused, nobody could go on.
func (w *sendWatch) stalled() bool {
	w.armed.Store(false)
	since := w.since.Load() // after armed was set: a Send that begins now arms the timer itself
	if since == 0 {
		return false
	}
	left := w.limit - (time.Since(w.started) - time.Duration(since-1))
	if left <= 0 {
		if w.late == since {
			return true
		}
		w.late, left = since, tieGrace
	}
	w.arm(left)
	return false
}
