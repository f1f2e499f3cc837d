package pebble_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

const headName = "CCPEER-HEAD"

// history is a folder with a live store, and what it had after each commit.
type history struct {
	dir  string
	logs []int64  // how long the log was
	head [][]byte // what was noted beside it
}

// live commits so many batches, few enough for one log, to a store that is open as long as the test runs.
func live(t *testing.T, batches uint64) *history {
	t.Helper()
	h := &history{dir: t.TempDir()}
	s := openStore(t, small(h.dir))
	for n := range batches + 1 {
		if n > 0 {
			if err := commitNext(t.Context(), s, n-1); err != nil {
				t.Fatal(err)
			}
		}
		info, err := os.Stat(logOf(t, h.dir))
		if err != nil {
			t.Fatal(err)
		}
		head, err := os.ReadFile(filepath.Join(h.dir, headName))
		if err != nil {
			t.Fatal(err)
		}
		h.logs, h.head = append(h.logs, info.Size()), append(h.head, head)
	}
	return h
}

// logOf returns the path of the only log.
func logOf(t *testing.T, dir string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs are %v, %v", logs, err)
	}
	return logs[0]
}

// killed returns a copy of the folder, as it is left when the process is killed.
func (h *history) killed(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// F113: the live log of a store is cut short. That is noticed: what is noted beside the log is of the last commit after the
// process was killed, and of one not long before after a power failure. Of what was committed between the two, the loss is
// not noticed.
func TestCutLog(t *testing.T) {
	const batches, noted = 10, 6
	h := live(t, batches)
	for _, test := range []struct {
		name string
		cut  int64
		head []byte // nil: there is none
		have uint64 // 0: it is noticed
	}{
		{"killed, not cut", h.logs[batches], h.head[batches], batches},
		{"killed, in the middle of the last record", h.logs[batches] - 1, h.head[batches], 0},
		{"killed, in the header of the last record", h.logs[batches-1] + 3, h.head[batches], 0},
		{"killed, at the last record's edge", h.logs[batches-1], h.head[batches], 0},
		{"killed, at an earlier record's edge", h.logs[noted], h.head[batches], 0},
		{"killed, at the beginning", 0, h.head[batches], 0},
		{"power failure, not cut", h.logs[batches], h.head[noted], batches},
		{"power failure, at the edge of a record after the note", h.logs[noted+1], h.head[noted], noted + 1},
		{"power failure, in the middle of such a record", h.logs[noted+2] - 1, h.head[noted], noted + 1},
		{"power failure, at the edge of the record of the note", h.logs[noted], h.head[noted], noted},
		{"power failure, in the middle of that record", h.logs[noted] - 1, h.head[noted], 0},
		{"power failure, at the edge of the record before", h.logs[noted-1], h.head[noted], 0},
		{"one torn note", h.logs[noted-1], torn(h.head[noted]), noted - 1},
		{"one torn note, and more is cut", h.logs[noted-2], torn(h.head[noted]), 0},
		{"no notes", h.logs[noted], []byte{}, noted},
		{"no file of notes", h.logs[noted], nil, noted},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := h.killed(t)
			if err := os.Truncate(logOf(t, dir), test.cut); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, headName)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if test.head != nil {
				writeFile(t, path, string(test.head))
			}
			if test.have == 0 {
				wantUntouched(t, dir, pebble.ErrDamaged, "batches that were committed only")
				if err := os.Remove(path); err != nil { // as the error says
					t.Fatal(err)
				}
				openStore(t, small(dir))
				return
			}
			s := openStore(t, small(dir))
			if err := verify(t.Context(), s, test.have, test.have); err != nil {
				t.Error(err)
			}
		})
	}
}

// torn returns notes of which the later one has been destroyed. If its number is even, it is in the second sector.
func torn(notes []byte) []byte {
	notes = append([]byte{}, notes...)
	notes[512+7] ^= 1
	return notes
}

// After Close nothing is in the log alone, so that nothing can be cut from it.
func TestCutLogOfClosedStore(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir, 10)
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if err := os.Truncate(log, 0); err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, small(dir))
	if err := verify(t.Context(), s, 10, 10); err != nil {
		t.Error(err)
	}
}

// Another writer has put a batch in the place of the last one.
func TestOtherHead(t *testing.T) {
	dir := t.TempDir()
	fillStore(t, dir, 1)
	setUpstream(t, dir, "h", "\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07")
	wantUntouched(t, dir, pebble.ErrDamaged, "batch 1 is another one than was committed")
}

// A store that was written before there was a file of notes gets one.
func TestStoreWithoutNotes(t *testing.T) {
	h := live(t, 3)
	dir := h.killed(t)
	if err := os.Remove(filepath.Join(dir, headName)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := pebble.Open(small(dir))
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(t.Context(), s, 3, 3); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, headName)); err != nil {
		t.Error(err)
	}
}

// If the head can't be noted, commits are as good as ever, and the log says it once.
func TestHeadCannotBeNoted(t *testing.T) {
	failing := on(headName, func() error { return syscall.EIO }, errorfs.OpFileWriteAt)
	core, logs := observer.New(zap.WarnLevel)
	s := openStore(t, pebble.Config{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), failing), CacheSize: 8 << 20, Logger: zap.New(core)})
	failing.On()
	for n := range uint64(3) {
		if err := commitNext(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := verify(t.Context(), s, 3, 3); err != nil {
		t.Error(err)
	}
	if logs.Len() != 1 || !strings.Contains(logs.All()[0].Message, "the head can't be noted") {
		t.Errorf("logged: %v", logs.All())
	}
	if _, err := pebble.Open(pebble.Config{Dir: "other", FS: errorfs.Wrap(vfs.NewMem(), failing)}); !errors.Is(err, syscall.EIO) {
		t.Errorf("open where it can't be noted: %v", err)
	}
}
