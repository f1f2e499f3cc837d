// Package loglimit limits how many lines of one kind are logged, and counts those that are left out.
package loglimit

import (
	"sync/atomic"
	"time"
)

const (
	// Burst is how many lines may come at once.
	Burst = 10
	// Interval is the time between lines from then on.
	Interval = time.Second
)

// Lines is what may be logged about one kind of thing: Burst lines at once, and from then on one each Interval. The zero
// value has let no line through yet. It is safe for concurrent use, and must not be copied.
type Lines struct {
	// used is until when the lines that were written use up one each Interval, since start.
	used    atomic.Int64
	skipped atomic.Int64 // lines left out that nobody was told of
	start   atomic.Pointer[time.Time]
}

// Due reports whether a line may be written now. If so, skipped is how many were left out since the last one.
func (l *Lines) Due() (skipped int64, due bool) {
	if !l.take() {
		l.skipped.Add(1)
		return 0, false
	}
	return l.skipped.Swap(0), true
}

// LeftOut returns how many lines were left out, if a line may be written now that says so, and 0 otherwise. If last is set,
// the line may be written in any case, because none will follow.
func (l *Lines) LeftOut(last bool) int64 {
	if l.skipped.Load() == 0 || !last && !l.take() {
		return 0
	}
	return l.skipped.Swap(0)
}

// take takes a line, and reports whether there was one.
func (l *Lines) take() bool {
	now := int64(l.elapsed())
	for {
		used := l.used.Load()
		next := max(used, now) + int64(Interval)
		if next-now > Burst*int64(Interval) {
			return false
		}
		if l.used.CompareAndSwap(used, next) {
			return true
		}
	}
}

// elapsed is how long ago the first line was asked for.
func (l *Lines) elapsed() time.Duration {
	start := l.start.Load()
	if start == nil {
		now := time.Now()
		if l.start.CompareAndSwap(nil, &now) {
			return 0
		}
		start = l.start.Load()
	}
	return time.Since(*start)
}
