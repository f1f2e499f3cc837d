package pebble

import (
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
)

const (
	// flushTimeout is how long Close waits until what is not in tables is written there.
	flushTimeout = 10 * time.Second
	// databaseTimeout bounds the time in which the database is closed, and closeTimeout all of Close.
	databaseTimeout, closeTimeout = 15 * time.Second, 25 * time.Second
)

// Close implements store.Store. It waits for a commit that is being written, and releases the folder. Snapshots should be
// closed before. If some are open, the error says so. They stay readable, and the folder is released when the last one is
// closed.
//
// If the disk doesn't answer, Close returns an error after 25 seconds. A few goroutines, the open files and the folder's lock
// are left then. They go when the disk answers, or with the process. Nothing that was committed is lost.
func (s *Store) Close() error {
	last := s.current.Swap(nil)
	if last == nil {
		return store.ErrClosed
	}
	close(s.closing)
	err := within(closeTimeout, func() error {
		s.committing <- struct{}{}
		defer func() { <-s.committing }()
		return last.release()
	})
	if err != nil {
		return errors.Wrapf(err, "close data folder %s", s.dir)
	}
	if s.views.Load() > 0 {
		return errors.Errorf("close data folder %s: snapshots are open, it is released when they are closed", s.dir)
	}
	return nil
}

// within returns what f returns, or an error if that takes too long. Then f goes on.
func within(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errors.Errorf("the disk has not answered for %v: the folder stays locked until it does, or the process ends", limit)
	}
}

// closeDatabase leaves everything in tables, and nothing in the log. Damage to tables is easier to tell, and tables need no
// replay. Nothing is lost without that. So it is left out if it could fail, or take for ever.
func (s *Store) closeDatabase() error {
	return within(databaseTimeout, func() error {
		if s.guard.failed() == nil && s.checkFree() == nil {
			s.logged(s.flush())
		}
		if err := s.head.close(s.guard.failed() == nil); err != nil {
			s.logged(errors.Wrap(err, "close "+headName))
		}
		return s.db.Close()
	})
}

// flush writes tables of all that is in the log alone.
func (s *Store) flush() error {
	changed, err := s.guard.tables.state()
	if err != nil {
		return nil // logged already
	}
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return errors.Wrap(err, "begin to write tables")
	}
	timeout := time.NewTimer(flushTimeout)
	defer timeout.Stop()
	for err == nil {
		select {
		case <-flushed:
			return nil
		case <-changed:
			changed, err = s.guard.tables.state()
		case <-timeout.C:
			s.log.Warn("the store is closed without its log being written to tables", zap.Duration("timeout", flushTimeout))
			return nil
		}
	}
	return nil // logged already
}

// logged is for errors that come where there is nobody to return them to.
func (s *Store) logged(err error) {
	if err != nil {
		s.log.Error("close a snapshot or the store", zap.Error(err))
	}
}
