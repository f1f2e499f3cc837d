package postgres_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/kvledgertest"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, config()) })
}

var (
	rounds = flag.Int("rounds", 0, "how many blocks each concurrent submitter commits; 0 is the suite's default")
	seed   = flag.Uint64("seed", 0, "what submitters choose by; 0 is a new one each time")
)

func TestLedger(t *testing.T) {
	open := func(t *testing.T) store.Store { return openStore(t, config()) }
	kvledgertest.Config{Open: open, Rounds: *rounds, Seed: *seed}.Run(t)
}

// What was committed is there when the store is opened again, under any name that a table can have.
func TestReopen(t *testing.T) {
	conn := connect(t, primary)
	execute(t, conn, `DROP SCHEMA IF EXISTS "Other ""Schema""" CASCADE; CREATE SCHEMA "Other ""Schema"""`)
	cfg := postgres.Config{URL: primary.URL(), Schema: `Other "Schema"`, Table: `Table "'` + strings.Repeat("x", 50)}
	for n := range uint64(3) {
		s := open(t, cfg)
		commit(t, s, batch(n+1, "k", fmt.Sprint(n)))
		wantState(t, s, n+1, "k", fmt.Sprint(n))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConfig(t *testing.T) {
	for want, cfg := range map[string]postgres.Config{
		"Config.URL is required":                  {},
		"Config.Table has 59 bytes, more than 58": {URL: "x", Table: strings.Repeat("x", 59)},
		"Config.MaxConns is 2, less than 3":       {URL: "x", MaxConns: 2},
		"Config.Timeout is -1ns, less than 0":     {URL: "x", Timeout: -1},
		"parse Config.URL":                        {URL: "postgres://localhost:port"},
		"open store in table ccpeer_ledger":       {URL: "host=/nowhere user=tester"},
		`schema "none" does not exist`:            {URL: primary.URL(), Schema: "none"},
		"has no current schema, Config.Schema":    {URL: primary.URL() + " search_path=none"},
		"cannot execute UPDATE in a read-only":    {URL: readOnly(t)},
		`database "nothing" does not exist`:       {URL: strings.Replace(primary.URL(), "=postgres", "=nothing", 1)},
	} {
		s, err := postgres.Open(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", cfg, err, want)
		}
		if err == nil {
			_ = s.Close()
		}
	}
}

// readOnly returns the URL of a store that can't be written to.
func readOnly(t *testing.T) string {
	openStore(t, postgres.Config{URL: primary.URL()})
	return primary.ReadURL() + " default_transaction_read_only=on"
}

// Tables that are not a store's stay as they are.
func TestForeign(t *testing.T) {
	conn := connect(t, primary)
	for _, test := range []struct {
		name string
		sql  string // %s is the table
		want error
	}{
		{"table", "CREATE TABLE %[1]s (id bigint PRIMARY KEY, k bytea)", postgres.ErrForeign},
		{"no head", "CREATE TABLE %[1]s (k bytea, v bytea)", postgres.ErrForeign},
		{"no table", "CREATE TABLE %[1]s_head (one boolean, format integer, blocks bigint, epoch bigint, recent bigint[])", postgres.ErrForeign},
		{"head", "CREATE TABLE %[1]s (k bytea, v bytea); CREATE TABLE %[1]s_head (format integer)", postgres.ErrForeign},
		{"head without row", "CREATE TABLE %[1]s (k bytea, v bytea); CREATE TABLE %[1]s_head (one boolean, format integer, blocks bigint, epoch bigint, recent bigint[])", postgres.ErrForeign},
		{"other head of this format", "CREATE TABLE %[1]s (k bytea, v bytea); CREATE TABLE %[1]s_head (one boolean, format integer, x text); INSERT INTO %[1]s_head VALUES (true, 1)", postgres.ErrForeign},
		{"format", "CREATE TABLE %[1]s (k bytea, v bytea); CREATE TABLE %[1]s_head (one boolean, format integer, x text); INSERT INTO %[1]s_head VALUES (true, 2)", postgres.ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config()
			execute(t, conn, fmt.Sprintf(test.sql, cfg.Table))
			look := func() (all string) {
				// xmin of the catalogue's rows changes with any change of a table
				sql := `SELECT string_agg(relname || xmin || relfilenode || pg_relation_size(oid), ',' ORDER BY relname) FROM pg_class WHERE relname LIKE $1`
				if err := conn.QueryRow(t.Context(), sql, cfg.Table+"%").Scan(&all); err != nil {
					t.Fatal(err)
				}
				return all
			}
			before := look()
			s, err := postgres.Open(t.Context(), cfg)
			if !errors.Is(err, test.want) {
				t.Errorf("open: %v, want %v", err, test.want)
			}
			if err == nil {
				_ = s.Close()
			}
			if after := look(); after != before {
				t.Errorf("the tables were %s, and are %s", before, after)
			}
		})
	}
}

func TestCreateTogether(t *testing.T) {
	for range 20 { // the moment in which one table is seen without the other is short
		cfg := config()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := postgres.Open(t.Context(), cfg)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// Two stores on the same tables, as two processes have them, see each other's commits at once.
func TestTwoStores(t *testing.T) {
	cfg := config()
	one, two := openStore(t, cfg), openStore(t, cfg)
	old := snapshot(t, one) // so that one has a view that it might take for the current one
	for n := uint64(1); n < 20; n += 2 {
		commit(t, one, batch(n, "k", fmt.Sprint(n)))
		wantState(t, two, n, "k", fmt.Sprint(n))
		if err := one.Commit(t.Context(), batch(n, "k", "late")); !errors.Is(err, store.ErrHeadMoved) {
			t.Errorf("commit on an old head: %v", err)
		}
		commit(t, two, batch(n+1, "k", fmt.Sprint(n+1)))
		wantState(t, one, n+1, "k", fmt.Sprint(n+1))
	}
	if value, err := old.Get(t.Context(), "k"); value != nil || err != nil {
		t.Errorf("the oldest snapshot has %q, %v", value, err)
	}
}

// Pages also end by the size of what they have.
func TestScanLargeValues(t *testing.T) {
	s := openStore(t, config())
	b := &store.Batch{Next: store.Head{Blocks: 1}}
	want := map[string][]byte{}
	for i := range 12 {
		key, value := fmt.Sprint(10+i), bytes.Repeat([]byte{byte(i)}, i<<20)
		want[key] = value
		b.Writes = append(b.Writes, store.Write{Key: key, Value: value})
	}
	want["10"] = []byte{}
	b.Writes[0].Value = []byte{}
	commit(t, s, b)
	snap := snapshot(t, s)
	for _, o := range []store.ScanOptions{{}, {Reverse: true}, {Fetch: 3}, {KeysOnly: true, Reverse: true, Fetch: 5}} {
		it := snap.Scan("", "", o)
		for i := range 12 {
			at := i
			if o.Reverse {
				at = 11 - i
			}
			key, value, ok, err := it.Next(t.Context())
			if err != nil || !ok || key != fmt.Sprint(10+at) || (!o.KeysOnly && (value == nil || !bytes.Equal(value, want[key]))) {
				t.Fatalf("%+v: pair %d is %q with %d bytes, %v, %v", o, i, key, len(value), ok, err)
			}
		}
		if _, _, ok, err := it.Next(t.Context()); ok || err != nil {
			t.Errorf("%+v: the end is %v, %v", o, ok, err)
		}
		it.Close()
	}
}

// The empty key is a key, also where a range is read backwards and a page ends with it.
func TestEmptyKey(t *testing.T) {
	s := openStore(t, config())
	commit(t, s, &store.Batch{Next: store.Head{Blocks: 1}, Writes: []store.Write{{Key: "", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}})
	snap := snapshot(t, s)
	for _, o := range []store.ScanOptions{{Fetch: 1}, {Fetch: 2}, {Fetch: 1, Reverse: true}, {Fetch: 2, Reverse: true}} {
		it := snap.Scan("", "", o)
		n := 0
		for _, _, ok, err := it.Next(t.Context()); ok || err != nil; _, _, ok, err = it.Next(t.Context()) {
			if n++; err != nil || n > 2 {
				t.Fatalf("%+v: pair %d, %v", o, n, err)
			}
		}
		if n != 2 {
			t.Errorf("%+v: %d pairs", o, n)
		}
		it.Close()
	}
	values, err := snap.GetMany(t.Context(), []string{"a", "", "a", "b"})
	if err != nil || fmt.Sprintf("%q", values) != `["2" "1" "2" ""]` || values[3] != nil {
		t.Errorf("values are %q, %v", values, err)
	}
}

func TestTooLarge(t *testing.T) {
	s := openStore(t, config())
	value := make([]byte, 32<<20)
	b := &store.Batch{Next: store.Head{Blocks: 1}}
	for i := range 16 {
		b.Writes = append(b.Writes, store.Write{Key: fmt.Sprint(i), Value: value})
	}
	if err := s.Commit(t.Context(), b); err == nil || !strings.Contains(err.Error(), "at most 536870912 are possible") {
		t.Errorf("commit: %v", err)
	}
	wantState(t, s, 0, "0", "")
}

// Any number of snapshots may be open on one head, and as many heads as there are connections for.
func TestMaxConns(t *testing.T) {
	cfg := config()
	cfg.MaxConns = 4
	s := openStore(t, cfg)
	var all []store.Snapshot
	for n := range uint64(2) {
		for range 50 {
			all = append(all, snapshot(t, s))
		}
		commit(t, s, batch(n+1, "k", fmt.Sprint(n)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := s.Snapshot(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "snapshots are open on 2 heads, Config.MaxConns allows no more") {
		t.Errorf("a snapshot on a third head: %v", err)
	}
	commit(t, s, batch(3, "k", "3")) // doesn't need the snapshots' connections
	got := make(chan error)
	go func() {
		snap, err := s.Snapshot(t.Context())
		if err == nil {
			if snap.Head().Blocks != 3 {
				err = errors.Errorf("head is %+v", snap.Head())
			}
			snap.Close()
		}
		got <- err
	}()
	for i, snap := range all {
		value, err := snap.Get(t.Context(), "k")
		if want := []string{"", "0"}[i/50]; string(value) != want || err != nil {
			t.Errorf("snapshot %d has %q, %v, want %q", i, value, err, want)
		}
	}
	for _, snap := range all[:50] {
		snap.Close()
		snap.Close()
	}
	if err := <-got; err != nil {
		t.Errorf("the snapshot that waited: %v", err)
	}
	if _, err := all[0].Get(t.Context(), "k"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
}

func TestTimeout(t *testing.T) {
	cfg := config()
	cfg.MaxConns, cfg.Timeout = 3, 50*time.Millisecond
	s := openStore(t, cfg)
	snapshot(t, s)
	commit(t, s, batch(1, "k", "1"))
	if _, err := s.Snapshot(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Config.MaxConns") {
		t.Errorf("snapshot: %v", err)
	}
}

// Who stops waiting for a read doesn't spoil it for the others on the same view.
func TestCancelledRead(t *testing.T) {
	cfg := config()
	s := openStore(t, cfg)
	commit(t, s, batch(1, "k", "v"))
	one, two := snapshot(t, s), snapshot(t, s)
	conn := connect(t, primary)
	execute(t, conn, "BEGIN")
	execute(t, conn, fmt.Sprintf("LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", cfg.Table))
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 2)
	go func() {
		_, err := one.Get(ctx, "k")
		got <- err
	}()
	await(t, conn, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = to_regclass($1)", cfg.Table)
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("the read that was cancelled: %v", err)
	}
	one.Close()
	go func() {
		value, err := two.Get(t.Context(), "k")
		if err == nil && string(value) != "v" {
			err = errors.Errorf("value is %q", value)
		}
		got <- err
	}()
	execute(t, conn, "ROLLBACK")
	if err := <-got; err != nil {
		t.Errorf("the other read: %v", err)
	}
}

// Snapshots should be closed before the store. Where they are not, nothing crashes.
func TestCloseBeforeSnapshots(t *testing.T) {
	s := open(t, config())
	commit(t, s, batch(1, "k", "v"))
	snap := snapshot(t, s)
	it := snap.Scan("", "", store.ScanOptions{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if _, _, _, err := it.Next(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
	snap.Close()
}
