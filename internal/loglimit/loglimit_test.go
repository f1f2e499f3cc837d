package loglimit_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccpeer/ccpeer/internal/loglimit"
)

// A flood is shown by its first ten lines, and then by one a second that counts the rest.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l loglimit.Lines
		written := func(n int) (lines int, skipped int64) {
			for range n {
				if left, due := l.Due(); due {
					lines, skipped = lines+1, skipped+left
				}
			}
			return lines, skipped
		}
		for _, step := range []struct {
			pause   time.Duration
			asked   int
			lines   int
			skipped int64
		}{
			{0, 6, 6, 0},
			{0, 100, 4, 0},
			{time.Second - 1, 50, 0, 0},
			{1, 20, 1, 146},
			{3 * time.Second, 20, 3, 19},
			{time.Hour, 20, 10, 17},
		} {
			<-time.After(step.pause)
			if lines, skipped := written(step.asked); lines != step.lines || skipped != step.skipped {
				t.Errorf("after %s: %d lines of %d which count %d, want %d and %d", step.pause, lines, step.asked, skipped, step.lines, step.skipped)
			}
		}
	})
}

// What was left out last is told when a line may be written, or at the end.
func TestLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l loglimit.Lines
		for range loglimit.Burst + 5 {
			l.Due()
		}
		if n := l.LeftOut(false); n != 0 {
			t.Errorf("%d in the midst of a flood, want 0", n)
		}
		<-time.After(loglimit.Interval)
		if n := l.LeftOut(false); n != 5 {
			t.Errorf("%d after it, want 5", n)
		}
		l.Due()
		if n := l.LeftOut(true); n != 1 {
			t.Errorf("%d at the end, want 1", n)
		}
		if n := l.LeftOut(true); n != 0 {
			t.Errorf("%d of nothing", n)
		}
	})
}

// Every line is either written or counted, whoever asks.
func TestConcurrentLines(t *testing.T) {
	var l loglimit.Lines
	var wg sync.WaitGroup
	var written, counted atomic.Int64
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if skipped, due := l.Due(); due {
					written.Add(1)
					counted.Add(skipped)
				}
			}
		})
	}
	wg.Wait()
	if n := written.Load() + counted.Load() + l.LeftOut(true); n != 8000 || written.Load() < loglimit.Burst {
		t.Errorf("%d lines were written or counted, %d written, want 8000 and at least %d", n, written.Load(), loglimit.Burst)
	}
}
