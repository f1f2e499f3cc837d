package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

func TestParseLedger(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	for _, c := range []struct{ flag, want string }{
		{"", "pebble:" + filepath.Join(os.Getenv(dataHome), "ccpeer", "peer")},
		{"memory", "memory"},
		{"pebble:/data/../ledger", "pebble:/ledger"},
		{"pebble:/a:b", "pebble:/a:b"},
		{"pebble:~/ledger", "pebble:/home/me/ledger"},
		{"postgres://me:secret@db.example:5433/ledger", "postgres, database ledger at db.example:5433"},
		{"postgresql://me:secret@db.example/ledger", "postgres, database ledger at db.example:5432"},
		{"postgres:postgres://me:secret@db.example/ledger", "postgres, database ledger at db.example:5432"},
		{"postgres:host=/run/pg user=me password=secret", "postgres, database me at /run/pg:5432"},
		{"etcd:127.0.0.1:2379", "etcd:127.0.0.1:2379"},
		{"etcd:a:2379,http://[::1]:2379,https://c:2379", "etcd:a:2379,http://[::1]:2379,https://c:2379"},
	} {
		p, err := parseLedger(flagSetting("ledger", c.flag), "peer")
		if err != nil || p.String() != c.want {
			t.Errorf("%q is %q (%v), want %q", c.flag, p, err, c.want)
		}
	}
}

func TestParseLedgerRefuses(t *testing.T) {
	for _, flag := range []string{
		"mem", "memory:", "pebble", "pebble:", "postgres", "postgres:", "etcd", "etcd:", "etcd:,", "etcd:host", "etcd:host:", "etcd::2379",
		"etcd:a:2379,b", "etcd:me:secret@host:2379,", "/data", "postgres:me:secret@host", "postgres://me:secret@host:port/db",
		"mysql://me:secret@host/db", "mysql:password=secret",
	} {
		_, err := parseLedger(flagSetting("ledger", flag), "peer")
		if !errors.As(err, new(usageError)) || !strings.Contains(err.Error(), ledgerForms) {
			t.Errorf("%q: error is %v, want a usage error with the forms", flag, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error has the password: %v", flag, err)
		}
	}
}

func TestDataFolder(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	for _, c := range []struct{ data, want string }{
		{"/data", "/data/ccpeer/peer"},
		{"", "/home/me/.local/share/ccpeer/peer"},
		{"relative", "/home/me/.local/share/ccpeer/peer"},
	} {
		t.Setenv(dataHome, c.data)
		if dir, err := dataFolder("peer"); err != nil || dir != c.want {
			t.Errorf("with %s=%q it is %q (%v), want %q", dataHome, c.data, dir, err, c.want)
		}
	}
	t.Setenv(dataHome, "")
	t.Setenv("HOME", "")
	if dir, err := dataFolder("peer"); !errors.As(err, new(usageError)) {
		t.Errorf("without a home folder it is %q (%v), want a usage error", dir, err)
	}
}
