//go:build unix

package group_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// start completes what cfg lacks for a test.
func start(t *testing.T, cfg group.Config) (*group.Process, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	cfg.Log, cfg.LastLines, cfg.Grace = zap.New(core), 20, cmp.Or(cfg.Grace, patience)
	p, err := group.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p, logs
}

// wait returns how a program ended. ctx ends it.
func wait(ctx context.Context, t *testing.T, p *group.Process) *group.Exit {
	t.Helper()
	exit, err := p.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

// Of the peer's own, a program gets nothing that it isn't given, and no shell comes between.
func TestWhatAProgramIsGiven(t *testing.T) {
	t.Setenv("SECRET", "x")
	f, err := os.Create(filepath.Join(t.TempDir(), "open-in-peer"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cfg  group.Config
		want []string
	}{
		"no environment":  {group.Config{Path: "/usr/bin/env"}, nil},
		"its environment": {group.Config{Path: "/usr/bin/env", Env: []string{"A=$SECRET"}}, []string{"A=$SECRET"}},
		"its arguments":   {group.Config{Path: "/bin/echo", Args: []string{"$HOME; `ls`", "*", "'", "> x"}}, []string{"$HOME; `ls` * ' > x"}},
		"its folder":      {group.Config{Path: "/bin/pwd", Dir: dir}, []string{dir}},
		"nothing to read": {group.Config{Path: "/bin/cat"}, nil},
		"its descriptors": {group.Config{Path: "/bin/sh", Args: []string{"-c", `ls -l /dev/fd/ | grep open-in-peer`}, Env: os.Environ()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := start(t, test.cfg)
			if exit := wait(t.Context(), t, p); !slices.Equal(exit.LastLines, test.want) || exit.Stopped || exit.Signal != 0 {
				t.Errorf("%+v, want it to say %q", exit, test.want)
			}
		})
	}
}

// F29: a program that is stopped takes no SIGTERM. It is killed all the same.
func TestStoppedProgramIsKilled(t *testing.T) {
	const grace = 50 * time.Millisecond
	p, _ := start(t, group.Config{Path: "/bin/sh", Args: []string{"-c", "kill -STOP $$; exit 3"}, Grace: grace})
	for deadline := time.Now().Add(patience); ; {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
		if _, state, _ := bytes.Cut(stat, []byte(") ")); err != nil || strings.HasPrefix(string(state), "T") {
			break // without a /proc, it may be killed before it stops, which is as good
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not stop")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	exit := wait(ctx, t, p)
	if exit.Signal != syscall.SIGKILL || exit.Code != 137 || !exit.Stopped || exit.Overdue != grace {
		t.Errorf("%+v", exit)
	}
	how := errors.New("how")
	if err := exit.Err(how); !errors.Is(err, how) || err.Error() != "killed 50ms after SIGTERM: how" {
		t.Errorf("error is %v", err)
	}
}

// F65: what is printed is read for as long as anybody prints it, line or no line.
func TestEndlessOutput(t *testing.T) {
	p, logs := start(t, group.Config{Path: "/bin/sh", Args: []string{"-c", "head -c 50000000 /dev/zero; echo; echo done >&2"}, Env: os.Environ()})
	exit := wait(t.Context(), t, p)
	slices.Sort(exit.LastLines)
	want := []string{strings.Repeat(`\x00`, 512) + " … (49999488 bytes cut)", "done"}
	if !slices.Equal(exit.LastLines, want) || logs.Len() != 2 {
		t.Errorf("%d lines: %.100q", logs.Len(), exit.LastLines)
	}
}

func TestCannotStart(t *testing.T) {
	for _, cfg := range []group.Config{{Path: "/nowhere/at/all"}, {Path: "/bin/sh", Env: []string{"A=\x00"}}, {Path: "/bin/sh", Dir: "/nowhere"}} {
		cfg.Log = zap.NewNop()
		if p, err := group.Start(cfg); err == nil || p != nil {
			t.Errorf("%+v was started, %v", cfg, err)
		}
	}
}
