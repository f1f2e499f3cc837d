package etcd

import "sync"

// combiner does together what several goroutines ask for at the same time: what is asked for while a round trip is
// under way is what the next one is for. Its goroutine ends when there is nothing left to do.
type combiner[R any] struct {
	start func(func()) bool // runs a goroutine; false if the store is closed
	do    func([]R)         // is called by one goroutine at a time

	mu      sync.Mutex
	waiting []R
	running bool
}

// add returns at once. It returns false, having done nothing, if the store is closed.
func (c *combiner[R]) add(r R) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running && !c.start(c.run) {
		return false
	}
	c.running = true
	c.waiting = append(c.waiting, r)
	return true
}

func (c *combiner[R]) run() {
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
