package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	storePath = rootPath + "/ledger/kvledger/store/"
	version   = "v0.1.0"
)

// goodTree is a repository that can be released. Its modules require nothing that is to be downloaded.
func goodTree() map[string]string {
	requireRoot := "\n\nrequire " + rootPath + " v0.1.0\n"
	files := map[string]string{
		"go.mod":          "module " + rootPath + "\n\ngo 1.25.0\n",
		"root.go":         "package ccpeer\n",
		"examples/go.mod": "module " + rootPath + "/examples\n\ngo 1.26.0" + requireRoot,
		"cmd/ccpeer/go.mod": "module " + rootPath + "/cmd/ccpeer\n\ngo 1.26.0\n\nrequire (\n\t" + rootPath + " v0.1.0\n\t" +
			storePath + "etcd v0.1.0\n)\n",
		"go.work": "go 1.26.0\n\nuse (\n\t.\n\t./chaincodetest/fabricshim\n\t./cmd/ccpeer\n\t./examples\n\t./ledger/kvledger/store/etcd\n\t./ledger/kvledger/store/pebble\n" +
			"\t./ledger/kvledger/store/postgres\n)\n\nreplace (\n\t" + rootPath + " v0.1.0 => ./\n\t" +
			storePath + "etcd v0.1.0 => ./ledger/kvledger/store/etcd\n)\n",
		".bin/go.mod":                          "module example.com/tool\n",
		"examples/node_modules/there/go.mod":   "module example.com/there\n",
		"examples/testdata/chaincode/go.mod":   "module example.com/chaincode\n",
		"cmd/ccpeer/main.go":                   "package main\n\nimport _ \"" + rootPath + "\"\n\nfunc main() {}\n",
		"ledger/kvledger/store/etcd/etcd.go":   "package etcd\n\nimport _ \"" + rootPath + "\"\n",
		"ledger/kvledger/store/etcd/.git/note": "",
	}
	const stores = "ledger/kvledger/store/"
	for _, folder := range []string{"chaincodetest/fabricshim", stores + "etcd", stores + "pebble", stores + "postgres"} {
		files[folder+"/go.mod"] = "module " + pathOf(folder) + "\n\ngo " + goLine(folder) + requireRoot
	}
	return files
}

// write writes a repository, and returns its folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func loadFiles(t *testing.T, files map[string]string) *tree {
	t.Helper()
	tree, err := load(write(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestLoad(t *testing.T) {
	tree := loadFiles(t, goodTree())
	var got []string
	for _, m := range tree.modules {
		got = append(got, m.folder)
	}
	want := append(published(), "examples")
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the modules are %q, want %q", got, want)
	}
	if v, err := tree.version(); v != version || err != nil {
		t.Errorf("the version is %s (%v), want %s", v, err, version)
	}
}

func TestViolations(t *testing.T) {
	const program, etcd = "cmd/ccpeer/go.mod", "ledger/kvledger/store/etcd/go.mod"
	for _, c := range []struct {
		name, file, old, new string
		want                 string // "" if it can be released
	}{
		{name: "good"},
		{"replaced", program, "go 1.26.0", "go 1.26.0\n\nreplace example.com/x => ../x", "cmd/ccpeer/go.mod: it replaces example.com/x: go install refuses"},
		{"replaced root", etcd, "go 1.26.0", "go 1.26.0\n\nreplace " + rootPath + " => ../../../..", "it replaces " + rootPath + ", which is for go.work"},
		{"replaced in an example", "examples/go.mod", "go 1.26.0", "go 1.26.0\n\nreplace " + rootPath + " => ..", "examples/go.mod: it replaces " + rootPath},
		{"another's replaced in an example", "examples/go.mod", "go 1.26.0", "go 1.26.0\n\nreplace example.com/x => ../x", ""},
		{"excluded", "go.mod", "go 1.25.0", "go 1.25.0\n\nexclude example.com/x v1.0.0", "./go.mod: it excludes example.com/x"},
		{"toolchain", "go.mod", "go 1.25.0", "go 1.25.0\n\ntoolchain go1.26.8", "./go.mod: it names a toolchain"},
		{"lifted", etcd, "go 1.26.0", "go 1.27.0", "etcd/go.mod: it doesn't ask for go 1.26.0"},
		{"v0.0.0", etcd, "v0.1.0", "v0.0.0", "it requires " + rootPath + " at v0.0.0, and not at v0.1.0"},
		{"pseudo-version", program, "etcd v0.1.0", "etcd v0.0.0-00010101000000-000000000000", "etcd at v0.0.0-00010101000000-000000000000, and not at v0.1.0"},
		{"not published", program, "store/etcd v0.1.0", "store/memory v0.1.0", "store/memory, which is not published"},
		{"tagged later", etcd, "ccpeer v0.1.0", "ccpeer/cmd/ccpeer v0.1.0", "cmd/ccpeer, which is not tagged before it"},
		{"wrong name", program, "module " + rootPath + "/cmd/ccpeer", "module " + rootPath + "/ccpeer", "the module is not called " + rootPath + "/cmd/ccpeer"},
		{"not used", "go.work", "\t./examples\n", "", "go.work: it doesn't use ./examples"},
		{"not found in the workspace", "go.work", "etcd v0.1.0 =>", "etcd v0.0.9 =>", "go.work: it doesn't replace " + storePath + "etcd@v0.1.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := goodTree()
			if c.file != "" {
				files[c.file] = strings.Replace(files[c.file], c.old, c.new, 1)
			}
			got := strings.Join(loadFiles(t, files).violations(version), "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("violations are %q, want %q", got, c.want)
			}
		})
	}
	for _, v := range []string{"v0.0.0", "v0.1", "0.1.0", "v0.0.0-00010101000000-000000000000"} {
		if got := loadFiles(t, goodTree()).violations(v); len(got) == 0 || !strings.Contains(got[0], "is not a version") {
			t.Errorf("%s: violations are %q", v, got)
		}
	}
}

// A module that has gone isn't released.
func TestViolationsOfAbsent(t *testing.T) {
	files := goodTree()
	delete(files, "cmd/ccpeer/go.mod")
	if got := loadFiles(t, files).violations(version); !slices.Contains(got, "cmd/ccpeer: there is no module") {
		t.Errorf("violations are %q", got)
	}
}

// Another version is required everywhere at once, and no half of it can be released.
func TestRaise(t *testing.T) {
	dir := write(t, goodTree())
	t.Chdir(dir)
	for _, version := range []string{"v0.2.0", "v0.2.0"} {
		if err := run(t.Context(), []string{"raise", version}, io.Discard); err != nil {
			t.Fatal(err)
		}
		tree, err := load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := tree.violations(version); len(got) > 0 {
			t.Errorf("violations of %s are %q", version, got)
		}
	}
	for _, version := range []string{"v0.1.0", "0.3.0", "v0.3", ""} {
		if err := run(t.Context(), []string{"raise", version}, io.Discard); err == nil {
			t.Errorf("raise %q: no error", version)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Chdir(write(t, goodTree()))
	for _, args := range [][]string{{}, {"publish"}, {"check", "v0.1.0"}, {"tidy", "-n"}, {"raise"}} {
		if err := run(t.Context(), args, io.Discard); err != errUsage {
			t.Errorf("%q: error is %v, want %v", args, err, errUsage)
		}
	}
}
