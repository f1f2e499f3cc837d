package interop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/pkg/errors"
)

// nodeProjects are the projects of nodechaincode.
var nodeProjects = [...]string{"shim25", "contract25", "shim22"}

// install installs what the projects of nodechaincode need, where that has not been done yet.
func install(t testing.TB) {
	t.Helper()
	command(t, "node")
	npm := command(t, "npm")
	readSources(t)
	for _, project := range nodeProjects {
		if err := installOnce(npm, projectDir(t, project)); err != nil {
			t.Fatalf("install the packages of nodechaincode/%s: %v", project, err)
		}
	}
}

// readSources reads the chaincodes. That lets go test know that a result is no longer true when one has changed: it does
// not see what other processes read.
func readSources(t testing.TB) {
	for _, pattern := range []string{"nodechaincode/*.js", "nodechaincode/*/index.js", "nodechaincode/*/package.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("there is no %s: %v", pattern, err)
		}
		for _, f := range files {
			if _, err := os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// installing keeps tests that begin at once from installing the same. A lock on the file does for processes.
var installing sync.Mutex

// installOnce runs npm ci, unless node_modules is what package-lock.json says.
func installOnce(npm, dir string) error {
	installing.Lock()
	defer installing.Unlock()
	f, err := os.Open(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return errors.Wrap(err, "lock package-lock.json")
	}
	want, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	done := filepath.Join(dir, "node_modules", ".installed.json") // npm ci removes it with the folder
	if got, err := os.ReadFile(done); err == nil && bytes.Equal(got, want) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fmt.Fprintf(os.Stderr, "npm ci, in %s\n", dir)
	ci := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	ci.Dir = dir
	if out, err := ci.CombinedOutput(); err != nil {
		return errors.Wrapf(err, "npm ci: %s", out)
	}
	return os.WriteFile(done, want, 0o644)
}

// TestNodeLocks checks that the lock files name no registry: npm asks the one that its user has chosen.
func TestNodeLocks(t *testing.T) {
	for _, project := range nodeProjects {
		b, err := os.ReadFile(filepath.Join(projectDir(t, project), "package-lock.json"))
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			Packages map[string]struct{ Resolved, Integrity string }
		}
		if err := json.Unmarshal(b, &lock); err != nil {
			t.Fatal(err)
		}
		if len(lock.Packages) < 2 {
			t.Errorf("%s: no packages are locked", project)
		}
		for path, p := range lock.Packages {
			if p.Resolved != "" || p.Integrity == "" && path != "" {
				t.Errorf("%s: %s is locked with resolved %q and integrity %q: lock it with npm install --omit-lockfile-registry-resolved",
					project, path, p.Resolved, p.Integrity)
			}
		}
	}
}
