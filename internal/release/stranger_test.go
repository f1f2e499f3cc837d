package main

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newTestStranger is somebody to whom the good tree is published, with some changes.
func newTestStranger(t *testing.T, change func(files map[string]string)) (*stranger, *strings.Builder) {
	t.Helper()
	files := goodTree()
	change(files)
	tree, out := loadFiles(t, files), new(strings.Builder)
	s, err := newStranger(t.Context(), t.TempDir(), out)
	if err != nil {
		t.Fatal(err)
	}
	s.env = append(s.env, "GOPROXY=file://"+filepath.ToSlash(s.proxy()), "GOSUMDB=off")
	for _, folder := range published() {
		if err := tree.writeProxy(s.proxy(), tree.find(folder), version); err != nil {
			t.Fatal(err)
		}
	}
	return s, out
}

// What goes wrong for strangers does so here, too, if no rule has seen it before.
func TestStranger(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(files map[string]string)
		want   string // "" if it can be installed
	}{
		{"good", func(map[string]string) {}, ""},
		{"replaced", func(files map[string]string) {
			files["cmd/ccpeer/go.mod"] += "\nreplace " + rootPath + " => ../..\n"
		}, "more replace directives"},
		{"v0.0.0", func(files map[string]string) {
			files["cmd/ccpeer/go.mod"] = strings.ReplaceAll(files["cmd/ccpeer/go.mod"], version, "v0.0.0")
		}, "@v0.0.0: reading file://"},
		{"package that was not added", func(files map[string]string) {
			files["cmd/ccpeer/main.go"] = strings.ReplaceAll(files["cmd/ccpeer/main.go"], rootPath, rootPath+"/internal/absent")
		}, "does not contain package"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, out := newTestStranger(t, c.change)
			dir, err := s.module(t.Context(), "mine")
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.run(t.Context(), dir, "go", "install", pathOf("cmd/ccpeer")+"@"+version)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
			if want := "go install " + pathOf("cmd/ccpeer") + "@" + version + "\n"; !strings.HasSuffix(out.String(), want) {
				t.Errorf("it says %q, want %q", out, want)
			}
		})
	}
}

// A module's zip has what is the module's, and not what others have put there.
func TestZip(t *testing.T) {
	s, _ := newTestStranger(t, func(files map[string]string) { files["docs/page.md"] = "" })
	for path, want := range map[string][]string{
		rootPath:           {"docs/page.md", "go.mod", "go.work", "root.go"},
		storePath + "etcd": {"etcd.go", "go.mod"},
	} {
		name := filepath.Join(s.proxy(), filepath.FromSlash(path), "@v", version+".zip")
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
		r, err := zip.OpenReader(name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range r.File {
			got = append(got, strings.TrimPrefix(f.Name, path+"@"+version+"/"))
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", path, got, want)
		}
	}
}
