package memory_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/memory"
)

// commit commits writes at the store's present head.
func commit(t testing.TB, s *memory.Store, writes ...store.Write) {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	head := snap.Head()
	if err := s.Commit(t.Context(), &store.Batch{Prev: head, Next: store.Head{Blocks: head.Blocks + 1, Epoch: 1}, Writes: writes}); err != nil {
		t.Fatal(err)
	}
}

// pairs are what a snapshot has.
func pairs(t testing.TB, snap store.Snapshot) map[string]string {
	t.Helper()
	all := map[string]string{}
	it := snap.Scan("", "", store.ScanOptions{})
	defer it.Close()
	for {
		key, value, ok, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all[key] = string(value)
	}
}

func snapshot(t testing.TB, s *memory.Store) store.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func save(t testing.TB, s *memory.Store) memory.State {
	t.Helper()
	st, err := s.Save()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func restore(t testing.TB, s *memory.Store, st memory.State) {
	t.Helper()
	if err := s.Restore(st); err != nil {
		t.Fatal(err)
	}
}

func put(key, value string) store.Write { return store.Write{Key: key, Value: []byte(value)} }

// Two stores are saved, changed and restored in each other, at random. Each always has what its model has.
func TestRestoreRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	type model struct {
		store *memory.Store
		has   map[string]string
	}
	type saved struct {
		state memory.State
		has   map[string]string
	}
	models := []*model{{memory.New(), map[string]string{}}, {memory.New(), map[string]string{}}}
	var states []saved
	for range 2000 {
		m := models[random.IntN(len(models))]
		switch {
		case random.IntN(20) == 0:
			states = append(states, saved{save(t, m.store), maps.Clone(m.has)})
		case random.IntN(20) == 0 && len(states) > 0:
			s := states[random.IntN(len(states))]
			restore(t, m.store, s.state)
			m.has = maps.Clone(s.has)
		case random.IntN(3) == 0:
			key := fmt.Sprint(random.IntN(500))
			commit(t, m.store, store.Write{Key: key})
			delete(m.has, key)
		default:
			key, value := fmt.Sprint(random.IntN(500)), fmt.Sprint(random.Int())
			commit(t, m.store, put(key, value))
			m.has[key] = value
		}
	}
	for i, m := range models {
		if got := pairs(t, snapshot(t, m.store)); !maps.Equal(got, m.has) {
			t.Errorf("store %d has %v, want %v", i, got, m.has)
		}
	}
	for i, s := range states {
		restore(t, models[0].store, s.state)
		if got := pairs(t, snapshot(t, models[0].store)); !maps.Equal(got, s.has) {
			t.Errorf("state %d has %v, want %v", i, got, s.has)
		}
	}
}

// An open snapshot doesn't change, and a batch from before Restore isn't applied, although as many batches were committed.
func TestRestoreMovesHead(t *testing.T) {
	s := memory.New()
	commit(t, s, put("a", "1"))
	st := save(t, s)
	commit(t, s, put("a", "2"))
	open := snapshot(t, s)
	restore(t, s, st)
	commit(t, s, put("b", "1"))
	if got := pairs(t, open); !maps.Equal(got, map[string]string{"a": "2"}) {
		t.Errorf("the open snapshot has %v", got)
	}
	late := &store.Batch{Prev: open.Head(), Next: store.Head{Blocks: open.Head().Blocks + 1}, Writes: []store.Write{put("c", "1")}}
	if err := s.Commit(t.Context(), late); !errors.Is(err, store.ErrHeadMoved) {
		t.Errorf("a batch from before Restore: %v", err)
	}
	if got := pairs(t, snapshot(t, s)); !maps.Equal(got, map[string]string{"a": "1", "b": "1"}) {
		t.Errorf("the store has %v", got)
	}
}

func TestRestoreRefuses(t *testing.T) {
	s := memory.New()
	st := save(t, s)
	if err := s.Restore(memory.State{}); err == nil || err.Error() != "restore a state: it was not made by Save" {
		t.Errorf("a zero State: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Save of a closed store: %v", err)
	}
	if err := s.Restore(st); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Restore of a closed store: %v", err)
	}
}

// Many stores may restore the same State at once, while it is read.
func TestRestoreConcurrently(t *testing.T) {
	origin := memory.New()
	commit(t, origin, put("a", "1"), put("b", "1"))
	st := save(t, origin)
	var done sync.WaitGroup
	for i := range 8 {
		done.Go(func() {
			fork := memory.New()
			for n := range 50 {
				if err := fork.Restore(st); err != nil {
					t.Error(err)
					return
				}
				commit(t, fork, put("a", fmt.Sprint(i, n)))
				want := map[string]string{"a": fmt.Sprint(i, n), "b": "1"}
				if got := pairs(t, snapshot(t, fork)); !maps.Equal(got, want) {
					t.Errorf("fork has %v, want %v", got, want)
				}
			}
		})
	}
	done.Wait()
	if got := pairs(t, snapshot(t, origin)); !maps.Equal(got, map[string]string{"a": "1", "b": "1"}) {
		t.Errorf("the origin has %v", got)
	}
}

// A ledger that is open goes on after a Restore: its height, state and transaction IDs are those of before, and a transaction
// that has read what isn't there any more is invalid.
func TestRestoreUnderLedger(t *testing.T) {
	s := memory.New()
	l, err := kvledger.NewProvider(s).Open(t.Context(), "mychannel")
	if err != nil {
		t.Fatal(err)
	}
	simulate := func(txID, value string) kvledger.Transaction {
		sim, err := l.NewSimulator(t.Context(), txID)
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Done()
		if _, err := sim.GetState(t.Context(), "cc", "k"); err != nil {
			t.Fatal(err)
		}
		if err := sim.SetState(t.Context(), "cc", "k", []byte(value)); err != nil {
			t.Fatal(err)
		}
		tx, err := kvledger.TransactionOf(t.Context(), sim, txID, time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	var codes []kvledger.ValidationCode
	commit := func(tx kvledger.Transaction) {
		code, err := l.CommitTx(t.Context(), tx)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, code)
	}
	if err := l.Define(t.Context(), "cc", kvledger.Definition{}); err != nil {
		t.Fatal(err)
	}
	commit(simulate("tx1", "1"))
	st := save(t, s)
	if err := l.Define(t.Context(), "other", kvledger.Definition{}); err != nil {
		t.Fatal(err)
	}
	commit(simulate("tx2", "2"))
	late := simulate("tx3", "3")
	restore(t, s, st)
	commit(late)
	commit(simulate("tx2", "4"))
	if want := []kvledger.ValidationCode{0, 0, kvledger.MVCCReadConflict, 0}; !slices.Equal(codes, want) {
		t.Errorf("codes are %v, want %v", codes, want)
	}
	height, err := l.Height(t.Context())
	if err != nil || height != 3 {
		t.Errorf("height is %d, %v", height, err)
	}
	if d, err := l.Definition(t.Context(), "other"); d != nil || err != nil {
		t.Errorf("a definition of after Save: %v, %v", d, err)
	}
	if state, err := l.KeyState(t.Context(), "cc", "k"); err != nil || string(state.Value) != "4" {
		t.Errorf("k is %v, %v", state, err)
	}
}

// A ledger notes whether there is any metadata, to save look-ups. It must see metadata that is written at a height where it had seen
// none before.
func TestRestoreAndMetadata(t *testing.T) {
	s := memory.New()
	l, err := kvledger.NewProvider(s).Open(t.Context(), "mychannel")
	if err != nil {
		t.Fatal(err)
	}
	commit := func(txID string, metadata map[string][]byte) {
		sim, err := l.NewSimulator(t.Context(), txID)
		if err != nil {
			t.Fatal(err)
		}
		defer sim.Done()
		if err := sim.SetState(t.Context(), "cc", "k", []byte("v")); err != nil {
			t.Fatal(err)
		}
		if metadata != nil {
			if err := sim.(ledger.MetadataState).SetStateMetadata(t.Context(), "cc", "k", metadata); err != nil {
				t.Fatal(err)
			}
		}
		tx, err := kvledger.TransactionOf(t.Context(), sim, txID, time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if code, err := l.CommitTx(t.Context(), tx); code != kvledger.Valid || err != nil {
			t.Fatal(code, err)
		}
	}
	commit("tx1", nil)
	st := save(t, s)
	for _, txID := range []string{"tx2", "tx3", "tx4"} {
		commit(txID, nil)
	}
	restore(t, s, st)
	commit("tx5", map[string][]byte{"name": []byte("value")})
	if m, err := l.KeyMetadata(t.Context(), "cc", "k"); string(m["name"]) != "value" || err != nil {
		t.Errorf("metadata is %v, %v", m, err)
	}
}

// BenchmarkRestore saves a store of 100,000 keys, writes one key, and goes back.
func BenchmarkRestore(b *testing.B) {
	s := memory.New()
	writes := make([]store.Write, 100_000)
	for i := range writes {
		writes[i] = put(fmt.Sprintf("%08d", i), "value")
	}
	commit(b, s, writes...)
	for b.Loop() {
		st := save(b, s)
		commit(b, s, put("00000007", "other"))
		restore(b, s, st)
	}
}
