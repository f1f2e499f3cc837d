package chaincodetest

import (
	"sync"
	"time"
)

// clock gives transactions their timestamps.
type clock struct {
	now func() time.Time

	mu     sync.Mutex
	fixed  time.Time // if not zero, the time stands still here
	offset time.Duration
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fixed.IsZero() {
		return c.fixed
	}
	return c.now().Add(c.offset)
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fixed.IsZero() {
		c.offset += d
	} else {
		c.fixed = c.fixed.Add(d)
	}
}

// Now returns the time that the next transaction has, as GetTxTimestamp returns it.
func (n *Net) Now() time.Time { return n.clock.read() }

// SetTime stops the clock at a time. Transactions have it as their timestamp, in history, too, until Advance moves it. Before the
// first SetTime the clock goes as the machine's does. Chaincode that reads the machine's clock sees nothing of this: it isn't
// deterministic.
func (n *Net) SetTime(at time.Time) { n.clock.set(at) }

// Advance moves the clock on.
func (n *Net) Advance(d time.Duration) { n.clock.advance(d) }
