package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/errors"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// writeProxy writes the files by which a module proxy in a folder serves a module, at one version, as the tree has it.
func (t *tree) writeProxy(dir string, m *mod, version string) error {
	v := module.Version{Path: pathOf(m.folder), Version: version}
	escaped, err := module.EscapePath(v.Path)
	if err != nil {
		return errors.Wrapf(err, "escape %s", v.Path)
	}
	at := filepath.Join(dir, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(at, 0o750); err != nil {
		return errors.Wrap(err, "make the proxy")
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Now().UTC()})
	if err != nil {
		return errors.Wrap(err, "encode version")
	}
	mod, err := os.ReadFile(filepath.Join(t.dir(m), "go.mod"))
	if err != nil {
		return errors.Wrap(err, "read go.mod")
	}
	for name, text := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod} {
		if err := os.WriteFile(filepath.Join(at, name), text, 0o600); err != nil {
			return errors.Wrap(err, "write the proxy")
		}
	}
	return errors.Wrapf(t.writeZip(filepath.Join(at, version+".zip"), m, v), "pack %s", v)
}

func (t *tree) writeZip(name string, m *mod, v module.Version) (err error) {
	files, err := filesOf(t.dir(m))
	if err != nil {
		return err
	}
	w, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closing := w.Close(); err == nil {
			err = closing
		}
	}()
	return zip.Create(w, v, files)
}

// file is a file of a module, for its zip.
type file struct{ dir, path string }

func (f file) Path() string                 { return filepath.ToSlash(f.path) }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(filepath.Join(f.dir, f.path)) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(filepath.Join(f.dir, f.path)) }

// filesOf returns the files of the module in a folder, and leaves out what is another module's, or built.
func filesOf(dir string) ([]zip.File, error) {
	var files []zip.File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, noModule := os.Stat(filepath.Join(path, "go.mod"))
			if path != dir && (noModule == nil || d.Name()[0] == '.' || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.Type().IsRegular() {
			files = append(files, file{dir, rel})
		}
		return nil
	})
	return files, err
}
