package harness

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccpeer/ccpeer/internal/bench/child"
	"github.com/ccpeer/ccpeer/internal/bench/stats"
)

// maxRecorded is how many operations of a window are remembered one by one; of those beyond, only the number is.
const maxRecorded = 1 << 18

// recorder keeps how long each operation of a window took. It allocates nothing while it records, so that the process
// that measures itself does not measure its recorder.
type recorder struct {
	nanos []uint32
	n     atomic.Int64
	began time.Time
	took  time.Duration
}

func newRecorder() *recorder { return &recorder{nanos: make([]uint32, maxRecorded)} }

func (r *recorder) begin() {
	r.n.Store(0)
	r.began = time.Now()
}

func (r *recorder) end() { r.took = time.Since(r.began) }

// add records an operation. Safe for concurrent use.
func (r *recorder) add(took time.Duration) {
	if i := r.n.Add(1) - 1; i < int64(len(r.nanos)) {
		r.nanos[i] = uint32(min(took, math.MaxUint32))
	}
}

func (r *recorder) sample() child.Sample {
	n := int(r.n.Load())
	sorted := make([]float64, min(n, len(r.nanos)))
	for i := range sorted {
		sorted[i] = float64(r.nanos[i])
	}
	slices.Sort(sorted)
	return child.Sample{Ops: n, Elapsed: r.took, P50: stats.Quantile(sorted, 0.5), P99: stats.Quantile(sorted, 0.99)}
}

// drive runs op in l.Callers goroutines, each time after time until the window is over, and returns the first error.
func (r *recorder) drive(l child.Load, op func(caller int) error) error {
	var callers sync.WaitGroup
	errs := make(chan error, l.Callers)
	r.begin()
	for caller := range l.Callers {
		callers.Go(func() {
			for start := r.began; ; {
				if err := op(caller); err != nil {
					errs <- err
					return
				}
				now := time.Now()
				r.add(now.Sub(start))
				if now.Sub(r.began) >= l.Window {
					return
				}
				start = now
			}
		})
	}
	callers.Wait()
	r.end()
	close(errs)
	return <-errs
}
