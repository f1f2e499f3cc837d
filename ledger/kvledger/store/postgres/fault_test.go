package postgres_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

// kill ends every connection with the application's name.
const kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"

// Connections that were lost while nothing was under way are noticed by open snapshots only.
func TestLostConnections(t *testing.T) {
	cfg := config()
	cfg.URL += " application_name=" + cfg.Table
	s := openStore(t, cfg)
	conn := connect(t, primary)
	var several []store.Snapshot
	for n := range uint64(5) {
		several = append(several, snapshot(t, s))
		commit(t, s, batch(n+1, "k", fmt.Sprint(n)))
	}
	for _, snap := range several {
		snap.Close() // but the connections stay in the pool
	}
	execute(t, conn, kill, cfg.Table)
	wantState(t, s, 5, "k", "4")
	for n := uint64(5); n < 8; n++ {
		commit(t, s, batch(n+1, "k", fmt.Sprint(n)))
		snap := snapshot(t, s)
		execute(t, conn, kill, cfg.Table)
		if _, err := snap.Get(t.Context(), "k"); err == nil {
			t.Error("a read on a lost connection has a result")
		}
		if _, err := snap.Get(t.Context(), "k"); err == nil {
			t.Error("and a second one")
		}
		wantState(t, s, n+1, "k", fmt.Sprint(n))
		snap.Close()
		execute(t, conn, kill, cfg.Table)
		wantState(t, s, n+1, "k", fmt.Sprint(n))
		execute(t, conn, kill, cfg.Table)
	}
}

// A commit whose connection is lost before it was applied is tried again.
func TestLostBeforeCommit(t *testing.T) {
	cfg := config()
	cfg.URL += " application_name=" + cfg.Table
	s := openStore(t, cfg)
	commit(t, s, batch(1, "k", "1"))
	conn, holder := connect(t, primary), connect(t, primary)
	execute(t, holder, "BEGIN")
	execute(t, holder, fmt.Sprintf("SELECT 1 FROM %s_head FOR UPDATE", cfg.Table))
	done := make(chan error)
	go func() { done <- s.Commit(t.Context(), batch(2, "k", "2")) }()
	for range 3 {
		await(t, conn, "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'", cfg.Table)
		execute(t, conn, kill, cfg.Table)
	}
	execute(t, holder, "ROLLBACK")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantState(t, s, 2, "k", "2")
}

// A serialization failure is an occasion to try again, where the database's settings lead to some.
func TestSerializationFailure(t *testing.T) {
	cfg := config()
	cfg.URL += " default_transaction_isolation=serializable"
	one, two := openStore(t, cfg), openStore(t, cfg)
	var wg sync.WaitGroup
	var total atomic.Int64
	for w, s := range []store.Store{one, two, one, two} {
		wg.Go(func() {
			for range 25 {
				n, err := add(t, s, uint64(w)+1)
				if err != nil {
					t.Error(err)
					return
				}
				total.Add(n)
			}
		})
	}
	wg.Wait()
	wantState(t, one, 100, "n", fmt.Sprint(total.Load()))
}

// add adds 1 to a number, until nobody else is faster.
func add(t *testing.T, s store.Store, epoch uint64) (int64, error) {
	for {
		snap, err := s.Snapshot(t.Context())
		if err != nil {
			return 0, err
		}
		value, err := snap.Get(t.Context(), "n")
		head := snap.Head()
		snap.Close()
		if err != nil {
			return 0, err
		}
		var n int
		_, _ = fmt.Sscan(string(value), &n) // "" is 0
		err = s.Commit(t.Context(), &store.Batch{
			Prev: head, Next: store.Head{Blocks: head.Blocks + 1, Epoch: epoch},
			Writes: []store.Write{{Key: "n", Value: fmt.Append(nil, n+1)}},
		})
		if !errors.Is(err, store.ErrHeadMoved) {
			return 1, err
		}
	}
}

// A server's refusal is an error, and nothing was changed; the store is usable after it.
func TestRefused(t *testing.T) {
	cfg := config()
	s := openStore(t, cfg)
	commit(t, s, batch(1, "k", "1"))
	conn := connect(t, primary)
	execute(t, conn, fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT small CHECK (length(v) < 10)", cfg.Table))
	begun := time.Now()
	err := s.Commit(t.Context(), batch(2, "k", "longer than that"))
	if err == nil || errors.Is(err, store.ErrHeadMoved) || time.Since(begun) > 10*time.Second {
		t.Errorf("commit: %v, after %s", err, time.Since(begun))
	}
	wantState(t, s, 1, "k", "1")
	commit(t, s, batch(2, "k", "2"))
}

// A commit whose connection is lost after it was sent finds out what became of it, also when others have committed
// since. The proxy loses either the batch or the answer.
func TestLostAnswer(t *testing.T) {
	for _, test := range []struct {
		name      string
		delivered bool
		later     uint64 // how many batches another store commits meanwhile
		want      error  // nil also stands for "applied"
		unknown   bool
	}{
		{name: "batch", delivered: false},
		{name: "answer", delivered: true},
		{name: "batch, another is first", delivered: false, later: 1, want: store.ErrHeadMoved},
		{name: "answer, others follow", delivered: true, later: 99},
		{name: "answer, too many follow", delivered: true, later: 100, unknown: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := config()
			other := openStore(t, cfg)
			p := newProxy(t, primary, []byte("lose this"))
			cfg.URL = strings.Replace(cfg.URL, filepath.Dir(primary.Socket()), p.dir, 1)
			s := openStore(t, cfg)
			commit(t, s, batch(1, "k", "1"))
			p.deliver = test.delivered
			p.meanwhile = func() {
				at := batch(1, "", "").Next
				if test.delivered {
					at = batch(2, "", "").Next
				}
				for range test.later {
					next := store.Head{Blocks: at.Blocks + 1, Epoch: 8}
					if err := other.Commit(t.Context(), &store.Batch{Prev: at, Next: next}); err != nil {
						t.Error(err)
					}
					at = next
				}
			}
			err := s.Commit(t.Context(), batch(2, "k", "lose this"))
			switch {
			case test.unknown && (err == nil || errors.Is(err, store.ErrHeadMoved)):
				t.Errorf("commit: %v, want another error", err)
			case !test.unknown && !errors.Is(err, test.want):
				t.Errorf("commit: %v, want %v", err, test.want)
			}
			if p.lost.Load() != 1 {
				t.Errorf("the proxy has lost %d messages", p.lost.Load())
			}
			want := "lose this"
			if test.want != nil {
				want = "1"
			}
			blocks := 2 + test.later
			if !test.delivered && test.later > 0 {
				blocks = 1 + test.later
			}
			wantState(t, other, blocks, "k", want)
		})
	}
}

// proxy is before a server's socket. It loses the first message that has something in it, or the answer to that, and
// the connection.
type proxy struct {
	dir       string
	what      []byte
	deliver   bool   // whether the server gets the message
	meanwhile func() // is called before the connection is closed
	lost      atomic.Int64
}

func newProxy(t *testing.T, to *postgrestest.Server, what []byte) *proxy {
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{dir: dir, what: what}
	listener, err := net.Listen("unix", filepath.Join(dir, filepath.Base(to.Socket())))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(client, to.Socket()) })
		}
	})
	t.Cleanup(func() { // the store is closed before it, and so are its connections
		_ = listener.Close()
		wg.Wait()
		_ = os.RemoveAll(dir)
	})
	return p
}

// serve copies both ways until either end closes.
func (p *proxy) serve(client net.Conn, to string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", to)
	if err != nil {
		return
	}
	var losing atomic.Bool
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		b := make([]byte, 1<<16)
		for n, err := server.Read(b); err == nil && !losing.Load(); n, err = server.Read(b) {
			_, _ = client.Write(b[:n]) // where it can't be written to, it can't be read from
		}
		if !losing.Load() {
			_ = client.Close()
		}
	}()
	defer func() {
		_ = server.Close()
		<-answered
	}()
	b := make([]byte, 1<<16)
	for n, err := client.Read(b); err == nil; n, err = client.Read(b) {
		lose := bytes.Contains(b[:n], p.what) && p.lost.CompareAndSwap(0, 1)
		losing.Store(lose)
		if !lose || p.deliver {
			_, _ = server.Write(b[:n])
		}
		if lose && p.deliver {
			<-answered
		}
		if lose {
			p.meanwhile()
			return
		}
	}
}
