//go:build unix

package process_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// issuer mints credentials that say whom they are for, and notes what was revoked.
type issuer struct {
	err error

	mu      sync.Mutex
	revoked []string
}

func (i *issuer) Issue(chaincodeID string) (*runtime.Credential, error) {
	if i.err != nil {
		return nil, i.err
	}
	return &runtime.Credential{
		Key: []byte("key of " + chaincodeID), Cert: []byte("certificate of " + chaincodeID), RootCert: []byte("root"),
		Revoke: func() {
			i.mu.Lock()
			defer i.mu.Unlock()
			i.revoked = append(i.revoked, chaincodeID)
		},
	}, nil
}

// wantRevoked also checks that no file is left behind in TMPDIR, which is dir.
func (i *issuer) wantRevoked(t *testing.T, dir string, want ...string) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if !slices.Equal(i.revoked, want) {
		t.Errorf("revoked %q, want %q", i.revoked, want)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	core, logs := observer.New(zap.InfoLevel)
	cfg, issuer := config(t, "files", "peer.example.com:7052"), &issuer{}
	cfg.TLS, cfg.Logger = issuer, zap.New(core)
	wantExit(t, wait(t, run(t.Context(), newRuntime(t, cfg))), 0, 0)
	var got []string
	for _, e := range logs.FilterLoggerName("peer.chaincode.asset:1").All() {
		got = append(got, e.Message)
	}
	const modes = " -rw------- drwx------ "
	want := []string{
		"CORE_PEER_TLS_ENABLED true",
		"CORE_PEER_TLS_ROOTCERT_FILE peer.crt" + modes + "root",
		"CORE_TLS_CLIENT_CERT_FILE client_pem.crt" + modes + "certificate of asset:1",
		"CORE_TLS_CLIENT_CERT_PATH client.crt" + modes + "Y2VydGlmaWNhdGUgb2YgYXNzZXQ6MQ==",
		"CORE_TLS_CLIENT_KEY_FILE client_pem.key" + modes + "key of asset:1",
		"CORE_TLS_CLIENT_KEY_PATH client.key" + modes + "a2V5IG9mIGFzc2V0OjE=",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("chaincode was given\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	issuer.wantRevoked(t, dir, "asset:1")
}

// A chaincode ID is a variable's value, and no part of a path.
func TestHostileChaincodeID(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", filepath.Join(dir, "tmp"))
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	issuer := &issuer{}
	r := newRuntime(t, process.Config{Command: "/bin/sh", Args: []string{"-c", `echo "$CORE_CHAINCODE_ID_NAME"; echo "$CORE_TLS_CLIENT_KEY_FILE"`},
		PeerAddress: "127.0.0.1:7052", TLS: issuer})
	for _, id := range []string{"../../evil", "/evil", "..", "a/../../evil", "$(touch evil)"} {
		last := wantExit(t, r.Run(t.Context(), id, nil), 0, 0)
		key := regexp.MustCompile("^" + regexp.QuoteMeta(dir) + "/tmp/chaincode-tls-[0-9]+/client_pem.key$")
		if len(last) != 2 || last[0] != id || !key.MatchString(last[1]) {
			t.Errorf("chaincode %q was given %q", id, last)
		}
	}
	if inside, err := os.ReadDir(dir); err != nil || len(inside) != 1 {
		t.Errorf("beside the folder for temporary files there is %v, %v", inside, err)
	}
	issuer.wantRevoked(t, filepath.Join(dir, "tmp"), "../../evil", "/evil", "..", "a/../../evil", "$(touch evil)")
}

func TestTLSOfChaincodeThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, test := range []struct {
		name    string
		issuer  *issuer
		env     string
		tmp     string
		want    string
		revoked []string
	}{
		{"no credential", &issuer{err: errors.New("out of ink")}, "A=b", dir, "error starting container: out of ink", nil},
		{"no process", &issuer{}, "A=\x00", dir, "environment variable contains NUL", []string{"asset:1"}},
		{"no folder", &issuer{}, "A=b", "/nowhere", "error starting container: write the chaincode's TLS files: ", []string{"asset:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("TMPDIR", test.tmp)
			r := newRuntime(t, process.Config{
				Command: "/bin/sh", PeerAddress: "127.0.0.1:7052", TLS: test.issuer, Env: []string{test.env},
			})
			err := r.Run(t.Context(), "asset:1", nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Run returned %v, want %s", err, test.want)
			}
			test.issuer.wantRevoked(t, dir, test.revoked...)
		})
	}
}
