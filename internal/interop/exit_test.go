package interop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// F61: what a chaincode prints that ends before it has registered is in the launch's error, at once, as is its exit status.
func TestEndsBeforeRegistering(t *testing.T) {
	t.Parallel()
	install(t)
	for _, test := range []struct {
		name  string
		start func(t *testing.T) process.Config
		want  []string
	}{
		{"go, wrong setting", func(t *testing.T) process.Config {
			return process.Config{Command: self(t), Env: []string{childVar + "=" + goFamily, "CORE_PEER_TLS_ENABLED=perhaps"}}
		}, []string{"container exited with 1: 'CORE_PEER_TLS_ENABLED' must be set to 'true' or 'false'"}},
		{"go, panic", func(t *testing.T) process.Config {
			return process.Config{Command: self(t), Env: []string{childVar + "=" + panicFamily}}
		}, []string{"container exited with 2: panic: no contract ("}},
		{"node, syntax error", nodeProgram("const a = ;\n"),
			[]string{"container exited with 1: SyntaxError: Unexpected token ';' (index.js:1)"}},
		{"node, no such module", nodeProgram("require('missing-module');\n"),
			[]string{"container exited with 1", "Cannot find module 'missing-module'"}},
		{"node, ends in good order", nodeProgram("console.error('nothing to do');\n"),
			[]string{"container exited with 0: nothing to do"}},
		{"contracts, syntax error", contractProgram("exports.contracts = [;\n"),
			[]string{"container exited with 1: SyntaxError: Unexpected token ';' ("}},
		{"contracts, error", contractProgram("throw new Error('no contracts today');\n"),
			[]string{"container exited with 1", "Error: no contracts today"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newUnlaunched(t, way{family: goWays()[0].family, name: "tcp", listen: listenTCP, runtime: func(t testing.TB, address string) runtime.Runtime {
				cfg := test.start(t.(*testing.T))
				cfg.PeerAddress = address
				return newProcess(t, cfg)
			}})
			err := p.Launch(t.Context(), "a:1")
			var exit *process.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("Launch: %v", err)
			}
			for _, text := range append(test.want, "chaincode registration failed: ") {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("Launch: %v, want %q in it", err, text)
				}
			}
		})
	}
}

// nodeProgram is chaincode that is this text.
func nodeProgram(text string) func(*testing.T) process.Config {
	return func(t *testing.T) process.Config {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "index.js"), text)
		return process.Config{Command: command(t, "node"), Args: []string{"index.js", "--peer.address", "{{.PeerAddress}}"}, Dir: dir}
	}
}

// contractProgram is a project with contracts that are this text, run with the program that fabric-shim brings along.
func contractProgram(text string) func(*testing.T) process.Config {
	return func(t *testing.T) process.Config {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "index.js"), text)
		writeFile(t, filepath.Join(dir, "package.json"), `{"name": "wrong", "version": "1.0.0", "main": "index.js"}`)
		return nodeContractProcess(t, "start", "--peer.address", "{{.PeerAddress}}", "--module-path", dir)
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
