package pebble_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	upstream "github.com/cockroachdb/pebble/v2"
	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store/pebble"
)

// tree returns all that is in a folder: contents by path, and of folders their names.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		var content []byte
		if !d.IsDir() {
			content, err = os.ReadFile(path)
		}
		all[strings.TrimPrefix(path, dir)] = d.Type().String() + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wantUntouched opens a store that can't be opened, and checks that nothing in the folder changes.
func wantUntouched(t *testing.T, dir string, want error, text string) {
	t.Helper()
	before := tree(t, dir)
	_, err := pebble.Open(small(dir))
	if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), text) || !strings.Contains(fmt.Sprint(err), "open data folder "+dir) {
		t.Errorf("open: %v, want %v with %q", err, want, text)
	}
	after := tree(t, dir)
	if before["/LOCK"] == "" && after["/LOCK"] == fs.FileMode(0).String() {
		delete(after, "/LOCK")
	}
	if !maps.Equal(before, after) {
		t.Errorf("the folder has changed")
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestForeignFolder(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, dir string)
		want error
		text string
	}{
		{"a file", func(t *testing.T, dir string) { writeFile(t, dir+"/notes.txt", "mine") }, pebble.ErrForeign, `found "notes.txt" but no CCPEER-STORE`},
		{"a hidden file", func(t *testing.T, dir string) { writeFile(t, dir+"/.profile", "") }, pebble.ErrForeign, ".profile"},
		{"a folder", func(t *testing.T, dir string) { writeFile(t, dir+"/chains/LOCK", "") }, pebble.ErrForeign, "chains"},
		{"a lock and more", func(t *testing.T, dir string) {
			writeFile(t, dir+"/LOCK", "")
			writeFile(t, dir+"/CURRENT", "MANIFEST-000001\n")
		}, pebble.ErrForeign, "CURRENT"},
		{"another Pebble database", func(t *testing.T, dir string) {
			setUpstream(t, dir, "k", "v")
		}, pebble.ErrForeign, "but no CCPEER-STORE"},
		{"a later format", func(t *testing.T, dir string) {
			writeFile(t, dir+"/CCPEER-STORE", "ccpeer store: pebble, format 2\n")
		}, pebble.ErrFormat, "format 2"},
		{"another engine", func(t *testing.T, dir string) {
			writeFile(t, dir+"/CCPEER-STORE", "ccpeer store: other, format 1\n")
		}, pebble.ErrDamaged, "other"},
		{"an empty marker", func(t *testing.T, dir string) { writeFile(t, dir+"/CCPEER-STORE", "") }, pebble.ErrDamaged, `""`},
		{"a marker alone", func(t *testing.T, dir string) {
			writeFile(t, dir+"/CCPEER-STORE", "ccpeer store: pebble, format 1\n")
		}, pebble.ErrDamaged, "does not exist"},
		{"a store without its marker", func(t *testing.T, dir string) {
			fillStore(t, dir, 3)
			if err := os.Remove(dir + "/CCPEER-STORE"); err != nil {
				t.Fatal(err)
			}
		}, pebble.ErrForeign, "but no CCPEER-STORE"},
		{"a head of a later format", func(t *testing.T, dir string) { setHead(t, dir, "\x02later") }, pebble.ErrFormat, "head is 02 6c"},
		{"a head cut short", func(t *testing.T, dir string) { setHead(t, dir, "\x01\x00") }, pebble.ErrDamaged, "head is 01 00"},
		{"an empty head", func(t *testing.T, dir string) { setHead(t, dir, "") }, pebble.ErrDamaged, "head is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			test.make(t, dir)
			wantUntouched(t, dir, test.want, test.text)
		})
	}
}

type discard struct{}

func (discard) Infof(string, ...any)  {}
func (discard) Errorf(string, ...any) {}
func (discard) Fatalf(string, ...any) {}

// fillStore makes a store with so many batches.
func fillStore(t *testing.T, dir string, batches uint64) {
	t.Helper()
	s, err := pebble.Open(small(dir))
	if err != nil {
		t.Fatal(err)
	}
	for n := range batches {
		if err := commitNext(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// setHead makes a store that has something else as its head.
func setHead(t *testing.T, dir, head string) {
	t.Helper()
	fillStore(t, dir, 1)
	setUpstream(t, dir, "h", head)
}

// setUpstream sets a key with Pebble alone.
func setUpstream(t *testing.T, dir, key, value string) {
	t.Helper()
	db, err := upstream.Open(dir, &upstream.Options{Logger: discard{}, FormatMajorVersion: upstream.FormatTableFormatV6})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set([]byte(key), []byte(value), upstream.Sync); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamage damages each file of a store in several ways. The store is then not opened, and not touched, or it says
// what is damaged when that is read, or nothing is lost. That also holds for what a crash leaves, whose last batches are in
// the log alone.
func TestDamage(t *testing.T) {
	const batches = 300
	closed, crashed := t.TempDir(), t.TempDir()
	fillStore(t, closed, batches)
	open := t.TempDir()
	s := openStore(t, small(open))
	for n := range uint64(batches) {
		if err := commitNext(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(crashed, os.DirFS(open)); err != nil {
		t.Fatal(err)
	}
	results := map[string]int{}
	damageAll(t, closed, "closed", batches, results)
	damageAll(t, crashed, "crashed", batches, results)
	t.Log(results)
	for _, kind := range []string{"refused", "found when read", "harmless"} {
		if results[kind] == 0 {
			t.Errorf("none is %s: some of each kind should be", kind)
		}
	}
}

var damages = []struct {
	name string
	do   func(path string, content []byte) error
}{
	{"removed", func(path string, _ []byte) error { return os.Remove(path) }},
	{"emptied", func(path string, _ []byte) error { return os.Truncate(path, 0) }},
	{"cut", func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o600) }},
	{"flipped early", func(path string, b []byte) error { return flip(path, b, len(b)/8) }},
	{"flipped midway", func(path string, b []byte) error { return flip(path, b, len(b)/2) }},
	{"flipped late", func(path string, b []byte) error { return flip(path, b, len(b)*3/4) }},
}

func damageAll(t *testing.T, origin, state string, batches uint64, results map[string]int) {
	files, err := os.ReadDir(origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, damage := range damages {
			t.Run(fmt.Sprintf("%s/%s %s", state, file.Name(), damage.name), func(t *testing.T) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(origin)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, file.Name())
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := damage.do(path, content); err != nil {
					t.Fatal(err)
				}
				result := openDamaged(t, dir, batches)
				t.Log(result)
				results[result]++
			})
		}
	}
}

func flip(path string, b []byte, at int) error {
	if len(b) == 0 {
		return nil
	}
	b = append([]byte{}, b...)
	b[at] ^= 0x10
	return os.WriteFile(path, b, 0o600)
}

func openDamaged(t *testing.T, dir string, batches uint64) string {
	before := tree(t, dir)
	s, err := pebble.Open(small(dir))
	if err != nil {
		if !errors.Is(err, pebble.ErrDamaged) && !errors.Is(err, pebble.ErrForeign) || !strings.Contains(err.Error(), dir) {
			t.Errorf("open: %v", err)
		}
		if after := tree(t, dir); !maps.Equal(before, after) {
			t.Errorf("the folder has changed")
		}
		return "refused"
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	snap := snapshot(t, s)
	n := snap.Head().Blocks
	snap.Close()
	if n != batches {
		t.Errorf("the store has %d batches, %d were committed", n, batches)
	}
	err = verify(t.Context(), s, n, n)
	switch {
	case err == nil:
		return "harmless"
	case !errors.Is(err, pebble.ErrDamaged) || !strings.Contains(err.Error(), dir):
		t.Errorf("read: %v", err)
	}
	return "found when read"
}

// A folder in which creating a store was interrupted has nothing that counts.
func TestInterruptedCreation(t *testing.T) {
	for name, files := range map[string][]string{
		"nothing": nil, "lock": {"LOCK"}, "marker": {"LOCK", "CCPEER-STORE.new"},
		"more": {"LOCK", "CCPEER-STORE.new", "000002.log"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range files {
				writeFile(t, filepath.Join(dir, file), "")
			}
			fillStore(t, dir, 3)
			s := openStore(t, small(dir))
			if err := verify(t.Context(), s, 3, 3); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLocked(t *testing.T) {
	parent, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(parent, link); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "data")
	s := openStore(t, small(filepath.Join(link, "data"))) // which is not there yet
	t.Chdir(parent)
	for _, name := range []string{dir, filepath.Join(link, "data"), "data", "./data/../data/"} {
		if _, err := pebble.Open(small(name)); !errors.Is(err, pebble.ErrLocked) || !strings.Contains(err.Error(), "data: the store is open") {
			t.Errorf("open %s: %v", name, err)
		}
	}
	if err := commitNext(t.Context(), s, 0); err != nil {
		t.Error(err)
	}
}

func TestLockedByAnotherProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), storeVar+"="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	for range 2 { // that it starts, that a batch is committed
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pebble.Open(small(dir)); !errors.Is(err, pebble.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open: %v", err)
	}
	if _, err := lines.ReadString('\n'); err != nil {
		t.Errorf("the other process: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the other process has ended by itself")
	}
	openStore(t, small(dir))
}
