//go:build unix

package process_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// F106: a peer that was killed has left keys behind. The next one removes them, and nothing else.
func TestAbandonedKeys(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	// The chaincode of the other peer says where its keys are, and stays.
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), childVar+"=keyholder", "TMPDIR="+tmp)
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill() }()
	for lines, line := bufio.NewReader(stdout), ""; !strings.Contains(line, "ready"); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("the other peer said %q, %v", line, err)
		}
	}
	held, err := filepath.Glob(filepath.Join(tmp, "chaincode-tls-*"))
	if err != nil || len(held) != 1 {
		t.Fatalf("the other peer's keys are in %q, %v", held, err)
	}
	outside, young, link := t.TempDir(), filepath.Join(tmp, "chaincode-tls-young"), filepath.Join(tmp, "chaincode-tls-link")
	if err := os.Mkdir(young, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tmp, "chaincode-tls-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	longAgo := time.Now().Add(-time.Hour)
	for _, name := range []string{held[0], file, outside} {
		if err := os.Chtimes(name, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	runOnce := func() {
		t.Helper()
		cfg := process.Config{Command: "/bin/sh", Args: []string{"-c", ""}, PeerAddress: "127.0.0.1:7052", TLS: &issuer{}}
		wantExit(t, newRuntime(t, cfg).Run(t.Context(), "cc:1", nil), 0, 0)
	}
	there := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := os.Lstat(name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	runOnce()
	there(held[0], young, link, file, outside)
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	runOnce()
	there(young, link, file, outside)
	if _, err := os.Lstat(held[0]); !os.IsNotExist(err) {
		t.Errorf("the keys of the peer that was killed are still there: %v", err)
	}
}

// holdKeys plays the peer that is killed: its chaincode says that it is there, and stays.
func holdKeys() {
	r, err := process.New(process.Config{Command: "/bin/sh", Args: []string{"-c", "echo ready; exec sleep 1000"},
		PeerAddress: "127.0.0.1:7052", TLS: &issuer{}, Logger: zap.NewExample()})
	must(err)
	must(r.Run(context.Background(), "cc:1", nil))
}
