package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
)

// stranger is somebody who has Go, a folder, and a module proxy that has what is published.
type stranger struct {
	dir string
	env []string
	out io.Writer
}

// newStranger makes one, with a module cache of its own: what was checked yesterday under the same version must not be
// there. What the user's module cache has of other modules is taken from there.
func newStranger(ctx context.Context, dir string, out io.Writer) (*stranger, error) {
	had, err := goEnv(ctx, "GOMODCACHE", "GOPROXY", "GOFLAGS")
	if err != nil {
		return nil, err
	}
	s := &stranger{dir: dir, out: out}
	s.env = append(os.Environ(),
		"GOWORK=off", "GO111MODULE=on", "GOPRIVATE=", "GONOPROXY=", "GONOSUMDB="+rootPath,
		"GOMODCACHE="+filepath.Join(dir, "modcache"),
		"GOBIN="+s.bin(),
		"CGO_ENABLED=0", // spares a C compiler half a minute of Pebble's zstd
		// By -trimpath the go command knows what it has built before, in spite of the other module cache.
		"GOFLAGS="+strings.TrimSpace(had[2]+" -modcacherw -trimpath"),
		"GOPROXY=file://"+filepath.ToSlash(s.proxy())+",file://"+filepath.ToSlash(filepath.Join(had[0], "cache", "download"))+","+had[1],
	)
	return s, nil
}

// goEnv returns what the go command takes variables to be.
func goEnv(ctx context.Context, names ...string) ([]string, error) {
	text, err := exec.CommandContext(ctx, "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return nil, errors.Wrap(err, "ask for Go's environment")
	}
	values := strings.Split(string(text), "\n")
	if len(values) != len(names)+1 {
		return nil, errors.Errorf("go env prints %d lines for %d variables", len(values)-1, len(names))
	}
	return values[:len(names)], nil
}

func (s *stranger) proxy() string { return filepath.Join(s.dir, "proxy") }

func (s *stranger) bin() string { return filepath.Join(s.dir, "bin") }

// module makes a folder with a new module.
func (s *stranger) module(ctx context.Context, name string) (dir string, err error) {
	dir = filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", errors.Wrap(err, "make a folder")
	}
	_, err = s.run(ctx, dir, "go", "mod", "init", "example.com/"+name)
	return dir, err
}

// run runs a command in a folder, says so, and returns what it printed on standard output.
func (s *stranger) run(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, s.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begun := time.Now()
	err := cmd.Run()
	line := s.line(name, args)
	_, _ = fmt.Fprintf(s.out, "  %5.1fs  %s\n", time.Since(begun).Seconds(), line)
	if err != nil {
		return "", errors.Errorf("in the module %s, %s: %v\n%s%s", filepath.Base(dir), line, err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// line is a command as it is shown: without the stranger's folder, and with two of many packages.
func (s *stranger) line(name string, args []string) string {
	if more := len(args) - 3; more > 1 && strings.HasPrefix(args[3], rootPath) {
		args = append(slices.Clone(args[:3]), fmt.Sprintf("and %d more", more))
	}
	return strings.ReplaceAll(filepath.Base(name)+" "+strings.Join(args, " "), s.dir, "$DIR")
}
