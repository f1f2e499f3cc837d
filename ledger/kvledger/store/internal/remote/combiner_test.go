package remote_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// The first request is done alone, and what comes meanwhile is done together.
func TestCombiner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		var goroutines int
		start := func(f func()) bool {
			goroutines++
			running.Go(f)
			return true
		}
		var batches [][]int
		proceed := make(chan struct{})
		c := remote.NewCombiner(start, func(batch []int) {
			batches = append(batches, batch)
			<-proceed
		})
		for i := range 4 {
			if !c.Add(i) {
				t.Fatal("a request is refused")
			}
			synctest.Wait()
		}
		close(proceed)
		running.Wait()
		if c.Add(4); goroutines != 2 {
			t.Errorf("%d goroutines, want one that has ended and one that has begun", goroutines)
		}
		running.Wait()
		if want := [][]int{{0}, {1, 2, 3}, {4}}; !slices.EqualFunc(batches, want, slices.Equal) {
			t.Errorf("done as %v, want %v", batches, want)
		}
	})
}

func TestCombinerOfClosedStore(t *testing.T) {
	c := remote.NewCombiner(func(func()) bool { return false }, func([]int) { t.Error("something is done") })
	if c.Add(1) {
		t.Error("a request is taken")
	}
}
