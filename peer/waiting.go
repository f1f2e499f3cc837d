package peer

import (
	"context"
	"slices"
	"sync"

	"github.com/pkg/errors"
)

// waiting are those who wait for transactions to be committed.
type waiting struct {
	mu    sync.Mutex
	txs   map[string][]chan Outcome // each with room for its outcome
	seen  uint64                    // how many envelopes were committed
	moved chan struct{}             // is closed when there are more; nil if nobody waits
	err   error                     // why there will be no more
}

// join returns a channel that gets the transaction's outcome, and is closed if there is none. leave must be called.
func (w *waiting) join(txID string) (outcome <-chan Outcome, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, nil, w.err
	}
	if w.txs == nil {
		w.txs = map[string][]chan Outcome{}
	}
	ch := make(chan Outcome, 1)
	w.txs[txID] = append(w.txs[txID], ch)
	return ch, func() { w.leave(txID, ch) }, nil
}

func (w *waiting) leave(txID string, ch chan Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	others := slices.DeleteFunc(w.txs[txID], func(other chan Outcome) bool { return other == ch })
	if len(others) == 0 {
		delete(w.txs, txID)
	} else {
		w.txs[txID] = others
	}
}

// committed tells of a block. Of several transactions with the same ID, the first one is told of.
func (w *waiting) committed(outcomes []Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range outcomes {
		for _, ch := range w.txs[o.TxID] {
			ch <- o
		}
		delete(w.txs, o.TxID)
	}
	w.seen += uint64(len(outcomes))
	w.wake()
}

// end tells all that no more will be committed.
func (w *waiting) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	for _, chs := range w.txs {
		for _, ch := range chs {
			close(ch)
		}
	}
	w.txs = nil
	w.wake()
}

// wake needs the lock.
func (w *waiting) wake() {
	if w.moved != nil {
		close(w.moved)
		w.moved = nil
	}
}

// cause is why nothing is committed any more.
func (w *waiting) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// reach waits until a number of envelopes were committed since the channel was joined.
func (w *waiting) reach(ctx context.Context, envelopes uint64) error {
	for {
		w.mu.Lock()
		if w.err != nil || w.seen >= envelopes {
			defer w.mu.Unlock()
			return w.err
		}
		if w.moved == nil {
			w.moved = make(chan struct{})
		}
		moved := w.moved
		w.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return errors.Wrap(ctx.Err(), "wait for blocks")
		}
	}
}
