package pebble

import (
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/pkg/errors"
	"go.uber.org/zap"
)

// Pebble stalls a write while too much waits to be written to tables. If the tables can't be written, that is for ever: no
// context ends it, and neither does closing the database. So its own limits are set to what is never reached, and the store
// waits itself, before it begins to write. For that it has to know two things: whether tables can be written at all, and
// whether there is room.
//
// Whether tables can be written is what the jobs in the background tell when they end. Room is what Pebble's metrics tell.
// But these cost far more than a small batch. They get worse only when a log is full and the next one is begun. So they are
// read once for each log, and not once for each batch.

const (
	// A commit waits while there is more than so many tables' contents in memory, or so many layers of tables to merge.
	maxMemTables, maxSublevels = 4, 1000
	// unlimited is for Pebble's own limits.
	unlimited = math.MaxInt32
)

// tables is told of each job that writes tables, and knows whether they can be written.
type tables struct {
	log *zap.Logger

	mu       sync.Mutex
	flush    error         // why the last flush has failed; nil if it has not. Pebble tries again at once
	compact  error         // the same of the last merge, which Pebble tries again soon or puts off
	failures int           // merges that have failed
	merging  int           // merges that run
	room     bool          // there is room until the next log is begun
	changed  chan struct{} // closed, and made anew, when anything here has changed
	logged   string        // the last failure that was logged: it repeats for as long as the disk is as it is
}

func newTables(log *zap.Logger) *tables { return &tables{log: log, changed: make(chan struct{})} }

func (t *tables) listen(l *pebble.EventListener) {
	l.BackgroundError = t.failed
	l.WALCreated = func(pebble.WALCreateInfo) { t.change(func() { t.room = false }) }
	l.FlushEnd = func(info pebble.FlushInfo) {
		t.change(func() { t.flush = tableError(info.Err) })
	}
	l.CompactionBegin = func(pebble.CompactionInfo) { t.change(func() { t.merging++ }) }
	l.CompactionEnd = func(info pebble.CompactionInfo) {
		t.change(func() {
			t.merging--
			if !errors.Is(info.Err, pebble.ErrCancelledCompaction) {
				t.compact = tableError(info.Err)
			}
			if info.Err != nil && t.compact != nil {
				t.failures++
			}
		})
	}
}

// emptyTable is what Pebble calls it if a job leaves nothing to write. It does not export that error.
const emptyTable = "pebble: empty table"

func tableError(err error) error {
	switch {
	case err == nil || err.Error() == emptyTable:
		return nil
	case pebble.IsCorruptionError(err):
		return damage(err)
	}
	return err
}

func (t *tables) change(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	broken := t.flush != nil || t.compact != nil
	do()
	if broken && t.flush == nil && t.compact == nil {
		t.logged = ""
		t.log.Info("tables of the store can be written again")
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// failed logs an error of a background job once, not each time that Pebble tries again. The names of files are others then.
func (t *tables) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	cause := err
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause = next
	}
	if text := cause.Error(); text != t.logged {
		t.logged = text
		t.log.Error("a background job of the store has failed", zap.Error(err))
	}
}

// failure returns why tables can't be written. A merge that has failed counts while one runs, which is the second attempt or
// would fail for the same reason. Pebble puts some off. If these counted, commits would fail when nothing is left to fail.
func (t *tables) failure() error {
	if t.flush == nil && t.merging > 0 {
		return t.compact
	}
	return t.flush
}

// state returns why tables can't be written, or nil. The channel is closed when that may have changed.
func (t *tables) state() (changed <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed, t.failure()
}

// failedMerges returns how many merges have failed.
func (t *tables) failedMerges() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failures
}

// chances are what a commit has to know.
type chances struct {
	changed <-chan struct{} // closed when any of the following may have changed
	room    bool            // there is known to be room
	retried bool            // a merge that has failed is tried again
	err     error           // why tables can't be written
}

// chances returns how it stands with a commit that began when so many merges had failed. While one is tried again, its end
// tells whether tables can be written. Only one that has failed since counts.
func (t *tables) chances(failures int) chances {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := chances{changed: t.changed, room: t.room, retried: t.compact != nil && t.merging > 0, err: t.flush}
	if c.err == nil && t.failures > failures {
		c.err = t.compact
	}
	return c
}

// hasRoom notes that there was room, unless anything has changed since changed was returned.
func (t *tables) hasRoom(changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.room = t.room || t.changed == changed
}
