package clients_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pkg/errors"
)

// nodeProjects are the programs in JavaScript.
var nodeProjects = [...]string{"node", "legacy"}

// node is the command of a program in JavaScript. It installs what that needs, where that has not been done yet.
func node(project string, args ...string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		t.Helper()
		path := command(t, "node")
		readSources(t, project+"/*.js", project+"/package.json")
		if err := once(filepath.Join(project, "package-lock.json"), filepath.Join(project, "node_modules", ".installed.json"), func() error {
			ci := exec.Command(command(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")
			ci.Dir = project
			return runs(ci)
		}); err != nil {
			t.Fatalf("install the packages of %s: %v", project, err)
		}
		return append([]string{path, filepath.Join(project, "index.js")}, args...)
	}
}

// command finds a program that others must have installed. In CI it is there.
func command(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// readSources reads a program. That lets go test know that a result is no longer true when one has changed: it does not see what
// other processes read.
func readSources(t *testing.T, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
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

// once does something unless it was done for the file as it is: then done has its content. Others who want the same wait.
func once(file, done string, do func() error) error {
	f, err := os.Open(file)
	if err != nil {
		return errors.WithStack(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return errors.Wrapf(err, "lock %s", file)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		return errors.WithStack(err)
	}
	if got, err := os.ReadFile(done); err == nil && bytes.Equal(got, want) {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.WithStack(err)
	}
	fmt.Fprintf(os.Stderr, "installing what %s says\n", file)
	if err := do(); err != nil {
		return err
	}
	return errors.WithStack(os.WriteFile(done, want, 0o644))
}

func runs(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	return errors.Wrapf(err, "%s: %s", cmd, out)
}

// TestLocks checks that the lock files name no registry: npm asks the one that its user has chosen.
func TestLocks(t *testing.T) {
	for _, project := range nodeProjects {
		b, err := os.ReadFile(filepath.Join(project, "package-lock.json"))
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
