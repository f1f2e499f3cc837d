package postgres_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

// primary is the server that most tests share, each with tables of its own.
var primary *postgrestest.Server

func TestMain(m *testing.M) {
	var err error
	primary, err = postgrestest.Start(postgrestest.Config{Settings: []string{"shared_buffers=256MB", "max_connections=200"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goroutine := goleak.IgnoreCurrent() // the one that waits for the server
	goleak.VerifyTestMain(m, goroutine, goleak.Cleanup(func(code int) {
		primary.Stop()
		os.Exit(code)
	}))
}

var tables atomic.Int64

// config is that of an empty store on the shared server.
func config() postgres.Config {
	return postgres.Config{URL: primary.URL(), Table: fmt.Sprintf("store%d", tables.Add(1))}
}

func open(t testing.TB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openStore opens a store that is closed at the end.
func openStore(t testing.TB, cfg postgres.Config) *postgres.Store {
	t.Helper()
	s := open(t, cfg)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func snapshot(t testing.TB, s store.Store) store.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snap.Close)
	return snap
}

// batch writes one pair to the n-th head of writer 7.
func batch(n uint64, key, value string) *store.Batch {
	b := &store.Batch{Next: store.Head{Blocks: n, Epoch: 7}, Writes: []store.Write{{Key: key, Value: []byte(value)}}}
	if n > 1 {
		b.Prev = store.Head{Blocks: n - 1, Epoch: 7}
	}
	return b
}

func commit(t testing.TB, s store.Store, b *store.Batch) {
	t.Helper()
	if err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// wantState looks at a new snapshot.
func wantState(t testing.TB, s store.Store, blocks uint64, key, value string) {
	t.Helper()
	snap := snapshot(t, s)
	got, err := snap.Get(t.Context(), key)
	if snap.Head().Blocks != blocks || string(got) != value || err != nil {
		t.Errorf("at head %d, %q is %q, %v, want %d, %q", snap.Head().Blocks, key, got, err, blocks, value)
	}
	snap.Close()
}

// connect is for what an administrator would do.
func connect(t testing.TB, s *postgrestest.Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.ReadURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close(context.Background()) // the server may have been stopped
	})
	return conn
}

func execute(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// await polls until a query that returns a boolean returns true.
func await(t testing.TB, conn *pgx.Conn, query string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for yes := false; !yes; {
		if err := conn.QueryRow(ctx, query, args...).Scan(&yes); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}
