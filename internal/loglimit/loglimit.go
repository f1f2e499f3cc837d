// Package loglimit limits how many lines of one kind are logged, and counts those that are left out.
package loglimit

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
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

// Log writes a line if one may be written now. It also says how many were left out before it. A line that the logger would not
// show isn't counted.
func (l *Lines) Log(log *zap.Logger, level zapcore.Level, text string, fields ...zap.Field) {
	if !log.Core().Enabled(level) {
		return
	}
	if skipped, due := l.Due(); due {
		log.Log(level, text, Skipped(fields, skipped)...)
	}
}

// Skipped adds to the fields of a line how many were left out before it, if any were.
func Skipped(fields []zap.Field, n int64) []zap.Field {
	if n == 0 {
		return fields
	}
	return append(fields, zap.Int64("skipped", n))
}

// Tell writes a line that says how many were left out, when LeftOut says that there may be one. reason names the kind.
func (l *Lines) Tell(log *zap.Logger, level zapcore.Level, reason string, last bool) {
	if n := l.LeftOut(last); n > 0 {
		log.Log(level, "lines were left out", zap.String("reason", reason), zap.Int64("skipped", n))
	}
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
