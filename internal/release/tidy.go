package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
	"golang.org/x/mod/modfile"
)

// tidy has every go.mod and go.sum say what the code of the tree needs. go mod tidy alone would look at what is published
// of the modules here, which may be nothing, or not what is in the tree.
func tidy(ctx context.Context, t *tree, only bool, out io.Writer) error {
	var stale []string
	for _, m := range t.modules {
		changed, err := t.tidyModule(ctx, m, only)
		if err != nil {
			return errors.WithMessagef(err, "tidy %s", m.folder)
		}
		for _, name := range changed {
			stale = append(stale, m.folder+"/"+name)
			_, _ = fmt.Fprintf(out, "%s/%s\n", m.folder, name)
		}
	}
	if only && len(stale) > 0 {
		return errors.Errorf("%s: not tidy: run make tidy", strings.Join(stale, ", "))
	}
	return nil
}

// tidyModule returns the names of the files that have changed, or would have.
func (t *tree) tidyModule(ctx context.Context, m *mod, only bool) (changed []string, err error) {
	dir, err := os.MkdirTemp("", "tidy")
	if err != nil {
		return nil, errors.Wrap(err, "make a folder")
	}
	defer func() { _ = os.RemoveAll(dir) }()
	before, err := t.copyModFiles(m, dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "tidy", "-modfile="+filepath.Join(dir, "go.mod"))
	cmd.Dir, cmd.Env = t.dir(m), append(os.Environ(), "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Errorf("go mod tidy: %v\n%s", err, text)
	}
	if err := edit(filepath.Join(dir, "go.mod"), t.dropOwn); err != nil {
		return nil, err
	}
	for _, name := range modFiles() {
		after, err := readIfThere(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if bytes.Equal(before[name], after) {
			continue
		}
		changed = append(changed, name)
		if only {
			continue
		}
		if err := os.WriteFile(filepath.Join(t.dir(m), name), after, 0o644); err != nil { //nolint:gosec // a file of the repository
			return nil, errors.Wrap(err, "write")
		}
	}
	return changed, nil
}

func modFiles() []string { return []string{"go.mod", "go.sum"} }

// copyModFiles copies a module's files to where the modules of the tree are found by replacing them, and returns what is
// in them.
func (t *tree) copyModFiles(m *mod, dir string) (map[string][]byte, error) {
	texts := map[string][]byte{}
	for _, name := range modFiles() {
		text, err := readIfThere(filepath.Join(t.dir(m), name))
		if err != nil {
			return nil, err
		}
		texts[name] = text
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, errors.Wrap(err, "copy")
		}
	}
	return texts, edit(filepath.Join(dir, "go.mod"), t.replaceOwn)
}

func (t *tree) replaceOwn(f *modfile.File) error {
	for _, folder := range published() {
		if err := f.AddReplace(pathOf(folder), "", filepath.Join(t.root, filepath.FromSlash(folder)), ""); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) dropOwn(f *modfile.File) error {
	for _, folder := range published() {
		if err := f.DropReplace(pathOf(folder), ""); err != nil {
			return err
		}
	}
	return nil
}

// edit changes a go.mod file.
func edit(name string, change func(*modfile.File) error) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return errors.Wrap(err, "read go.mod")
	}
	f, err := modfile.Parse(name, text, nil)
	if err != nil {
		return errors.Wrap(err, "parse go.mod")
	}
	if err := change(f); err != nil {
		return errors.Wrap(err, "change go.mod")
	}
	f.Cleanup()
	text, err = f.Format()
	if err != nil {
		return errors.Wrap(err, "format go.mod")
	}
	return errors.Wrap(os.WriteFile(name, text, 0o644), "write go.mod") //nolint:gosec // a file of the repository
}

// readIfThere returns nothing for a file that isn't there: a module without dependencies has no go.sum.
func readIfThere(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return text, errors.Wrap(err, "read")
}
