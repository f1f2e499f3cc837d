package network

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// logged is how much of a process's output is shown when a test fails.
const logged = 8 << 10

// start starts a program that runs until the test ends, and returns its process's ID. What it prints is shown if the test fails.
func start(t testing.TB, name string, cmd *exec.Cmd) int {
	t.Helper()
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	together(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		kill(cmd)
		_ = cmd.Wait() // that it was killed
		if t.Failed() {
			t.Logf("%s printed at last:\n%s", name, out)
		}
	})
	return cmd.Process.Pid
}

// program is one of those that Build has built.
func program(bin, name, dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir, "FABRIC_LOGGING_SPEC=warn")
	return cmd
}

// tail keeps the end of what is written.
type tail struct {
	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	if len(t.end) > 2*logged {
		t.end = bytes.Clone(t.end[len(t.end)-logged:])
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.end[max(0, len(t.end)-logged):])
}
