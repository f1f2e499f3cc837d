package builder_test

import (
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
)

// makes is a builder whose builds have files and folders.
func makes(t *testing.T) builder.Builder {
	t.Helper()
	return newBuilder(t, "b", map[string]string{
		"build": `mkdir -p "$3/a/b"; echo 1 > "$3/one"; echo 2 > "$3/a/b/two"`, "release": `mkdir -p "$2/chaincode"; echo 3 > "$2/chaincode/three"`,
	})
}

// F115: the power fails right after a build. All of it was synced before it got its name, and its name after that.
func TestBuildIsSynced(t *testing.T) {
	dir := t.TempDir()
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{makes(t)}, Dir: dir})
	var done []string
	builder.WatchDisk(rt, func(operation, path string) error {
		done = append(done, operation+" "+path)
		return nil
	})
	p := newPackage(t, "golang")
	build(t, rt, p)
	renamed := slices.IndexFunc(done, func(what string) bool { return strings.HasPrefix(what, "rename ") })
	if renamed < 0 {
		t.Fatalf("done: %q", done)
	}
	workspace := strings.TrimPrefix(done[renamed], "rename ")
	files := 0
	err := filepath.WalkDir(builder.Folder(rt, p.ID), func(path string, _ fs.DirEntry, err error) error {
		files++
		relative := strings.TrimPrefix(path, builder.Folder(rt, p.ID))
		if !slices.Contains(done[:renamed], "sync "+workspace+relative) {
			t.Errorf("%q of the build was not synced before it got its name", relative)
		}
		return err
	})
	if err != nil || files < 10 {
		t.Errorf("the build has %d files and folders, %v", files, err)
	}
	if !slices.Equal(done[renamed+1:], []string{"sync " + dir}) {
		t.Errorf("done after it got its name: %q, want its folder synced", done[renamed+1:])
	}
}

// A build that can't be synced, or named, fails, and leaves nothing.
func TestBuildCannotBeSynced(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, test := range []struct{ operation, file string }{{"sync", "two"}, {"rename", ""}} {
		dir := t.TempDir()
		rt := newRuntime(t, builder.Config{Builders: []builder.Builder{makes(t)}, Dir: dir})
		builder.WatchDisk(rt, func(operation, path string) error {
			if operation == test.operation && strings.HasSuffix(path, test.file) {
				return broken
			}
			return nil
		})
		if _, err := rt.Build(t.Context(), newPackage(t, "golang")); !errors.Is(err, broken) {
			t.Errorf("%s %s: %v", test.operation, test.file, err)
		}
		wantEmpty(t, dir)
	}
}

// F115: the power fails right after the folder for builds is made. Each folder in which there is a new one was synced.
func TestFolderIsSynced(t *testing.T) {
	parent := t.TempDir()
	for dir, want := range map[string][]string{
		parent:                             nil,
		filepath.Join(parent, "a"):         {parent},
		filepath.Join(parent, "b", "c/d/"): {filepath.Join(parent, "b", "c"), filepath.Join(parent, "b"), parent},
	} {
		var synced []string
		err := builder.MakeFolder(dir, func(path string) error {
			if _, err := os.Stat(dir); err != nil {
				t.Errorf("%s is synced too early: %v", path, err)
			}
			synced = append(synced, path)
			return nil
		})
		if err != nil || !slices.Equal(synced, want) {
			t.Errorf("%s: synced %q, %v, want %q", dir, synced, err, want)
		}
	}
}

// F114: others may read or write the folder for builds. Their access is taken from them, and the log says so. A folder that is
// meant to be shared is refused.
func TestOpenFolder(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("there a mode doesn't say who has access")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o757); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.WarnLevel)
	cfg := builder.Config{Builders: []builder.Builder{newBuilder(t, "b", nil)}, Dir: dir, Logger: zap.New(core)}
	for range 2 {
		newRuntime(t, cfg)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, %v", info.Mode(), err)
	}
	if logs.Len() != 1 || logs.All()[0].ContextMap()["mode"] != "drwxr-xrwx" {
		t.Errorf("logged: %v", logs.All())
	}
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	_, err := builder.New(cfg)
	wantText(t, err, "keep folder for builds from others: folder "+dir+" is shared with others")
}
