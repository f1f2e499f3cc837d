//go:build unix

package process_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/internal/lockdir"
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
	outside, young, link := t.TempDir(), filepath.Join(tmp, "chaincode-tls-1"), filepath.Join(tmp, "chaincode-tls-2")
	if err := os.Mkdir(young, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(tmp, "chaincode-tls-3")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	longAgo := time.Now().Add(-time.Hour)
	for _, name := range []string{held[0], file, outside} {
		if err := os.Chtimes(name, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	rt := newRuntime(t, process.Config{Command: "/bin/sh", Args: []string{"-c", ""}, PeerAddress: "127.0.0.1:7052", TLS: &issuer{}})
	runOnce := func() {
		t.Helper()
		wantExit(t, rt.Run(t.Context(), "cc:1", nil), 0, 0)
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
	now := time.Now() // the peer was killed right after the launch
	if err := os.Chtimes(held[0], now, now); err != nil {
		t.Fatal(err)
	}
	runOnce()
	there(held[0])
	if err := os.Chtimes(held[0], longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	runOnce()
	there(young, link, file, outside)
	if _, err := os.Lstat(held[0]); !os.IsNotExist(err) {
		t.Errorf("the keys of the peer that was killed are still there: %v", err)
	}
}

// F160: what somebody else keeps in a folder with a similar name stays, however old it is.
func TestForeignFolders(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	all := []string{
		"chaincode-tls-certs/client.key",         // named by a person
		"chaincode-tls-certs2/ca/key.pem",        // and with other things
		"chaincode-tls-17/notes.txt",             // by chance named as ours
		"chaincode-tls-18/client.crt/client.crt", // with a folder that is named as our file
		"chaincode-tls-19/client.crt",            // with a file of ours beside somebody's
		"chaincode-tls-19/thesis.txt",
	}
	longAgo := time.Now().Add(-time.Hour)
	for _, name := range append(all, "chaincode-tls-20/client.key", "chaincode-tls-21/") {
		path := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	folders, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range folders {
		if err := os.Chtimes(name, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	cfg := process.Config{Command: "/bin/sh", Args: []string{"-c", ""}, PeerAddress: "127.0.0.1:7052", TLS: &issuer{}}
	wantExit(t, newRuntime(t, cfg).Run(t.Context(), "cc:1", nil), 0, 0)
	for _, name := range all {
		if _, err := os.Lstat(filepath.Join(tmp, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"chaincode-tls-20", "chaincode-tls-21"} { // a peer was killed while it wrote them
		if _, err := os.Lstat(filepath.Join(tmp, name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
}

// F164: the folder for temporary files is on a file system that has no locks. Chaincode is started all the same.
func TestKeysWithoutLocks(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	core, logs := observer.New(zap.WarnLevel)
	rt := newRuntime(t, process.Config{Command: "/bin/sh", Args: []string{"-c", `test -f "$CORE_TLS_CLIENT_KEY_PATH"`},
		PeerAddress: "127.0.0.1:7052", TLS: &issuer{}, Logger: zap.New(core)})
	process.SetLock(rt, func(string) (func(), error) { return nil, syscall.EOPNOTSUPP })
	for range 3 {
		wantExit(t, rt.Run(t.Context(), "cc:1", nil), 0, 0)
	}
	if all := logs.All(); len(all) != 1 || all[0].ContextMap()["error"] != syscall.EOPNOTSUPP.Error() {
		t.Errorf("logged: %v", all)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	process.SetLock(rt, func(string) (func(), error) { return nil, lockdir.ErrLocked })
	if err := rt.Run(t.Context(), "cc:1", nil); !errors.Is(err, lockdir.ErrLocked) {
		t.Errorf("Run: %v", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// holdKeys plays the peer that is killed: its chaincode says that it is there, and stays.
func holdKeys() {
	r, err := process.New(process.Config{Command: "/bin/sh", Args: []string{"-c", "echo ready; exec sleep 1000"},
		PeerAddress: "127.0.0.1:7052", TLS: &issuer{}, Logger: zap.NewExample()})
	must(err)
	must(r.Run(context.Background(), "cc:1", nil))
}
