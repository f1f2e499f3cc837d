package linear_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/linear"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/etcd/etcdtest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

var (
	rounds = flag.Int("rounds", 4, "how many histories to record for each engine and number of providers")
	seed   = flag.Uint64("seed", 0, "what clients choose by; 0 is a new one each time")
)

func TestMain(m *testing.M) {
	etcdtest.Main() // does not return in a node of a cluster
	goleak.VerifyTestMain(m)
}

const (
	clients = 6
	// each is how many transactions a client has in a history. The search for an order gets harder with it.
	each    = 40
	timeout = time.Minute
)

// F80: what concurrent clients see could have happened one after the other.
func TestLinearizable(t *testing.T) {
	for _, engine := range engines {
		for providers := 1; providers <= 2; providers++ {
			t.Run(fmt.Sprintf("%s/%d", engine.name, providers), func(t *testing.T) {
				first := newSeed()
				stores := engine.open(t, providers)
				codes := map[kvledger.ValidationCode]int{}
				for round := range *rounds {
					history := record(t, stores, fmt.Sprint("channel", round), first+uint64(round))
					wantLinearizable(t, history, first)
					for code, n := range linear.Codes(history) {
						codes[code] += n
					}
				}
				t.Logf("codes: %v", codes)
				for _, code := range []kvledger.ValidationCode{kvledger.Valid, kvledger.MVCCReadConflict, kvledger.PhantomReadConflict} {
					if codes[code] == 0 {
						t.Errorf("no transaction is %v: the test tests too little (-seed %d)", code, first)
					}
				}
			})
		}
	}
}

func newSeed() uint64 {
	if *seed != 0 {
		return *seed
	}
	return rand.Uint64()
}

// record has clients work on an empty channel, by a provider for each store.
func record(t *testing.T, stores []store.Store, channelID string, seed uint64) []porcupine.Operation {
	t.Helper()
	load := linear.Load{Clients: clients, Transactions: each, Seed: seed}
	for _, s := range stores {
		l, err := kvledger.NewProvider(s).Open(t.Context(), channelID)
		if err != nil {
			t.Fatal(err)
		}
		load.Ledgers = append(load.Ledgers, l)
	}
	history, err := load.Run(t.Context())
	if err != nil {
		t.Fatalf("-seed %d: %v", seed, err)
	}
	return history
}

func wantLinearizable(t *testing.T, history []porcupine.Operation, seed uint64) {
	t.Helper()
	result, info := linear.Check(history, timeout)
	if result == porcupine.Ok {
		return
	}
	t.Errorf("the history is not linearizable (%s), with -seed %d: see %s", result, seed, visualize(t, info))
}

// visualize returns the name of a file that is left for people to look at.
func visualize(t *testing.T, info porcupine.LinearizationInfo) string {
	t.Helper()
	file, err := os.CreateTemp("", "linear*.html")
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if err := linear.Visualize(info, file.Name()); err != nil {
		t.Error(err)
	}
	return file.Name()
}

// Ledgers on stores that are not what they should be have histories that nothing explains.
func TestRejected(t *testing.T) {
	for name, wrap := range map[string]func(store.Store) store.Store{
		"snapshots are old":            func(s store.Store) store.Store { return &oldSnapshots{Store: s} },
		"commits on any head":          func(s store.Store) store.Store { return &anyHead{s} },
		"snapshots show later commits": func(s store.Store) store.Store { return &lateReads{Store: s} },
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 { // it may take some until the clients are at the right place at the right time
				s := wrap(memory.New())
				history := record(t, []store.Store{s, s}, "channel", newSeed())
				result, info := linear.Check(history, timeout)
				if result == porcupine.Illegal {
					wantVisualized(t, info)
					return
				}
			}
			t.Error("its histories are linearizable")
		})
	}
}

func wantVisualized(t *testing.T, info porcupine.LinearizationInfo) {
	t.Helper()
	name := visualize(t, info)
	page, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(page), "simulate transfer(") {
		t.Errorf("the visualization has %d bytes, %v", len(page), err)
	}
	if err := os.Remove(name); err != nil {
		t.Error(err)
	}
}

// oldSnapshots gives every fifth time the snapshot that it gave a while ago.
type oldSnapshots struct {
	store.Store
	mu   sync.Mutex
	n    int
	kept store.Snapshot
}

func (s *oldSnapshots) Snapshot(ctx context.Context) (store.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n++; s.n%5 == 4 && s.kept != nil {
		return s.kept, nil
	}
	snap, err := s.Store.Snapshot(ctx)
	if s.n%20 == 0 {
		s.kept = snap // in memory, it may be used after Close
	}
	return snap, err
}

// anyHead commits whatever the head is.
type anyHead struct{ store.Store }

func (s *anyHead) Commit(ctx context.Context, b *store.Batch) error {
	runtime.Gosched() // for others to commit
	for {
		snap, err := s.Snapshot(ctx)
		if err != nil {
			return err
		}
		b.Prev = snap.Head()
		if err := s.Store.Commit(ctx, b); !errors.Is(err, store.ErrHeadMoved) {
			return err
		}
	}
}

// lateReads has snapshots that read keys from what is committed when they are asked.
type lateReads struct{ store.Store }

func (s *lateReads) Snapshot(ctx context.Context) (store.Snapshot, error) {
	snap, err := s.Store.Snapshot(ctx)
	return &lateSnapshot{snap, s.Store}, err
}

type lateSnapshot struct {
	store.Snapshot
	store store.Store
}

func (s *lateSnapshot) Get(ctx context.Context, key string) ([]byte, error) {
	runtime.Gosched() // for others to commit
	now, err := s.store.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return now.Get(ctx, key)
}
