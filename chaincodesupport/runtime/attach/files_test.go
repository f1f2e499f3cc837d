package attach_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
)

// issuer mints one credential, and counts how often it was revoked.
type issuer struct {
	err     error
	revoked int
}

func (i *issuer) Issue(id string) (*runtime.Credential, error) {
	return &runtime.Credential{Key: []byte("key of " + id), Cert: []byte("certificate"), RootCert: []byte("root"), Revoke: func() { i.revoked++ }}, i.err
}

func readDir(t testing.TB, dir string) []fs.DirEntry {
	t.Helper()
	inside, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return inside
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func config(dir string) attach.Config {
	return attach.Config{ChaincodeID: "asset:1", PeerAddress: "127.0.0.1:7052", Dir: dir}
}

// The files are those of package process, for this user alone.
func TestFiles(t *testing.T) {
	needsUnix(t, "file modes that say who has access")
	dir := filepath.Join(t.TempDir(), "a", "b")
	cfg, issuer := config(dir), &issuer{}
	cfg.TLS = issuer
	rt := newRuntime(t, cfg)
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("folder is %v, %v", info, err)
	}
	var got []string
	for _, e := range readDir(t, dir) {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if e.Name() == "chaincode.env" {
			text = text[:1]
		}
		got = append(got, fmt.Sprint(e.Name(), " ", info.Mode(), " ", string(text)))
	}
	want := []string{
		"chaincode.env -rw------- #",
		"client.crt -rw------- Y2VydGlmaWNhdGU=",
		"client.key -rw------- a2V5IG9mIGFzc2V0OjE=",
		"client_pem.crt -rw------- certificate",
		"client_pem.key -rw------- key of asset:1",
		"peer.crt -rw------- root",
	}
	if !slices.Equal(got, want) {
		t.Errorf("folder has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if issuer.revoked != 0 {
		t.Error("the credential was revoked")
	}
	for range 2 {
		if err := rt.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if left := readDir(t, dir); len(left) > 0 || issuer.revoked != 1 {
		t.Errorf("left behind: %v; revoked %d times", left, issuer.revoked)
	}
}

// A shell that sources the file has the variables, whatever is in them, and does nothing else.
func TestEnvFile(t *testing.T) {
	needsUnix(t, "shell that could source the file")
	dir := filepath.Join(t.TempDir(), oddName)
	for name, test := range map[string]struct {
		cfg  attach.Config
		want []string
	}{
		"TLS": {attach.Config{ChaincodeID: "it's\n$(touch x)", PeerAddress: "peer.example.com:7052", MSPID: "'Org'1`MSP`\\", Dir: dir, TLS: &issuer{}},
			[]string{
				"CORE_CHAINCODE_ID_NAME=it's\n$(touch x)", "CORE_CHAINCODE_LOGGING_LEVEL=info", "CORE_CHAINCODE_LOGGING_SHIM=warning",
				"CORE_PEER_ADDRESS=peer.example.com:7052", "CORE_PEER_LOCALMSPID='Org'1`MSP`\\", "CORE_PEER_TLS_ENABLED=true",
				"CORE_PEER_TLS_ROOTCERT_FILE=" + dir + "/peer.crt",
				"CORE_TLS_CLIENT_CERT_FILE=" + dir + "/client_pem.crt", "CORE_TLS_CLIENT_CERT_PATH=" + dir + "/client.crt",
				"CORE_TLS_CLIENT_KEY_FILE=" + dir + "/client_pem.key", "CORE_TLS_CLIENT_KEY_PATH=" + dir + "/client.key",
			}},
		"plaintext": {attach.Config{ChaincodeID: "asset:1", PeerAddress: "unix:///run/it's", Dir: dir},
			[]string{
				"CORE_CHAINCODE_ID_NAME=asset:1", "CORE_CHAINCODE_LOGGING_LEVEL=info", "CORE_CHAINCODE_LOGGING_SHIM=warning",
				"CORE_PEER_ADDRESS=unix:///run/it's", "CORE_PEER_LOCALMSPID=SampleOrg", "CORE_PEER_TLS_ENABLED=false",
			}},
	} {
		t.Run(name, func(t *testing.T) {
			rt := newRuntime(t, test.cfg)
			// env -0, as values have newlines. What the shell sets itself is not ours.
			cmd := exec.Command("/bin/sh", "-eu", "-c", `. "$1"; exec /usr/bin/env -0`, "sh", rt.EnvFile())
			cmd.Env, cmd.Dir = []string{}, t.TempDir()
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var got []string
			for _, kv := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
				if strings.HasPrefix(kv, "CORE_") {
					got = append(got, kv)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("the shell has\n%q\nwant\n%q", got, test.want)
			}
			if made := readDir(t, cmd.Dir); len(made) > 0 {
				t.Errorf("the shell has made %v", made)
			}
			if err := rt.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The log says how, in a way that can be copied into a shell.
func TestLogSaysHow(t *testing.T) {
	needsUnix(t, "names of files as odd as this one's")
	core, logs := observer.New(zap.DebugLevel)
	cfg := config(filepath.Join(t.TempDir(), oddName))
	cfg.Logger = zap.New(core)
	rt := newRuntime(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx, "asset:1", nil) }()
	p := &testPeer{t: t, logs: logs}
	p.waits(1)
	if err := rt.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, attach.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
	e := logs.All()[0]
	quoted := "'" + strings.ReplaceAll(rt.EnvFile(), "'", `'\''`) + "'"
	want := map[string]any{"chaincode": "asset:1", "go": ". " + quoted + ` && ./chaincode -peer.address "$CORE_PEER_ADDRESS"`,
		"node": ". " + quoted + ` && fabric-chaincode-node start --peer.address "$CORE_PEER_ADDRESS"`}
	if e.LoggerName != "container" || e.Level != zap.InfoLevel || fmt.Sprint(e.ContextMap()) != fmt.Sprint(want) || logs.Len() != 1 {
		t.Errorf("%d lines, the first one %q with %v, want %v", logs.Len(), e.LoggerName, e.ContextMap(), want)
	}
}

// What an earlier peer has left, of which nothing was removed, is replaced, whichever part of it is there.
func TestLeftovers(t *testing.T) {
	whole := t.TempDir()
	cfg := config(filepath.Join(whole, "old"))
	cfg.TLS = &issuer{}
	newRuntime(t, cfg)
	all := readDir(t, cfg.Dir)
	for n := range len(all) + 1 { // chaincode.env is the first one of them
		dir := filepath.Join(t.TempDir(), "d")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, e := range all[:n] {
			text, err := os.ReadFile(filepath.Join(cfg.Dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, e.Name()), string(text))
		}
		rt := newRuntime(t, config(dir)) // which is plaintext
		if inside := readDir(t, dir); len(inside) != 1 || inside[0].Name() != "chaincode.env" {
			t.Errorf("of %d files there are %v", n, inside)
		}
		text, err := os.ReadFile(rt.EnvFile())
		if err != nil || !strings.Contains(string(text), "CORE_PEER_TLS_ENABLED='false'") {
			t.Errorf("chaincode.env has %s, %v", text, err)
		}
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "chaincode.env"), "") // as a power failure leaves it
	newRuntime(t, config(dir))
}

// A stranger's files stay as they are.
func TestFolderOfOthers(t *testing.T) {
	needsUnix(t, "file modes that say who has access, nor symbolic links for everybody")
	header := "# What ccpeer tells chaincode that is started by hand: source this file in the shell that starts it.\n"
	for name, test := range map[string]struct {
		fill func(t *testing.T, dir string)
		want string
	}{
		"another file": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "chaincode.env"), header)
			write(t, filepath.Join(dir, "notes"), "x")
		}, `has "notes" in it, which is not ours`},
		"their key": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "client.key"), "x") }, "has files in it that are not ours"},
		"their chaincode.env": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "chaincode.env"), "export A=b\n")
		}, "has files in it that are not ours"},
		"their chaincode.env of one byte": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "chaincode.env"), "\n")
		}, "has files in it that are not ours"},
		"link": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "..", "target"), header)
			if err := os.Symlink("../target", filepath.Join(dir, "chaincode.env")); err != nil {
				t.Fatal(err)
			}
		}, `has "chaincode.env" in it, which is not ours`},
		"folder": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "chaincode.env"), header)
			if err := os.Mkdir(filepath.Join(dir, "peer.crt"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, `has "peer.crt" in it, which is not ours`},
		"open to others": {func(t *testing.T, dir string) {
			if err := os.Chmod(dir, 0o750); err != nil {
				t.Fatal(err)
			}
		}, "is open to others than its owner: say chmod 700"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.fill(t, dir)
			before := fmt.Sprint(readDir(t, dir))
			issuer := &issuer{err: errors.New("asked too early")}
			cfg := config(dir)
			cfg.TLS = issuer
			_, err := attach.New(cfg)
			wantText(t, err, "prepare folder for chaincode's files: ", test.want)
			if after := fmt.Sprint(readDir(t, dir)); after != before {
				t.Errorf("folder has %s, had %s", after, before)
			}
		})
	}
}

// A file that can't be removed is in Close's error. The others are removed all the same.
func TestCloseFails(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "d"))
	cfg.TLS = &issuer{}
	rt, err := attach.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(cfg.Dir, "client.key")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(key, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(key, "notes"), "x")
	wantText(t, rt.Close(), "remove chaincode's files: ", "client.key")
	if left := readDir(t, cfg.Dir); len(left) != 1 || left[0].Name() != "client.key" {
		t.Errorf("left behind: %v", left)
	}
}

// Where New fails, nothing is left, and no certificate is good.
func TestNewFails(t *testing.T) {
	cfg := config(filepath.Join(t.TempDir(), "d"))
	cfg.TLS = &issuer{err: errors.New("out of ink")}
	_, err := attach.New(cfg)
	wantText(t, err, "issue the chaincode's credential: out of ink")
	if left := readDir(t, cfg.Dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	// Somebody is quicker than New: what they have put there isn't overwritten.
	minted := &issuer{}
	cfg.TLS = issuerFunc(func(id string) (*runtime.Credential, error) {
		write(t, filepath.Join(cfg.Dir, "peer.crt"), "theirs")
		return minted.Issue(id)
	})
	_, err = attach.New(cfg)
	wantText(t, err, "write chaincode's files: openat peer.crt: file exists")
	text, err := os.ReadFile(filepath.Join(cfg.Dir, "peer.crt"))
	if left := readDir(t, cfg.Dir); len(left) != 1 || string(text) != "theirs" || err != nil || minted.revoked != 1 {
		t.Errorf("left behind: %v, with %q, %v; revoked %d times", left, text, err, minted.revoked)
	}
}

type issuerFunc func(string) (*runtime.Credential, error)

func (f issuerFunc) Issue(id string) (*runtime.Credential, error) { return f(id) }

func TestNewRefuses(t *testing.T) {
	good := config(filepath.Join(t.TempDir(), "d"))
	for _, test := range []struct {
		set  func(*attach.Config)
		want string
	}{
		{func(c *attach.Config) { c.ChaincodeID = "" }, "the chaincode ID is empty"},
		{func(c *attach.Config) { c.ChaincodeID = "a\x00" }, "there is a NUL in it"},
		{func(c *attach.Config) { c.MSPID = "a\x00" }, "there is a NUL in it"},
		{func(c *attach.Config) { c.Dir = "" }, `folder "" is not an absolute path`},
		{func(c *attach.Config) { c.Dir = "d" }, `folder "d" is not an absolute path`},
		{func(c *attach.Config) { c.PeerAddress = "" }, `peer address "" cannot be dialled`},
		{func(c *attach.Config) { c.PeerAddress = "localhost:0" }, "cannot be dialled"},
		{func(c *attach.Config) { c.PeerAddress = "192.0.2.1:7052" }, "plaintext is for loopback"},
		{func(c *attach.Config) { c.PeerAddress = "unix://p" }, "has no absolute path"},
	} {
		cfg := good
		test.set(&cfg)
		rt, err := attach.New(cfg)
		if rt != nil {
			t.Errorf("%+v is accepted", cfg)
		}
		wantText(t, err, "configure attach runtime: ", test.want)
	}
	if _, err := os.Stat(good.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was made: %v", err)
	}
	far := good
	far.PeerAddress, far.TLS = "192.0.2.1:7052", &issuer{}
	newRuntime(t, far)
}
