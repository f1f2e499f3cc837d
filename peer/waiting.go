package peer

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/pkg/errors"
)

// waiting are those who wait for transactions to be committed. They wait for envelopes, not for IDs: others may put the same ID
// into envelopes of theirs, which then have a code of their own.
type waiting struct {
	mu    sync.Mutex
	txs   map[envelopeHash][]chan Outcome // each with room for its outcome; the first waits for the first of equal envelopes
	seen  uint64                          // how many envelopes were committed
	moved chan struct{}                   // is closed when there are more; nil if nobody waits
	err   error                           // why nothing is committed now
	over  bool                            // says that it stays so
	down  chan struct{}                   // is closed while nothing is; nil if nobody has asked
}

// envelopeHash is the SHA-256 of a marshalled Envelope.
type envelopeHash [sha256.Size]byte

// join returns a channel that gets the outcome of an envelope, and is closed if there is none. leave must be called.
func (w *waiting) join(hash envelopeHash) (outcome <-chan Outcome, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, nil, w.err
	}
	if w.txs == nil {
		w.txs = map[envelopeHash][]chan Outcome{}
	}
	ch := make(chan Outcome, 1)
	w.txs[hash] = append(w.txs[hash], ch)
	return ch, func() { w.leave(hash, ch) }, nil
}

func (w *waiting) leave(hash envelopeHash, ch chan Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(hash, slices.DeleteFunc(w.txs[hash], func(other chan Outcome) bool { return other == ch }))
}

// keep needs the lock.
func (w *waiting) keep(hash envelopeHash, chs []chan Outcome) {
	if len(chs) == 0 {
		delete(w.txs, hash)
	} else {
		w.txs[hash] = chs
	}
}

// committed tells of a block: of its envelopes, and what became of each. The outcomes have no transaction IDs.
func (w *waiting) committed(envelopes [][]byte, outcomes []Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, o := range outcomes {
		if len(w.txs) == 0 {
			break
		}
		hash := envelopeHash(sha256.Sum256(envelopes[i]))
		if chs := w.txs[hash]; len(chs) > 0 {
			chs[0] <- o
			w.keep(hash, chs[1:])
		}
	}
	w.seen += uint64(len(outcomes))
	w.wake()
}

// fail tells all who wait, and those who come, that nothing is committed until recover is called.
func (w *waiting) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(err)
}

// end tells all that nothing will be committed any more. The first error is why.
func (w *waiting) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set(err)
	w.over = true
}

// set needs the lock.
func (w *waiting) set(err error) {
	if w.over {
		return
	}
	if w.err == nil && w.down != nil {
		close(w.down)
	}
	w.err = err
	for _, chs := range w.txs {
		for _, ch := range chs {
			close(ch)
		}
	}
	w.txs = nil
	w.wake()
}

// recover ends what fail has begun.
func (w *waiting) recover() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil && !w.over {
		w.err, w.down = nil, nil
	}
}

// failed returns a channel that is closed when fail was called.
func (w *waiting) failed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down == nil {
		w.down = make(chan struct{})
		if w.err != nil {
			close(w.down)
		}
	}
	return w.down
}

// wake needs the lock.
func (w *waiting) wake() {
	if w.moved != nil {
		close(w.moved)
		w.moved = nil
	}
}

// final is why nothing will be committed any more, or nil.
func (w *waiting) final() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		return nil
	}
	return w.err
}

// cause is why nothing is committed now.
func (w *waiting) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// reach waits until a number of envelopes were committed since the channel was joined. It is an error if nothing is committed now.
func (w *waiting) reach(ctx context.Context, envelopes uint64) error {
	return w.until(ctx, func() (bool, error) { return w.err != nil || w.seen >= envelopes, w.err })
}

// settle is reach, and waits also while nothing is committed, as long as that may change.
func (w *waiting) settle(ctx context.Context, envelopes uint64) error {
	return w.until(ctx, func() (bool, error) {
		if w.seen >= envelopes {
			return true, nil
		}
		return w.over, w.err
	})
}

// until waits until a condition holds, and returns its error. The condition has the lock.
func (w *waiting) until(ctx context.Context, holds func() (bool, error)) error {
	for {
		w.mu.Lock()
		if over, err := holds(); over {
			w.mu.Unlock()
			return err
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
