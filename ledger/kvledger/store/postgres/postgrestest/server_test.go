//go:build unix

package postgrestest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/postgres/postgrestest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg postgrestest.Config) *postgrestest.Server {
	t.Helper()
	s, err := postgrestest.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// ask returns what a query says that has one text as its result, or what a statement has done.
func ask(t *testing.T, url, query string) (answer string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(query, "SELECT") {
		err = conn.QueryRow(t.Context(), query).Scan(&answer)
	} else {
		tag, failed := conn.Exec(t.Context(), query)
		answer, err = tag.String(), failed
	}
	if err != nil {
		t.Errorf("%s: %v", query, err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return answer
}

const settings = "SELECT current_setting('fsync') || ' ' || current_setting('synchronous_commit') || ' ' || current_setting('full_page_writes')"

func TestServer(t *testing.T) {
	s := start(t, postgrestest.Config{Settings: []string{"max_connections=17"}})
	if got := ask(t, s.URL(), settings+" || ' ' || current_setting('max_connections')"); got != "on on on 17" {
		t.Errorf("settings are %s", got)
	}
	if got := ask(t, s.URL(), "SELECT version()"); !strings.HasPrefix(got, "PostgreSQL") {
		t.Errorf("the server is %s", got)
	}
	if err := s.Restart(); err == nil {
		t.Error("a server that is running is started again")
	}
	for i, end := range []func(){s.Crash, s.Shutdown} {
		if got := ask(t, s.URL(), fmt.Sprintf("CREATE TABLE t%d ()", i)); got != "CREATE TABLE" {
			t.Error(got)
		}
		end()
		if conn, err := pgx.Connect(t.Context(), s.ReadURL()); err == nil {
			t.Error("a server that has ended is connected to")
			_ = conn.Close(t.Context())
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, s.URL(), fmt.Sprintf("SELECT to_regclass('t%d')::text", i)); got != fmt.Sprint("t", i) {
			t.Errorf("after it was started again, the table is %q", got)
		}
	}
	socket := s.Socket()
	if _, err := os.Stat(socket); err != nil {
		t.Error(err)
	}
	s.Stop()
	s.Stop()
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("after Stop: %v", err)
	}
}

func TestStandby(t *testing.T) {
	primary := start(t, postgrestest.Config{NoSync: true})
	standby := start(t, postgrestest.Config{Primary: primary, NoSync: true})
	if got := ask(t, primary.URL(), settings); got != "off off off" {
		t.Errorf("settings are %s", got)
	}
	const query = "SELECT pg_is_in_recovery()::text"
	for url, want := range map[string]string{
		standby.ReadURL(): "true", primary.ReadURL(): "false", standby.URL(primary): "false", primary.URL(standby): "false",
	} {
		if got := ask(t, url, query); got != want {
			t.Errorf("%s is in recovery: %s, want %s", url, got, want)
		}
	}
	if conn, err := pgx.Connect(t.Context(), standby.URL()); err == nil {
		t.Error("a standby is connected to for writing")
		_ = conn.Close(t.Context())
	}
}

func TestStartFails(t *testing.T) {
	s, err := postgrestest.Start(postgrestest.Config{Settings: []string{"no_such_setting=1"}})
	if err == nil {
		s.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), "no_such_setting") {
		t.Errorf("start: %v", err)
	}
}
