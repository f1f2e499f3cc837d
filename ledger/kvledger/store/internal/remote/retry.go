package remote

import (
	"context"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

// How long to wait before asking again.
const minBackOff, maxBackOff = 10 * time.Millisecond, 500 * time.Millisecond

// Retry calls try until it succeeds, fails in a way that will not change, or ctx has ended. It returns the last error that
// says more than that ctx has ended.
func Retry(ctx context.Context, stays func(error) bool, try func(context.Context) error) error {
	var cause error
	for n := 0; ; n++ {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if cause == nil || ctx.Err() == nil {
			cause = err
		}
		if stays(err) || !BackOff(ctx, n) {
			return cause
		}
	}
}

// BackOff waits before asking again. The more tries there were before the last one, the longer it waits. It returns false if
// ctx has ended.
func BackOff(ctx context.Context, tries int) bool {
	timer := time.NewTimer(min(minBackOff<<min(tries, 10), maxBackOff))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// KeptEpochs is how many batches back the head can tell who has committed one.
const KeptEpochs = 100

// Settled is a head that no request which was sent before can move any more.
//
// A head alone can't tell what has become of a batch whose answer was lost, because another writer may have committed since.
// So the engines keep with the head who committed the last few batches, by their epochs.
type Settled struct {
	Head store.Head
	// Recent are the epochs of the last batches, the newest first.
	Recent []uint64
}

// Tells reports whether a batch is known to be applied, because it is the head or among the ones before it.
func (s Settled) Tells(next store.Head) bool {
	back := s.Head.Blocks - next.Blocks
	return s.Head.Blocks >= next.Blocks && back < uint64(len(s.Recent)) && s.Recent[back] == next.Epoch
}

// Outcome says what has become of a batch after a try that has failed in a way that leaves this open. If it is known, err is
// what Commit returns. If not, the batch is not applied, and may be tried again.
func (s Settled) Outcome(b *store.Batch, failure error) (known bool, err error) {
	switch {
	case s.Tells(b.Next):
		return true, nil
	case s.Head.Blocks >= b.Next.Blocks+KeptEpochs:
		return true, errors.Errorf("find out whether the batch is applied, after %v: there are %d later ones",
			failure, s.Head.Blocks-b.Next.Blocks)
	case s.Head != b.Prev: // which never comes again
		return true, store.ErrHeadMoved
	}
	return false, nil
}
