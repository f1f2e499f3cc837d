package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pkg/errors"
)

// outcome is what has become of a mutant.
type outcome string

const (
	killed   outcome = "killed"   // a test failed, or took too long
	survived outcome = "SURVIVED" // all tests passed
	unborn   outcome = "unborn"   // it doesn't compile
)

// runner runs the tests of packages.
type runner struct {
	flags []string // of go test
	limit time.Duration
	dir   string // for what go test is given
}

// baseline runs a package's tests as they are. Tests that fail anyhow would kill every mutant.
func (r *runner) baseline(ctx context.Context, folder string) error {
	out, err := r.test(ctx, folder, nil)
	if err != nil {
		return errors.Wrapf(err, "test %s without any fault: %s", folder, out)
	}
	return nil
}

// try runs the tests of a mutant's package on it. The tree isn't touched: go test takes the file from elsewhere.
func (r *runner) try(ctx context.Context, m *mutant) (outcome, error) {
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", errors.Wrap(err, "find source")
	}
	text := filepath.Join(r.dir, "mutant.go")
	if err := os.WriteFile(text, m.text, 0o600); err != nil {
		return "", errors.Wrap(err, "write mutant")
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: text}})
	if err != nil {
		return "", errors.Wrap(err, "encode overlay")
	}
	list := filepath.Join(r.dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", errors.Wrap(err, "write overlay")
	}
	out, err := r.test(ctx, m.folder, []string{"-overlay", list})
	var exit *exec.ExitError
	switch {
	case err == nil:
		return survived, nil
	case bytes.Contains(out, []byte("[build failed]")) || bytes.Contains(out, []byte("[setup failed]")):
		return unborn, nil
	case errors.As(err, &exit) && ctx.Err() == nil:
		return killed, nil
	}
	return "", errors.Wrapf(err, "run go test: %s", out)
}

// test runs go test. One that hangs is ended by go test itself and, if that hangs too, by its process.
func (r *runner) test(ctx context.Context, folder string, flags []string) ([]byte, error) {
	args := append([]string{"test", "-vet=off", "-failfast", "-count=1", "-timeout", r.limit.String()}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(append(args, r.flags...), ".")...)
	cmd.Dir, cmd.WaitDelay = folder, 10*time.Second
	return cmd.CombinedOutput()
}
