package pebble_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storetest"
)

func TestStore(t *testing.T) {
	for name, config := range map[string]func(t *testing.T) pebble.Config{
		"disk": func(t *testing.T) pebble.Config { return pebble.Config{Dir: t.TempDir()} },
		"memory": func(*testing.T) pebble.Config {
			return pebble.Config{Dir: "data", FS: vfs.NewMem(), CacheSize: 1 << 20}
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				s, err := pebble.Open(config(t))
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

func TestConfig(t *testing.T) {
	for want, cfg := range map[string]pebble.Config{
		"Config.Dir is required":                {},
		"Config.CacheSize is -1, less than 0":   {Dir: t.TempDir(), CacheSize: -1},
		"pebble/store.go: not a directory":      {Dir: "store.go"},
		"pebble/store.go/below: not a director": {Dir: "store.go/below"},
	} {
		if _, err := pebble.Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", cfg, err, want)
		}
	}
}

// What was committed is there when the store is opened again, many small tables included.
func TestReopen(t *testing.T) {
	dir := t.TempDir() + "/a/b"
	var done uint64
	for range 3 {
		s, err := pebble.Open(small(dir))
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(t.Context(), s, done, done); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := commitNext(t.Context(), s, done); err != nil {
				t.Fatal(err)
			}
			done++
		}
		if err := verify(t.Context(), s, done, done); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A value can be kept and, where it is the caller's own, changed, without changing what the store has.
func TestValuesAreCopies(t *testing.T) {
	s := openStore(t, small(t.TempDir()))
	value := []byte("value")
	b := &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{{Key: "k", Value: value}}}
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	value[0] = 'X'
	snap := snapshot(t, s)
	one, err := snap.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	it := snap.Scan("", "", store.ScanOptions{})
	_, two, _, err := it.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	it.Close()
	snap.Close()
	one[1], two[2] = 'Y', 'Z'
	snap = snapshot(t, s)
	defer snap.Close()
	if got, err := snap.Get(t.Context(), "k"); string(got) != "value" || err != nil {
		t.Errorf("value is %q, %v", got, err)
	}
}

// Snapshots should be closed before the store. Where they are not, nothing crashes, and the folder is released in the end.
func TestCloseBeforeSnapshots(t *testing.T) {
	dir := t.TempDir()
	s, err := pebble.Open(small(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), first()); err != nil {
		t.Fatal(err)
	}
	one, two := snapshot(t, s), snapshot(t, s)
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "snapshots are open") {
		t.Errorf("Close: %v", err)
	}
	if err := s.Close(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if _, err := s.Snapshot(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Snapshot after Close: %v", err)
	}
	if _, err := pebble.Open(small(dir)); !errors.Is(err, pebble.ErrLocked) {
		t.Errorf("open while a snapshot is open: %v", err)
	}
	it := two.Scan("", "", store.ScanOptions{})
	one.Close()
	one.Close()
	two.Close()
	if key, _, ok, err := it.Next(t.Context()); key != "k" || !ok || err != nil {
		t.Errorf("an iterator that is open goes on with %q, %v, %v", key, ok, err)
	}
	it.Close()
	wantUnusable(t, two)
	again := openStore(t, small(dir))
	snap := snapshot(t, again)
	defer snap.Close()
	if value, err := snap.Get(t.Context(), "k"); string(value) != "v" || err != nil {
		t.Errorf("value is %q, %v", value, err)
	}
}

func wantUnusable(t *testing.T, closed store.Snapshot) {
	t.Helper()
	if _, err := closed.Get(t.Context(), "k"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if _, err := closed.GetMany(t.Context(), []string{"k"}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("GetMany: %v", err)
	}
	it := closed.Scan("", "", store.ScanOptions{})
	if _, _, ok, err := it.Next(t.Context()); ok || !errors.Is(err, store.ErrClosed) {
		t.Errorf("Next: %v, %v", ok, err)
	}
	it.Close()
}

// Commits, snapshots and Close at once: each works or says that the store is closed.
func TestCloseMeanwhile(t *testing.T) {
	s, err := pebble.Open(pebble.Config{Dir: "data", FS: vfs.NewMem(), CacheSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	used := make(chan struct{}, 100)
	for range 4 {
		wg.Go(func() {
			for {
				if err := useStore(t, s); err != nil {
					if !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrHeadMoved) {
						t.Error(err)
					}
					if !errors.Is(err, store.ErrHeadMoved) {
						return
					}
				}
				select {
				case used <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-used
	}
	if err := s.Close(); err != nil && !strings.Contains(err.Error(), "snapshots are open") {
		t.Error(err)
	}
	wg.Wait()
}

func useStore(t *testing.T, s store.Store) error {
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		return err
	}
	defer snap.Close()
	if _, err := snap.Get(t.Context(), "k"); err != nil {
		return err
	}
	b := first()
	b.Prev, b.Next.Blocks = snap.Head(), snap.Head().Blocks+1
	return s.Commit(t.Context(), b)
}

// fullDisk is a file system with that many bytes left.
type fullDisk struct {
	vfs.FS
	free uint64
}

func (d *fullDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free, TotalBytes: 1 << 40}, nil
}

func TestFullDisk(t *testing.T) {
	disk := &fullDisk{FS: vfs.NewMem(), free: 256<<20 - 1}
	s := openStore(t, pebble.Config{Dir: "data", FS: disk})
	if err := s.Commit(t.Context(), first()); err == nil || !strings.Contains(err.Error(), "disk of data folder data is nearly full") {
		t.Errorf("commit: %v", err)
	}
	snap := snapshot(t, s)
	if value, err := snap.Get(t.Context(), "k"); value != nil || err != nil {
		t.Errorf("value is %q, %v", value, err)
	}
	snap.Close()
	disk.free++
	if err := s.Commit(t.Context(), first()); err != nil {
		t.Errorf("commit when there is room again: %v", err)
	}
	disk.free = 0
	unlimited := openStore(t, pebble.Config{Dir: "other", FS: disk, MinFree: -1})
	if err := unlimited.Commit(t.Context(), first()); err != nil {
		t.Errorf("commit without a limit: %v", err)
	}
}

// TestFailingDisk has syncing fail, of the log and of what says which tables there are. What is on the disk is then not
// known: the store must not go on as if it were.
func TestFailingDisk(t *testing.T) {
	for _, file := range []string{".log", "MANIFEST"} {
		t.Run(file, func(t *testing.T) {
			memory := vfs.NewMem()
			failing := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
				sync := op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
				if sync && strings.Contains(op.Path, file) {
					return errors.New("the disk is broken")
				}
				return nil
			})}
			core, logs := observer.New(zap.ErrorLevel)
			s, err := pebble.Open(pebble.Config{
				Dir: "data", FS: errorfs.Wrap(memory, failing), CacheSize: 8 << 20, Logger: zap.New(core),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := commitNext(t.Context(), s, 0); err != nil {
				t.Fatal(err)
			}
			failing.On()
			acked := uint64(1)
			for ; err == nil && acked < 1000; acked++ {
				err = commitNext(t.Context(), s, acked)
			}
			acked--
			wantFailed(t, s, err)
			if logs.FilterMessage("the store has failed and must be opened again").Len() != 1 {
				t.Errorf("logged: %v", logs.All())
			}
			if n := logs.Len(); n > 10 {
				t.Errorf("%d errors are logged", n)
			}
			if err := s.Close(); errors.Is(err, store.ErrClosed) {
				t.Errorf("Close: %v", err)
			}
			again := openStore(t, pebble.Config{Dir: "data", FS: memory, CacheSize: 8 << 20})
			if err := verify(t.Context(), again, acked, acked+1); err != nil {
				t.Error(err)
			}
		})
	}
}

func wantFailed(t *testing.T, s store.Store, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "the disk is broken") {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "must be opened again") {
		t.Errorf("snapshot: %v", err)
	}
	if err := s.Commit(t.Context(), &store.Batch{}); err == nil || !strings.Contains(err.Error(), "must be opened again") {
		t.Errorf("another commit: %v", err)
	}
}

// Nothing that is not yet synced is visible: it could be gone after a crash, when others have acted on it.
func TestUnsyncedIsInvisible(t *testing.T) {
	syncing, goOn := make(chan struct{}), make(chan struct{})
	blocking := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".log") {
			syncing <- struct{}{}
			<-goOn
		}
		return nil
	})}
	s := openStore(t, pebble.Config{Dir: "data", FS: errorfs.Wrap(vfs.NewMem(), blocking), CacheSize: 8 << 20})
	blocking.On()
	committed := make(chan error)
	go func() {
		committed <- s.Commit(t.Context(), first())
	}()
	select {
	case <-syncing:
	case err := <-committed:
		t.Fatalf("the commit has ended without syncing: %v", err)
	}
	before := snapshot(t, s)
	if value, err := before.Get(t.Context(), "k"); value != nil || before.Head().Blocks != 0 || err != nil {
		t.Errorf("while it is synced: %q, %+v, %v", value, before.Head(), err)
	}
	before.Close()
	blocking.Off()
	close(goOn)
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	after := snapshot(t, s)
	defer after.Close()
	if value, err := after.Get(t.Context(), "k"); string(value) != "v" || err != nil {
		t.Errorf("when it is synced: %q, %v", value, err)
	}
}
