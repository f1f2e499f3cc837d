// Package threadtime is a context for tests that measures how long code runs before it looks whether it should end. It measures
// the thread's own time, which says the same of the code on a busy machine as on an idle one.
package threadtime

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// Context ends after some time of the thread that it was made on, and notes for how much of it nobody has asked whether it has.
// Only the goroutine that has made it may use it.
type Context struct {
	context.Context
	t                    testing.TB
	after                time.Duration
	begun, last, longest time.Duration
}

// New returns a context that ends after so much time of the thread, with context.DeadlineExceeded. The goroutine stays on the
// thread until the test ends. Where a thread's time isn't known, the test is skipped.
func New(t testing.TB, after time.Duration) *Context {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	begun := now(t)
	return &Context{Context: t.Context(), t: t, after: after, begun: begun, last: begun}
}

// Err implements context.Context.
func (c *Context) Err() error {
	now := now(c.t)
	c.longest = max(c.longest, now-c.last)
	if c.last = now; now-c.begun < c.after {
		return nil
	}
	return context.DeadlineExceeded
}

// Longest returns the longest time in which nobody has asked, up to now.
func (c *Context) Longest() time.Duration {
	_ = c.Err()
	return c.longest
}

// Limit returns the limit for a time that is measured: five times as much with the race detector.
func Limit(d time.Duration) time.Duration { return factor * d }
