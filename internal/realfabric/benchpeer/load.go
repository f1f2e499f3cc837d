package benchpeer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is what clients do for a while.
type load struct {
	name      string
	clients   int
	chaincode string
	evaluate  bool // they only ask
}

// sample is what came of it.
type sample struct {
	calls    int
	took     time.Duration
	p50, p99 time.Duration
	// cpu is what the network has computed, by process, and client what this process has, which has the chaincode, too.
	cpu    map[string]time.Duration
	client time.Duration
}

func (s sample) rate() float64 { return float64(s.calls) / s.took.Seconds() }

// perCall is what a call has cost the whole network.
func (s sample) perCall() time.Duration {
	var sum time.Duration
	for _, d := range s.cpu {
		sum += d
	}
	return sum / time.Duration(max(s.calls, 1))
}

// numbers makes keys that nobody has used.
var numbers atomic.Int64

// run has the clients work for a while. Those that have begun a call finish it.
func (l load) run(ctx context.Context, n *measured, window time.Duration) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, window+time.Minute)
	defer cancel()
	before, client, err := n.usage()
	if err != nil {
		return sample{}, err
	}
	var (
		clients sync.WaitGroup
		mu      sync.Mutex
		all     []time.Duration
		failed  error
	)
	begin := time.Now()
	for range l.clients {
		clients.Go(func() {
			var took []time.Duration
			for time.Since(begin) < window {
				at := time.Now()
				if err := l.call(ctx, n.client); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
				took = append(took, time.Since(at))
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	clients.Wait()
	s := sample{calls: len(all), took: time.Since(begin), cpu: map[string]time.Duration{}}
	if failed != nil || len(all) == 0 {
		return s, fmt.Errorf("%s: %d calls, and then: %w", l.name, len(all), failed)
	}
	after, clientAfter, err := n.usage()
	if err != nil {
		return s, err
	}
	for name, d := range after {
		s.cpu[name] = d - before[name]
	}
	s.client = clientAfter - client
	slices.Sort(all)
	s.p50, s.p99 = all[len(all)/2], all[len(all)*99/100]
	return s, nil
}

func (l load) call(ctx context.Context, c *client) error {
	args := [][]byte{fmt.Appendf(nil, "key%d", numbers.Add(1)), []byte("a value that is thirty-two bytes")}
	if l.evaluate {
		_, err := c.Evaluate(ctx, l.chaincode, args...)
		return err
	}
	return c.submit(ctx, l.chaincode, args)
}
