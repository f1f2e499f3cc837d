//go:build unix

package lockdir_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/lockdir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A folder is locked by one at a time, whoever that is.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockdir.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockdir.Lock(dir); !errors.Is(err, lockdir.ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lockdir.Wait(over, dir); !errors.Is(err, lockdir.ErrLocked) {
		t.Errorf("Wait: %v", err)
	}
	waited := make(chan error)
	go func() {
		again, err := lockdir.Wait(t.Context(), dir)
		if err == nil {
			again()
		}
		waited <- err
	}()
	unlock()
	if err := <-waited; err != nil {
		t.Errorf("Wait: %v", err)
	}
	if _, err := lockdir.Lock(filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lock of nothing: %v", err)
	}
}

// Only folders of that name that nobody uses are found, and nobody else finds them meanwhile.
func TestAbandoned(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "[strange")
	for _, name := range []string{"x-left", "x-used", "x-young", "y-other"} {
		if err := os.MkdirAll(filepath.Join(parent, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(parent, name), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, "x-young", "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(parent, "x-file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(parent, "y-other"), filepath.Join(parent, "x-link")); err != nil {
		t.Fatal(err)
	}
	unlock, err := lockdir.Lock(filepath.Join(parent, "x-used"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	abandoned := func(young time.Duration, want ...string) []lockdir.Folder {
		t.Helper()
		var names []string
		found := lockdir.Abandoned(parent, "x-", young)
		for _, f := range found {
			names = append(names, filepath.Base(f.Path))
		}
		if !slices.Equal(names, want) {
			t.Errorf("found %q, want %q", names, want)
		}
		return found
	}
	found := abandoned(time.Minute, "x-left")
	abandoned(time.Minute)
	for _, f := range append(found, abandoned(0, "x-young")...) {
		f.Unlock()
	}
	for _, f := range abandoned(0, "x-left", "x-young") {
		f.Unlock()
	}
}
