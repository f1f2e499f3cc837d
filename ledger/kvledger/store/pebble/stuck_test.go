package pebble_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// on returns an injector for the operations of some kinds on files whose path has a text in it. It is off at first.
func on(file string, do func() error, kinds ...errorfs.OpKind) *errorfs.Toggle {
	return &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		for _, kind := range kinds {
			if op.Kind == kind && strings.Contains(op.Path, file) {
				return do()
			}
		}
		return nil
	})}
}

// commitUntilError commits batches until one fails, and returns how many were committed.
func commitUntilError(ctx context.Context, s store.Store, n uint64) (uint64, error) {
	for limit := n + 100000; n < limit; n++ {
		if err := commitNext(ctx, s, n); err != nil {
			return n, err
		}
	}
	return n, nil
}

// F110: tables can't be written, though the log can. Commits fail with the cause, reads go on, and nothing is lost. When the
// disk is as it was, commits go on.
func TestTablesCannotBeWritten(t *testing.T) {
	for _, test := range []struct {
		name  string
		errno syscall.Errno
		kind  errorfs.OpKind
	}{
		{"quota", syscall.EDQUOT, errorfs.OpFileWrite},
		{"full disk", syscall.ENOSPC, errorfs.OpCreate},
		{"broken disk", syscall.EIO, errorfs.OpFileSync},
	} {
		t.Run(test.name, func(t *testing.T) {
			memory := vfs.NewMem()
			failing := on(".sst", func() error { return test.errno }, test.kind, errorfs.OpFileSyncData)
			core, logs := observer.New(zap.InfoLevel)
			again := make(chan struct{}, 1)
			log := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
				if e.Message == "tables of the store can be written again" {
					select {
					case again <- struct{}{}:
					default: // the disk fails twice here, and may be as it was twice
					}
				}
				return nil
			}))
			cfg := pebble.Config{Dir: "data", FS: errorfs.Wrap(memory, failing), CacheSize: 8 << 20, MinFree: -1, Logger: log}
			s, err := pebble.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			failing.On()
			n, err := commitUntilError(t.Context(), s, 0)
			if !errors.Is(err, test.errno) || !strings.Contains(err.Error(), "write tables of data folder data: see that the disk is writable and has room") {
				t.Fatalf("commit: %v", err)
			}
			if err := verify(t.Context(), s, n, n); err != nil {
				t.Error(err)
			}
			failing.Off()
			<-again
			for range 1000 {
				if err := commitNext(t.Context(), s, n); err != nil {
					t.Fatalf("commit when the disk is as it was: %v", err)
				}
				n++
			}
			failing.On()
			if n, err = commitUntilError(t.Context(), s, n); !errors.Is(err, test.errno) {
				t.Fatalf("commit: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if failures := logs.FilterMessage("a background job of the store has failed").Len(); failures < 1 || failures > 4 {
				t.Errorf("%d failures are logged: %v", failures, logs.All())
			}
			reopened := openStore(t, pebble.Config{Dir: "data", FS: memory, CacheSize: 8 << 20})
			if err := verify(t.Context(), reopened, n, n); err != nil {
				t.Error(err)
			}
		})
	}
}

// stalled is a store on a disk that doesn't answer once it is told so.
type stalled struct {
	*pebble.Store
	fs      vfs.FS
	stall   *errorfs.Toggle
	answers chan struct{}
}

// stallingStore opens a store, which must be in a bubble, on a disk that can stop answering to what is written to a file.
func stallingStore(t *testing.T, file string, kinds ...errorfs.OpKind) *stalled {
	t.Helper()
	answers := make(chan struct{})
	stall := on(file, func() error { <-answers; return nil }, kinds...)
	memory := vfs.NewMem()
	s, err := pebble.Open(pebble.Config{Dir: "data", FS: errorfs.Wrap(memory, stall), CacheSize: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return &stalled{Store: s, fs: memory, stall: stall, answers: answers}
}

// answer has the disk answer again.
func (s *stalled) answer() {
	s.stall.Off()
	close(s.answers)
}

// stalls are the files that a disk may not answer for, and what is waited for then.
var stalls = []struct {
	file, waits string
	kinds       []errorfs.OpKind
}{
	{".sst", "tables", []errorfs.OpKind{errorfs.OpFileWrite}},
	{"MANIFEST", "", []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData}},
	{".log", "log", []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSyncData}},
}

// F111: the disk doesn't answer. Commit and Snapshot return when their contexts end. The head tells what has become of the
// batch when the disk has answered, and commits go on.
func TestStalledDisk(t *testing.T) {
	for _, test := range stalls {
		t.Run(test.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stallingStore(t, test.file, test.kinds...)
				s.stall.On()
				n, err := commitUntilDeadline(t, s)
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "wait until the disk has written the "+test.waits) {
					t.Fatalf("commit: %v", err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := s.Commit(ctx, &store.Batch{}); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, store.ErrHeadMoved) {
					t.Errorf("another commit: %v", err)
				}
				if snap, err := s.Snapshot(ctx); err == nil {
					snap.Close()
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("snapshot: %v", err)
				}
				s.answer()
				snap := snapshot(t, s)
				if blocks := snap.Head().Blocks; blocks != n && blocks != n+1 {
					t.Errorf("the head has %d blocks, %d were committed, and perhaps one more", blocks, n)
				}
				n = snap.Head().Blocks
				snap.Close()
				if err := commitNext(t.Context(), s, n); err != nil {
					t.Errorf("commit when the disk has answered: %v", err)
				}
				if err := verify(t.Context(), s, n+1, n+1); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

// commitUntilDeadline commits until a commit has taken a second.
func commitUntilDeadline(t *testing.T, s store.Store) (uint64, error) {
	for n := uint64(0); ; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := commitNext(ctx, s, n)
		cancel()
		if err != nil {
			return n, err
		}
	}
}

// F112: the disk doesn't answer while a store is closed. Close says so within 25 seconds. What is left goes when the disk
// answers, and nothing is lost.
func TestCloseOnStalledDisk(t *testing.T) {
	for _, test := range stalls {
		for _, waiting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, waiting %v", test.file, waiting), func(t *testing.T) {
				var n uint64
				var fs vfs.FS
				synctest.Test(t, func(t *testing.T) {
					s := stallingStore(t, test.file, test.kinds...)
					fs = s.fs
					if n = 1; !waiting {
						if err := commitNext(t.Context(), s, 0); err != nil {
							t.Fatal(err)
						}
					}
					s.stall.On()
					if waiting {
						n, _ = commitUntilDeadline(t, s)
					}
					begin := time.Now()
					err := s.Close()
					if took := time.Since(begin); took > 25*time.Second {
						t.Errorf("Close took %v", took)
					}
					if err == nil || !strings.Contains(err.Error(), "close data folder data: the disk has not answered for") {
						t.Errorf("Close: %v", err)
					}
					s.answer()
				})
				again := openStore(t, pebble.Config{Dir: "data", FS: fs, CacheSize: 8 << 20})
				if err := verify(t.Context(), again, n, n+1); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// F110: tables can't be merged, though they can be written. What fails is tried again soon, or put off. Commits fail only
// when it has been tried again in vain, so that they go on when there is nothing left to fail.
func TestTablesCannotBeMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := on(".sst", func() error { return syscall.EIO }, errorfs.OpFileReadAt)
		s := openStore(t, pebble.Config{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), failing), CacheSize: 8 << 20})
		failing.On()
		n, err := commitUntilError(t.Context(), s, 0)
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "write tables of data folder data") {
			t.Fatalf("commit: %v", err)
		}
		failing.Off()
		<-time.After(time.Minute)
		for range 1000 {
			if err := commitNext(t.Context(), s, n); err != nil {
				t.Fatalf("commit when the disk is as it was: %v", err)
			}
			n++
		}
		if err := verify(t.Context(), s, n, n); err != nil {
			t.Error(err)
		}
	})
}

// F166: a merge that has failed is tried again. A commit waits for it, and has its outcome: it goes on at once when the disk is
// as it was, fails when the merge does, and ends with its context.
func TestMergeIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(giveUp func(), answers chan<- error)
		want   error
	}{
		{"good again", func(_ func(), answers chan<- error) { close(answers) }, nil},
		{"as before", func(_ func(), answers chan<- error) {
			select {
			case answers <- syscall.EIO:
			case <-time.After(time.Minute): // nobody asks, which the outcome shows
			}
		}, syscall.EIO},
		{"no answer", func(giveUp func(), _ chan<- error) { giveUp() }, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var holds atomic.Bool
				answers := make(chan error)
				failing := on(".sst", func() error {
					if holds.Load() {
						return <-answers
					}
					return syscall.EIO
				}, errorfs.OpFileReadAt)
				s := openStore(t, pebble.Config{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), failing), CacheSize: 8 << 20})
				failing.On()
				n, err := commitUntilError(t.Context(), s, 0)
				if !errors.Is(err, syscall.EIO) {
					t.Fatalf("commit: %v", err)
				}
				holds.Store(true)
				synctest.Wait() // what has failed already is reported
				ctx, giveUp := context.WithCancel(t.Context())
				defer giveUp()
				n, waiting := commitUntilOneWaits(ctx, s, n)
				test.answer(giveUp, answers)
				if err := <-waiting; !errors.Is(err, test.want) {
					t.Errorf("the commit that waits for a merge: %v, want %v", err, test.want)
				}
				if test.want != nil {
					failing.Off()
					holds.Store(false)
					close(answers)
				}
				if test.want == nil {
					n++
				}
				if head := headOf(t, s); head != n {
					t.Errorf("%d batches are committed, want %d", head, n)
				}
			})
		})
	}
}

// commitUntilOneWaits commits batches, in a bubble, until one waits for the disk, and returns its number.
func commitUntilOneWaits(ctx context.Context, s store.Store, n uint64) (uint64, <-chan error) {
	for ; ; n++ {
		committed := make(chan error, 1)
		go func() { committed <- commitNext(ctx, s, n) }()
		synctest.Wait()
		if len(committed) == 0 {
			return n, committed
		}
		if err := <-committed; err != nil {
			committed <- err
			return n, committed
		}
	}
}

func headOf(t *testing.T, s store.Store) uint64 {
	t.Helper()
	snap := snapshot(t, s)
	defer snap.Close()
	return snap.Head().Blocks
}

// The log can't be written. That is the end of the store, which says so from then on. It can be closed, and it can be opened
// again when the disk is as it was.
func TestLogCannotBeWritten(t *testing.T) {
	memory := vfs.NewMem()
	failing := on(".log", func() error { return syscall.ENOSPC }, errorfs.OpFileWrite)
	s, err := pebble.Open(pebble.Config{Dir: "data", FS: errorfs.Wrap(memory, failing), CacheSize: 8 << 20, MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	failing.On()
	n, err := commitUntilError(t.Context(), s, 0)
	for range 2 {
		want := "data folder data has failed and must be opened again: see that the disk is writable and has room"
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
			t.Errorf("commit: %v", err)
		}
		failing.Off() // which is no reason to go on
		err = commitNext(t.Context(), s, n)
	}
	if err := s.Close(); errors.Is(err, store.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
	again := openStore(t, pebble.Config{Dir: "data", FS: memory, CacheSize: 8 << 20})
	if err := verify(t.Context(), again, n, n+1); err != nil {
		t.Error(err)
	}
}

// F112: the last snapshot is closed after the store, so that it closes the database.
func TestLastSnapshotOnStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stallingStore(t, ".sst", errorfs.OpFileWrite)
		if err := commitNext(t.Context(), s, 0); err != nil {
			t.Fatal(err)
		}
		snap := snapshot(t, s)
		s.stall.On()
		if err := s.Close(); err == nil || !strings.Contains(err.Error(), "snapshots are open") {
			t.Errorf("Close: %v", err)
		}
		begin := time.Now()
		snap.Close()
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("closing the last snapshot took %v", took)
		}
		s.answer()
	})
}
