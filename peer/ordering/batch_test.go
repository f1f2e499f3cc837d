package ordering_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccpeer/ccpeer/peer/ordering"
	pb "github.com/ccpeer/ccpeer/proto"
)

// counts are how many envelopes the blocks have that an orderer has made so far. It ends the orderer.
func counts(t *testing.T, o *ordering.Orderer, blocks ordering.Blocks) (n []int) {
	t.Helper()
	o.Close()
	for {
		b, err := blocks.Next(t.Context())
		if err != nil {
			return n
		}
		n = append(n, len(b.GetData().GetData()))
	}
}

// TestCut has the rules of Fabric's block cutter. Sizes are those of envelopes that come one after the other.
func TestCut(t *testing.T) {
	never := time.Hour
	for name, c := range map[string]struct {
		batch ordering.Batch
		sizes []int
		want  []int // the last is what was pending
	}{
		"at once":                        {ordering.Batch{}, []int{50, 50, 50}, []int{1, 1, 1}},
		"at once, larger than preferred": {ordering.Batch{PreferredMaxBytes: 60}, []int{50, 70}, []int{1, 1}},
		"pending":                        {ordering.Batch{Timeout: never}, []int{50, 50, 50}, []int{3}},
		"count":                          {ordering.Batch{Timeout: never, MaxMessageCount: 2}, []int{50, 50, 50, 50, 50}, []int{2, 2, 1}},
		"count of one":                   {ordering.Batch{Timeout: never, MaxMessageCount: 1}, []int{50, 50}, []int{1, 1}},
		"just preferred":                 {ordering.Batch{Timeout: never, PreferredMaxBytes: 100}, []int{50, 50, 50}, []int{2, 1}},
		"overflow":                       {ordering.Batch{Timeout: never, PreferredMaxBytes: 100}, []int{50, 51, 40}, []int{1, 2}},
		"overflow, and count":            {ordering.Batch{Timeout: never, PreferredMaxBytes: 100, MaxMessageCount: 2}, []int{50, 60, 40, 50}, []int{1, 2, 1}},
		"overflow with a count of one":   {ordering.Batch{Timeout: never, PreferredMaxBytes: 100, MaxMessageCount: 1}, []int{60, 60}, []int{1, 1}},
		"larger than preferred":          {ordering.Batch{Timeout: never, PreferredMaxBytes: 100}, []int{101, 50}, []int{1, 1}},
		"larger, with others pending":    {ordering.Batch{Timeout: never, PreferredMaxBytes: 100}, []int{40, 40, 101, 50}, []int{2, 1, 1}},
		"exactly preferred is no larger": {ordering.Batch{Timeout: never, PreferredMaxBytes: 100}, []int{100, 40, 40}, []int{1, 2}},
	} {
		o := newOrderer(t, ordering.Config{}, ordering.Channel{Batch: c.batch})
		blocks := deliver(t, o, 0)
		for i, size := range c.sizes {
			broadcast(t, o, sized(t, size, byte(i)))
		}
		if n := counts(t, o, blocks); !slices.Equal(n, c.want) {
			t.Errorf("%s: blocks of %v, want %v", name, n, c.want)
		}
	}
}

// TestTimeout is of a clock that starts with the first envelope that is pending, and that is not moved by others.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrderer(t, ordering.Config{}, ordering.Channel{Batch: ordering.Batch{Timeout: 2 * time.Second, MaxMessageCount: 3}})
		blocks := deliver(t, o, 0)
		start := time.Now()
		at := func(b *pb.Block, n int, want time.Duration) {
			t.Helper()
			if got := time.Since(start); len(b.GetData().GetData()) != n || got != want {
				t.Errorf("block %d has %d envelopes after %s, want %d after %s", b.GetHeader().GetNumber(), len(b.GetData().GetData()), got, n, want)
			}
		}
		broadcast(t, o, sized(t, 50, 'a'))
		<-time.After(1500 * time.Millisecond)
		broadcast(t, o, sized(t, 50, 'b'))
		at(next(t, blocks), 2, 2*time.Second)
		// A full block stops the clock, so what comes next has all of the time.
		broadcast(t, o, sized(t, 50, 'c'))
		<-time.After(time.Second)
		broadcast(t, o, sized(t, 50, 'd'), sized(t, 50, 'e'), sized(t, 50, 'f'))
		at(next(t, blocks), 3, 3*time.Second)
		at(next(t, blocks), 1, 5*time.Second)
		// Nothing is cut where nothing is pending.
		<-time.After(time.Hour)
		if n := counts(t, o, blocks); n != nil {
			t.Errorf("blocks of %v", n)
		}
	})
}

// TestCloseStopsTheClock leaves nothing that would cut a block.
func TestCloseStopsTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOrderer(t, ordering.Config{}, ordering.Channel{Batch: ordering.Batch{Timeout: time.Second}})
		blocks := deliver(t, o, 0)
		broadcast(t, o, sized(t, 50, 'a'))
		if n := counts(t, o, blocks); !slices.Equal(n, []int{1}) {
			t.Errorf("blocks of %v", n)
		}
		<-time.After(time.Minute)
	})
}
