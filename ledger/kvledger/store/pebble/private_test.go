//go:build unix

package pebble_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// F114: others may read or write the data folder. Their access is taken from them, and the log says so.
func TestOpenFolder(t *testing.T) {
	for name, existing := range map[string]bool{"new store": false, "store": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if existing {
				fillStore(t, dir, 1)
			}
			setMode(t, dir, 0o757)
			for opened, want := range []string{"drwxr-xrwx", ""} {
				core, logs := observer.New(zap.WarnLevel)
				cfg := small(dir)
				cfg.Logger = zap.New(core)
				s, err := pebble.Open(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				wantMode(t, dir, 0o700)
				if entries := logs.All(); len(entries) != 1-opened || want != "" &&
					(!strings.Contains(entries[0].Message, "only its owner") || entries[0].ContextMap()["mode"] != want) {
					t.Errorf("opened %d times before, logged: %v", opened, logs.All())
				}
			}
		})
	}
}

// F114: a folder that is meant to be shared is refused, and so is one with something else in it. Neither is changed.
func TestSharedFolder(t *testing.T) {
	for _, test := range []struct {
		mode fs.FileMode
		file string
		text string
	}{
		{0o777 | fs.ModeSticky, "", "is shared with others (its mode is dtrwxrwxrwx): choose another one"},
		{0o755, "notes.txt", "choose a new or an empty one"},
	} {
		dir := t.TempDir()
		if test.file != "" {
			writeFile(t, filepath.Join(dir, test.file), "mine")
		}
		setMode(t, dir, test.mode)
		if _, err := pebble.Open(small(dir)); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("open: %v, want %s", err, test.text)
		}
		wantMode(t, dir, test.mode)
	}
}

func setMode(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
}

func wantMode(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if info, err := os.Stat(dir); err != nil || info.Mode() != mode|fs.ModeDir {
		t.Errorf("the folder's mode is %v, %v, want %v", info.Mode(), err, mode)
	}
}
