package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger"
	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

// small servers are started by some tests. Nothing that durability depends on differs from the default.
var small = []string{"shared_buffers=16MB", "max_connections=40", "wal_retrieve_retry_interval=100ms"}

func start(t *testing.T, cfg postgrestest.Config) *postgrestest.Server {
	t.Helper()
	s, err := postgrestest.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// startPair starts a primary and its synchronous standby.
func startPair(t *testing.T) (first, standby *postgrestest.Server) {
	t.Helper()
	first = start(t, postgrestest.Config{Settings: append([]string{"synchronous_standby_names=*"}, small...)})
	return first, start(t, postgrestest.Config{Settings: small, Primary: first})
}

// The primary is lost while several commit, and its standby takes over.
func TestFailover(t *testing.T) {
	first, standby := startPair(t)
	rideOut(t, postgres.Config{URL: first.URL(standby)}, func() {
		// What is being committed when the primary is lost is there, but not on the standby.
		receiver := pauseReceiver(t, standby)
		await(t, connect(t, first), "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		first.Crash()
		if err := syscall.Kill(receiver, syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		execute(t, connect(t, standby), "SELECT pg_promote()")
	})
}

// A server without standby crashes while several commit, and recovers.
func TestCrash(t *testing.T) {
	s := start(t, postgrestest.Config{Settings: small})
	rideOut(t, postgres.Config{URL: s.URL()}, func() {
		s.Crash()
		if err := s.Restart(); err != nil {
			t.Error(err)
		}
	})
}

// rideOut has several commit, each with a store of its own, while something happens to the server. Nothing that was
// acknowledged is lost, nothing is there twice, and those who commit just go on.
func rideOut(t *testing.T, cfg postgres.Config, happen func()) {
	t.Helper()
	w := make([]*writer, 4)
	var wg sync.WaitGroup
	happened := make(chan struct{})
	for i := range w {
		w[i] = &writer{name: fmt.Sprint(i), ledger: kvledgertest.OpenLedger(t, openStore(t, cfg), "mychannel"), before: make(chan struct{})}
		wg.Go(func() { w[i].run(t, happened) })
	}
	for i := range w {
		<-w[i].before
	}
	happen()
	close(happened)
	wg.Wait()

	l := kvledgertest.OpenLedger(t, openStore(t, cfg), "mychannel")
	sim, err := kvledgertest.Simulate(t.Context(), l, "read")
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Done()
	total := 0
	for i := range w {
		total += w[i].acknowledged
		value, err := sim.GetState(t.Context(), "asset", w[i].name)
		if err != nil || string(value) != fmt.Sprint(w[i].acknowledged) {
			t.Errorf("writer %d: %q is there, %v, %d was acknowledged", i, value, err, w[i].acknowledged)
		}
		for n := range w[i].acknowledged {
			key := fmt.Sprintf("%d.%d", i, n+1)
			if value, err := sim.GetState(t.Context(), "asset", key); err != nil || string(value) != "v" {
				t.Errorf("%s is %q, %v", key, value, err)
			}
		}
	}
	if height, err := l.Height(t.Context()); err != nil || height != uint64(total) {
		t.Errorf("there are %d blocks, %v, %d were acknowledged", height, err, total)
	}
}

// pauseReceiver stops the process by which a standby follows its primary, and returns its ID.
func pauseReceiver(t *testing.T, standby *postgrestest.Server) (pid int) {
	t.Helper()
	if err := connect(t, standby).QueryRow(t.Context(), "SELECT pid FROM pg_stat_wal_receiver").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return pid
}

// writer commits blocks that count.
type writer struct {
	name         string
	ledger       *kvledger.Ledger
	acknowledged int
	before       chan struct{} // closed after some blocks
}

// run commits until some blocks after what happens. No commit may fail: the store rides it out.
func (w *writer) run(t *testing.T, happened <-chan struct{}) {
	const some = 20
	for left := some; left > 0; {
		if err := w.next(t.Context()); err != nil {
			t.Errorf("writer %s, after %d: %v", w.name, w.acknowledged, err)
			if w.acknowledged < some {
				close(w.before)
			}
			return
		}
		if w.acknowledged++; w.acknowledged == some {
			close(w.before)
		}
		select {
		case <-happened:
			left--
		default:
		}
	}
}

// next commits the next block. Taking a snapshot, and reading from it, may fail in between; a commit may not.
func (w *writer) next(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	txID := fmt.Sprintf("%s.%d", w.name, w.acknowledged+1)
	results, err := w.simulate(ctx, txID)
	for err != nil && ctx.Err() == nil {
		results, err = w.simulate(ctx, txID)
	}
	if err != nil {
		return err
	}
	for {
		code, err := w.ledger.CommitTx(ctx, kvledger.Transaction{TxID: txID, RWSet: results.RWSet})
		switch {
		case err == nil && code != kvledger.Valid:
			return errors.Errorf("%s is %v", txID, code)
		case err == nil || ctx.Err() != nil || strings.Contains(err.Error(), "commit block"):
			return err
		}
	}
}

func (w *writer) simulate(ctx context.Context, txID string) (*kvledger.Results, error) {
	sim, err := kvledgertest.Simulate(ctx, w.ledger, txID)
	if err != nil {
		return nil, err
	}
	defer sim.Done()
	value, err := sim.GetState(ctx, "asset", w.name)
	if err != nil {
		return nil, err
	}
	if n := fmt.Sprint(w.acknowledged); string(value) != n && w.acknowledged > 0 {
		return nil, errors.Errorf("state is %q, not %s", value, n)
	}
	for key, value := range map[string]string{w.name: fmt.Sprint(w.acknowledged + 1), txID: "v"} {
		if err := sim.SetState(ctx, "asset", key, []byte(value)); err != nil {
			return nil, err
		}
	}
	return sim.Results(ctx)
}

// A commit is not acknowledged before the standby has it, even where the primary stops waiting for it, and then nobody
// sees it either.
func TestNoAcknowledgementWithoutStandby(t *testing.T) {
	first, standby := startPair(t)
	cfg := postgres.Config{URL: first.URL() + " application_name=store"}
	hasty := cfg
	hasty.Timeout = 300 * time.Millisecond
	s, short := openStore(t, cfg), openStore(t, hasty)
	conn := connect(t, first)
	commit(t, s, batch(1, "k", "1"))
	n := uint64(1)
	for _, interrupt := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		standby.Shutdown()
		n++
		done := make(chan error, 1)
		go func() { done <- s.Commit(t.Context(), batch(n, "k", fmt.Sprint(n))) }()
		for range 2 { // the second time it is the question what has become of it that waits
			await(t, conn, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
			execute(t, conn, "SELECT "+interrupt+"(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		}
		await(t, conn, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		select {
		case err := <-done:
			t.Fatalf("%s: the commit is acknowledged without standby: %v", interrupt, err)
		default:
		}
		if err := standby.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", interrupt, err)
		}
		wantState(t, s, n, "k", fmt.Sprint(n))
	}

	standby.Shutdown()
	if err := short.Commit(t.Context(), batch(4, "k", "4")); err == nil || errors.Is(err, store.ErrHeadMoved) {
		t.Errorf("commit without standby: %v, want another error", err)
	}
	if snap, err := short.Snapshot(t.Context()); err == nil {
		t.Errorf("a snapshot shows head %+v", snap.Head())
		snap.Close()
	}
	if err := standby.Restart(); err != nil {
		t.Fatal(err)
	}
	wantState(t, short, 4, "k", "4")
}
