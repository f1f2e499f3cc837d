package pebble_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

var (
	crashes = flag.Int("crashes", 30, "how many crashes of the machine to simulate")
	kills   = flag.Int("kills", 150, "how many writing processes to kill, in each test")
	rounds  = flag.Int("rounds", 0, "how many blocks each concurrent submitter commits; 0 is the suite's default")
	seed    = flag.Uint64("seed", 0, "what is chosen at random is chosen by; 0 is a new one each time")
)

func newRandom(t *testing.T) *rand.Rand {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}

// machine is a file system that crashes at one of its operations: the copy that is taken then has what was synced, and
// some of what was not.
type machine struct {
	fs      *vfs.MemFS
	random  *rand.Rand
	acked   atomic.Uint64
	started atomic.Uint64

	mu              sync.Mutex
	left            int // operations before the crash
	crashed         *vfs.MemFS
	atLeast, atMost uint64 // batches that the copy may have
}

func (m *machine) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left == 0 {
		m.crash()
	}
	return nil
}

func (m *machine) String() string { return "crash" }

// crash takes the copy. What was acknowledged before must be in it, what is begun after can't be.
func (m *machine) crash() {
	m.atLeast = m.acked.Load()
	m.crashed = m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: m.random.IntN(101), RNG: m.random})
	m.atMost = m.started.Load()
}

// run opens the store, checks it, and commits until the machine has crashed.
func (m *machine) run(t *testing.T, w work, atLeast, atMost uint64) {
	m.acked.Store(atLeast)
	m.started.Store(atMost)
	s, err := pebble.Open(pebble.Config{Dir: "data", FS: errorfs.Wrap(m.fs, m), CacheSize: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n, err := w.verify(t.Context(), s, atLeast, atMost)
	if err != nil {
		t.Fatal(err)
	}
	for crashed := false; !crashed; n++ {
		m.started.Store(n + 1)
		if err := w.next(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
		m.acked.Store(n + 1)
		m.mu.Lock()
		crashed = m.crashed != nil
		m.mu.Unlock()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// work is what a machine does until it crashes: it commits batches, or blocks, one after the other.
type work interface {
	// verify checks that a store has what so many of them leave, at least and at most, and returns how many.
	verify(ctx context.Context, s store.Store, atLeast, atMost uint64) (n uint64, err error)
	// next commits the one that follows n others.
	next(ctx context.Context, s store.Store, n uint64) error
}

// batches are the work of a store, and a *reference is that of a ledger.
type batches struct{}

func (batches) next(ctx context.Context, s store.Store, n uint64) error { return commitNext(ctx, s, n) }

func (batches) verify(ctx context.Context, s store.Store, atLeast, atMost uint64) (uint64, error) {
	if err := verify(ctx, s, atLeast, atMost); err != nil {
		return 0, err
	}
	snap, err := s.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	return snap.Head().Blocks, nil
}

func TestCrash(t *testing.T) { crash(t, *crashes, func() work { return batches{} }) }

// crash has a machine crash again and again. Every start is from what a crash has left, which may have come while the store
// was created, recovered, or written to.
func crash(t *testing.T, times int, newWork func() work) {
	random := newRandom(t)
	fs, w := vfs.NewCrashableMem(), newWork()
	var atLeast, atMost uint64
	for i := range times {
		if i%10 == 0 { // the first operations of all, those that create a store
			fs, w, atLeast, atMost = vfs.NewCrashableMem(), newWork(), 0, 0
		}
		operations := 1 + random.IntN(40)
		if i%2 == 1 {
			operations = 1 + random.IntN(1000)
		}
		m := &machine{fs: fs, random: random, left: operations}
		m.run(t, w, atLeast, atMost)
		fs, atLeast, atMost = m.crashed, m.atLeast, m.atMost
	}
}

// What names the data folder of a process that is to write until it is killed: batches of a store, or blocks of a ledger.
const (
	storeVar  = "CCPEER_PEBBLE_WRITER"
	ledgerVar = "CCPEER_PEBBLE_COMMITTER"
)

// playWriter opens the store and commits, and writes the number of each batch, or block, that is acknowledged.
func playWriter(dir string, write func(dir string) error) int {
	if err := write(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// F81: a process that is killed at any time has what it acknowledged, and nothing in part.
func TestKill(t *testing.T) {
	kill(t, writer{storeVar, 100 * time.Millisecond}, func() work { return batches{} })
}

// kill kills a writing process at any time: while it opens the store, while it writes, at once or late.
func kill(t *testing.T, child writer, newWork func() work) {
	random := newRandom(t)
	var dir string
	var w work
	var acked uint64
	for i := range *kills {
		if i%10 == 0 {
			dir, w, acked = t.TempDir(), newWork(), 0
		}
		acked = max(acked, child.kill(t, dir, random))
		s, err := pebble.Open(small(dir))
		if err != nil {
			t.Fatal(err)
		}
		// One was perhaps committed but not yet acknowledged.
		if acked, err = w.verify(t.Context(), s, acked, acked+1); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d commits since the last new folder", acked)
}

// writer is a process that writes.
type writer struct {
	variable string
	within   time.Duration // of its start it is killed
}

// kill starts a writer, kills it, and returns the number of the last batch or block that it says was acknowledged.
func (w writer) kill(t *testing.T, dir string, random *rand.Rand) (acked uint64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), w.variable+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	// It says that it begins: when it is killed then is a matter of what it does, not of how fast it starts.
	if line, err := lines.ReadString('\n'); line != "start\n" {
		t.Fatalf("the writer says %q, %v, %s", line, err, stderr.String())
	}
	killed := time.AfterFunc(time.Duration(random.Int64N(int64(w.within))), func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	})
	defer killed.Stop()
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // of a line that is cut the batch was acknowledged too, but nobody was told
			break
		}
		if acked, err = strconv.ParseUint(strings.TrimSpace(line), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 || err.Error() != "signal: killed" {
		t.Fatalf("the writer ends with %v, %s", err, stderr.String())
	}
	return acked
}

// The marker that names a new MANIFEST and the MANIFEST's own entry in the folder may reach the disk in any order, unless
// the folder is synced in between: a crash right after the marker is created must not leave it alone.
func TestCrashAtMarker(t *testing.T) {
	fs, random := vfs.NewCrashableMem(), newRandom(t)
	var created bool
	var copies []*vfs.MemFS
	var mu sync.Mutex // background jobs write too
	inject := errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if created && len(copies) == 0 && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			for range 30 {
				copies = append(copies, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: random}))
			}
		}
		created = created || op.Kind == errorfs.OpCreate && strings.HasPrefix(fs.PathBase(op.Path), "marker.manifest.")
		return nil
	})
	first, err := pebble.Open(pebble.Config{Dir: "data", FS: fs, CacheSize: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := commitNext(t.Context(), first, 0); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := pebble.Open(pebble.Config{Dir: "data", FS: errorfs.Wrap(fs, inject), CacheSize: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if len(copies) == 0 {
		t.Fatal("no marker was created")
	}
	for _, copied := range copies {
		s := openStore(t, pebble.Config{Dir: "data", FS: copied, CacheSize: 8 << 20})
		if err := verify(t.Context(), s, 1, 1); err != nil {
			t.Error(err)
		}
	}
}

// F115: a power failure right after a store is made, below folders that weren't there, and after its first commit. With
// nothing on the disk but what was synced, both are there.
func TestCrashOfNewFolders(t *testing.T) {
	for _, dir := range []string{"data", "a/data", "a/b/c/data", "/var/lib/a/data"} {
		t.Run(dir, func(t *testing.T) {
			fs := vfs.NewCrashableMem()
			s := openStore(t, pebble.Config{Dir: dir, FS: fs, CacheSize: 8 << 20})
			for n := range uint64(2) {
				after := fs.CrashClone(vfs.CrashCloneCfg{})
				if _, err := after.Stat(after.PathJoin(dir, "CCPEER-STORE")); err != nil {
					t.Errorf("after %d commits, the store is not there: %v", n, err)
				}
				again := openStore(t, pebble.Config{Dir: dir, FS: after, CacheSize: 8 << 20})
				if err := verify(t.Context(), again, n, n); err != nil {
					t.Error(err)
				}
				if err := commitNext(t.Context(), s, n); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
