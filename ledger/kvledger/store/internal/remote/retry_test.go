package remote_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

var errStays = errors.New("it stays so")

func stays(err error) bool { return errors.Is(err, errStays) }

func TestRetry(t *testing.T) {
	for name, test := range map[string]struct {
		answers []error // the last one is given again and again
		tries   int
		want    error
	}{
		"at once":      {[]error{nil}, 1, nil},
		"at the third": {[]error{errServer, errServer, nil}, 3, nil},
		"it stays":     {[]error{errServer, errStays}, 2, errStays},
		// 10, 20, 40, … 320 ms, and then half a second each: after 9.63 s there are 24 tries, and 25 begin before ten seconds.
		"ctx ends":             {[]error{errServer}, 25, errServer},
		"ctx ends meanwhile":   {[]error{errServer, context.DeadlineExceeded}, 25, context.DeadlineExceeded},
		"only after ctx ended": {[]error{context.Canceled}, 25, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				tries := 0
				err := remote.Retry(ctx, stays, func(context.Context) error {
					tries++
					return test.answers[min(tries, len(test.answers))-1]
				})
				if !errors.Is(err, test.want) || tries != test.tries {
					t.Errorf("%v after %d tries, want %v after %d", err, tries, test.want, test.tries)
				}
			})
		})
	}
}

// The error says why, not just that there was no more time.
func TestRetryKeepsTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		defer cancel()
		err := remote.Retry(ctx, stays, func(ctx context.Context) error {
			select {
			case <-time.After(10 * time.Millisecond):
				return errServer
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if !errors.Is(err, errServer) {
			t.Errorf("got %v, want %v", err, errServer)
		}
	})
}

func TestOutcome(t *testing.T) {
	b := &store.Batch{Prev: store.Head{Blocks: 4, Epoch: 40}, Next: store.Head{Blocks: 5, Epoch: 50}}
	for name, test := range map[string]struct {
		now   remote.Settled
		known bool
		err   string
	}{
		"not applied":             {remote.Settled{Head: b.Prev, Recent: []uint64{40, 30}}, false, ""},
		"applied":                 {remote.Settled{Head: b.Next, Recent: []uint64{50, 40}}, true, ""},
		"applied, and later ones": {remote.Settled{Head: store.Head{Blocks: 7, Epoch: 70}, Recent: []uint64{70, 60, 50, 40}}, true, ""},
		"another one":             {remote.Settled{Head: store.Head{Blocks: 5, Epoch: 51}, Recent: []uint64{51, 40}}, true, store.ErrHeadMoved.Error()},
		"others":                  {remote.Settled{Head: store.Head{Blocks: 6, Epoch: 60}, Recent: []uint64{60, 51, 40}}, true, store.ErrHeadMoved.Error()},
		"a restored backup":       {remote.Settled{Head: store.Head{Blocks: 3, Epoch: 30}, Recent: []uint64{30}}, true, store.ErrHeadMoved.Error()},
		"too many later ones": {
			remote.Settled{Head: store.Head{Blocks: 5 + remote.KeptEpochs, Epoch: 1}, Recent: make([]uint64, remote.KeptEpochs)}, true,
			"find out whether the batch is applied, after the server says no: there are 100 later ones",
		},
	} {
		t.Run(name, func(t *testing.T) {
			known, err := test.now.Outcome(b, errServer)
			if known != test.known || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
				t.Errorf("got %v, %v, want %v, %q", known, err, test.known, test.err)
			}
		})
	}
}
