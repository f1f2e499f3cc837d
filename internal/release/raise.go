package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// raise has every module require the published ones at a version, and the workspace find that version in the tree.
func raise(t *tree, version string) error {
	had, err := t.version()
	if err != nil {
		return err
	}
	if semver.Canonical(version) != version || semver.Compare(version, had) < 0 {
		return errors.Errorf("%q is no version, or one before %s", version, had)
	}
	for _, m := range t.modules {
		err := edit(filepath.Join(t.dir(m), "go.mod"), func(f *modfile.File) error { return require(f, version) })
		if err != nil {
			return errors.WithMessage(err, m.folder)
		}
	}
	return t.raiseWork(version)
}

// require changes the version of those modules of the tree that a module requires.
func require(f *modfile.File, version string) error {
	for _, r := range f.Require {
		if _, own := folderOf(r.Mod.Path); !own {
			continue
		}
		if err := f.AddRequire(r.Mod.Path, version); err != nil {
			return err
		}
	}
	return nil
}

// raiseWork changes versions where they stand, so that the comments stay.
func (t *tree) raiseWork(version string) error {
	for _, r := range t.work.Replace {
		if _, own := folderOf(r.Old.Path); !own {
			continue
		}
		if i := slices.Index(r.Syntax.Token, r.Old.Version); i >= 0 {
			r.Syntax.Token[i] = version
		}
	}
	name := filepath.Join(t.root, "go.work")
	return errors.Wrap(os.WriteFile(name, modfile.Format(t.work.Syntax), 0o644), "write go.work") //nolint:gosec // a file of the repository
}
