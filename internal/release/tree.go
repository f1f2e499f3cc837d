package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"golang.org/x/mod/modfile"
)

// rootPath is the path of the module at the top. Each other module's path is this, a slash and its folder.
const rootPath = "github.com/ccpeer/ccpeer"

// goLine returns the version of Go that the published module in a folder asks for. Whoever requires the module has to ask for it,
// too: docs/modules.md says what needs it. etcd's client lifts those that have it.
func goLine(folder string) string {
	switch folder {
	case "ledger/kvledger/store/etcd", "cmd/ccpeer":
		return "1.26.0"
	default:
		return "1.25.0"
	}
}

// published are the folders of the modules that others can get, in the order of their tags: a module comes after those
// that it requires.
func published() []string {
	return []string{
		".",
		"chaincodetest/fabricshim",
		"ledger/kvledger/store/etcd",
		"ledger/kvledger/store/pebble",
		"ledger/kvledger/store/postgres",
		"cmd/ccpeer",
	}
}

// pathOf returns the path of the module in a folder.
func pathOf(folder string) string {
	if folder == "." {
		return rootPath
	}
	return rootPath + "/" + folder
}

// folderOf is the reverse of pathOf. ok is false if the path is another repository's.
func folderOf(path string) (folder string, ok bool) {
	if path == rootPath {
		return ".", true
	}
	return strings.CutPrefix(path, rootPath+"/")
}

// mod is a module of the repository.
type mod struct {
	folder string // below the top, with slashes
	file   *modfile.File
}

// tree is the repository: its modules, and the workspace in which they are developed.
type tree struct {
	root    string // an absolute path
	modules []*mod // sorted by folder
	work    *modfile.WorkFile
}

// load reads the repository whose top is a folder.
func load(root string) (*tree, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, errors.Wrap(err, "find the repository")
	}
	t := &tree{root: root}
	file := filepath.Join(root, "go.work")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, errors.Wrap(err, "read the workspace")
	}
	if t.work, err = modfile.ParseWork(file, text, nil); err != nil {
		return nil, errors.Wrap(err, "parse the workspace")
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && isForeign(d.Name()):
			return filepath.SkipDir
		case d.Name() != "go.mod":
			return nil
		}
		return t.add(path)
	})
	return t, errors.Wrap(err, "find the modules")
}

// isForeign says whether a folder of that name has what is not of this repository, or not of its modules.
func isForeign(folder string) bool {
	return strings.HasPrefix(folder, ".") || folder == "node_modules" || folder == "testdata"
}

// add adds the module of a go.mod file.
func (t *tree) add(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	parsed, err := modfile.Parse(file, text, nil)
	if err != nil {
		return err
	}
	folder, err := filepath.Rel(t.root, filepath.Dir(file))
	if err != nil {
		return err
	}
	t.modules = append(t.modules, &mod{folder: filepath.ToSlash(folder), file: parsed})
	slices.SortFunc(t.modules, func(a, b *mod) int { return strings.Compare(a.folder, b.folder) })
	return nil
}

// find returns the module in a folder, or nil.
func (t *tree) find(folder string) *mod {
	i := slices.IndexFunc(t.modules, func(m *mod) bool { return m.folder == folder })
	if i < 0 {
		return nil
	}
	return t.modules[i]
}

// dir returns the path of a module's folder.
func (t *tree) dir(m *mod) string { return filepath.Join(t.root, filepath.FromSlash(m.folder)) }

// version is at which version the modules require each other: the one that is released next.
func (t *tree) version() (string, error) {
	for _, m := range t.modules {
		for _, r := range m.file.Require {
			if r.Mod.Path == rootPath {
				return r.Mod.Version, nil
			}
		}
	}
	return "", errors.Errorf("no module requires %s", rootPath)
}
