package builder_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/internal/lockdir"
)

// What a killed peer has left is removed, and what is a build stays.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	kept := "my-label_1.0-" + strings.Repeat("0a", 32)
	for _, name := range []string{".scratch-1/src", ".scratch-2", kept, "lost+found"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "b", nil)}, Dir: dir})
	inside, err := os.ReadDir(dir)
	if err != nil || len(inside) != 2 || inside[0].Name() != "lost+found" || inside[1].Name() != kept {
		t.Errorf("folder has %v, %v", inside, err)
	}
}

// F161: the folder for builds is one that is used for something else. It is refused, and stays as it is.
func TestFolderOfOthers(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for name, folder := range map[string]bool{
		"thesis": true, "thesis.txt": false, "label-" + hash: false, ".scratch-notes": false,
		"label-" + strings.ToUpper(hash): true, "label": true, "label-" + hash[1:]: true, "-" + hash: true, ".git": true,
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, ".scratch-1"), 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		err := os.WriteFile(path, nil, 0o600)
		if folder {
			_ = os.Remove(path)
			err = os.Mkdir(path, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = builder.New(builder.Config{Builders: []builder.Builder{newBuilder(t, "b", nil)}, Dir: dir})
		wantText(t, err, "folder for builds "+dir+` has "`+name+`" in it, which is no build: choose an empty folder`)
		if after, err := os.Stat(dir); err != nil || after.Mode() != before.Mode() {
			t.Errorf("the folder's mode is %v, %v", after.Mode(), err)
		}
		if left := scratchIn(t, dir); name != ".scratch-notes" && len(left) != 1 {
			t.Errorf("left: %q", left)
		}
	}
}

// F164: the folder for builds is on a file system that has no locks. Builds work all the same, and what is left is removed.
func TestBuildWithoutLocks(t *testing.T) {
	dir := t.TempDir()
	core, logs := observer.New(zap.WarnLevel)
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{newBuilder(t, "b", nil)}, Dir: dir, Logger: zap.New(core)})
	builder.SetWait(rt, func(context.Context, string) (func(), error) { return nil, syscall.ENOLCK })
	if err := os.MkdirAll(filepath.Join(dir, ".scratch-1/src"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := builder.ClearScratch(rt); err != nil {
		t.Error(err)
	}
	build(t, rt, newPackage(t, "golang"))
	if left := scratchIn(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if all := logs.FilterMessageSnippet("can't be locked").All(); len(all) != 1 || all[0].ContextMap()["error"] != syscall.ENOLCK.Error() {
		t.Errorf("logged: %v", all)
	}
	builder.SetWait(rt, func(context.Context, string) (func(), error) { return nil, lockdir.ErrLocked })
	if _, err := rt.Build(t.Context(), newPackage(t, "golang", file{name: "other"})); !errors.Is(err, lockdir.ErrLocked) {
		t.Errorf("Build: %v", err)
	}
}
