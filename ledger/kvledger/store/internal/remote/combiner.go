package remote

import "sync"

// Combiner does together what several goroutines ask for at the same time.
//
// Nobody waits for company: the first request is done at once, alone. What is asked for while that round trip is under way
// is done by the next one. So a store that has little to do is as fast as without a Combiner. The more it has to do, the
// more requests share a round trip. The goroutine that does them ends when there is nothing left to do.
type Combiner[R any] struct {
	start func(func()) bool
	do    func([]R)

	mu      sync.Mutex
	waiting []R
	running bool
}

// NewCombiner returns a Combiner of requests. It runs its goroutine by start, which returns false if the store is closed. In
// that goroutine it calls do, for all requests that wait.
func NewCombiner[R any](start func(func()) bool, do func([]R)) *Combiner[R] {
	return &Combiner[R]{start: start, do: do}
}

// Add has a request done, and returns at once. If the store is closed, it does nothing and returns false.
func (c *Combiner[R]) Add(request R) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running && !c.start(c.run) {
		return false
	}
	c.running = true
	c.waiting = append(c.waiting, request)
	return true
}

func (c *Combiner[R]) run() {
	for {
		c.mu.Lock()
		batch := c.waiting
		c.waiting = nil
		c.running = len(batch) > 0
		c.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		c.do(batch)
	}
}
