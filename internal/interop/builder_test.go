package interop_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// packaged is a file of a package: its name and what is in it.
type packaged struct{ name, text string }

// archive is a .tar.gz.
func archive(t testing.TB, files ...packaged) string {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for _, f := range files {
		if err := tw.WriteHeader(&tar.Header{Name: f.name, Mode: 0o100644, Uid: 500, Gid: 500, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, f.text); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Closer{tw, gz} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// newPackage makes a chaincode package as "peer lifecycle chaincode package" does.
func newPackage(t testing.TB, kind string, code ...packaged) *builder.Package {
	t.Helper()
	metadata := fmt.Sprintf(`{"path":"example.com/%s","type":%q,"label":"asset_1.0"}`, kind, kind)
	file := archive(t, packaged{"metadata.json", metadata}, packaged{"code.tar.gz", archive(t, code...)})
	p, err := builder.ParsePackage(strings.NewReader(file), builder.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// golangPackage is the chaincode of testdata/golang.
func golangPackage(t testing.TB) *builder.Package {
	t.Helper()
	var code []packaged
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		text, err := os.ReadFile(filepath.Join("testdata", "golang", name))
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, packaged{"src/" + name, string(text)})
	}
	return newPackage(t, "golang", code...)
}

// builders are those of testdata/builders. The one for Go gets these variables.
func builders(t testing.TB, propagate ...string) []builder.Builder {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", "builders"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"ccaas/bin/detect", "ccaas/bin/build", "ccaas/bin/release", "golang/bin/detect", "golang/bin/build", "golang/bin/run"} {
		if _, err := os.ReadFile(filepath.Join(dir, script)); err != nil { // so that go test knows when one changes
			t.Fatal(err)
		}
	}
	return []builder.Builder{
		{Name: "ccaas", Path: filepath.Join(dir, "ccaas")},
		{Name: "golang", Path: filepath.Join(dir, "golang"), PropagateEnvironment: propagate},
	}
}

// goEnvironment is what the go command wants to be told.
var goEnvironment = []string{"HOME", "GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN"}

// newBuilderPeer is a peer that runs a package as its chaincode a.
func newBuilderPeer(t testing.TB, f *family, dir string, p *builder.Package) (*testPeer, *builder.Runtime) {
	t.Helper()
	auth := authenticator(t)
	var rt *builder.Runtime
	w := way{family: f, name: "package", listen: listenTCP, runtime: func(t testing.TB, address string) runtime.Runtime {
		rt = newBuilderRuntime(t, builder.Config{Dir: dir, PeerAddress: address, TLS: auth, MSPID: mspID, Builders: builders(t, goEnvironment...)})
		return rt
	}}
	peer := newUnlaunched(t, w, identified(auth), func(c *chaincodesupport.Config) {
		c.Runtimes = choose(func(chaincodeID string) runtime.Runtime {
			if chaincodeID == p.ID {
				return rt
			}
			return nil
		})
	})
	peer.policy.defineAs("a", chaincodesupport.Definition{ChaincodeID: p.ID, Version: "1.0"})
	return peer, rt
}

// identified has chaincode prove who it is.
func identified(auth *accesscontrol.Authenticator) setting {
	return func(c *chaincodesupport.Config) { c.Credentials, c.Identify = auth.ServerCredentials(), auth.Identify }
}

func newBuilderRuntime(t testing.TB, cfg builder.Config) *builder.Runtime {
	t.Helper()
	rt, err := builder.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// A package of Go's is compiled, and runs by mutual TLS with what chaincode.json gives it. A peer that comes later finds
// the build.
func TestGolangPackage(t *testing.T) {
	t.Parallel()
	pkg, dir := golangPackage(t), t.TempDir()
	f := goWays()[0].family
	p, rt := newBuilderPeer(t, f, dir, pkg)
	if err := p.Launch(t.Context(), pkg.ID); !errors.Is(err, builder.ErrNotBuilt) {
		t.Errorf("Launch: %v", err)
	}
	if _, err := rt.Build(t.Context(), pkg); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p.text(fmt.Sprintf("PutState k%d v", i))
		if got := p.text(fmt.Sprintf("GetState k%d", i)); got != "v" {
			t.Errorf("GetState: %q", got)
		}
		if err := p.Stop(t.Context(), pkg.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(matching(p.trace.take(), "> REGISTER ")); got != 3 {
		t.Errorf("it has registered %d times", got)
	}
	inside, err := os.ReadDir(dir)
	if err != nil || len(inside) != 1 {
		t.Errorf("beside the build, there is %v, %v", inside, err)
	}
	later, _ := newBuilderPeer(t, f, dir, pkg)
	later.text("PutState k v")
}

// What a build needs of the peer's environment it has to be given.
func TestGolangPackageWithoutEnvironment(t *testing.T) {
	t.Parallel()
	rt := newBuilderRuntime(t, builder.Config{Dir: t.TempDir(), PeerAddress: "127.0.0.1:1", Builders: builders(t)})
	_, err := rt.Build(t.Context(), golangPackage(t))
	var script *builder.ScriptError
	if !errors.As(err, &script) || script.Script != "build" || !strings.Contains(err.Error(), "cache") {
		t.Errorf("Build: %v", err)
	}
}

// A package of chaincode that runs as a service has the peer dial the server, by mutual TLS, and again when that has gone
// away and come back.
func TestServicePackage(t *testing.T) {
	t.Parallel()
	atOnce(t, secureServers(t), func(t *testing.T, s secured) {
		address, err := unusedAddress()
		if err != nil {
			t.Fatal(err)
		}
		cfg := s.process(t)
		cfg.PeerAddress, cfg.Env = address, append([]string{serverVar + "=" + address}, cfg.Env...)
		seen := new(watched)
		seen.watch(&cfg)
		proofs, err := (&serverTLS{ca: newAuthority(t)}).proofs(&cfg, address)
		if err != nil {
			t.Fatal(err)
		}
		file, err := json.Marshal(proofs.connection)
		if err != nil {
			t.Fatal(err)
		}
		pkg := newPackage(t, "ccaas", packaged{"./connection.json", string(file)})
		p, rt := newBuilderPeer(t, s.family, t.TempDir(), pkg)
		if _, err := rt.Build(t.Context(), pkg); err != nil {
			t.Fatal(err)
		}
		stop := serveService(t, cfg, pkg.ID)
		p.text("PutState k v")
		if err := p.Stop(t.Context(), pkg.ID); err != nil {
			t.Fatal(err)
		}
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q", got)
		}
		stop()
		serveService(t, cfg, pkg.ID)
		if got := p.text("GetState k"); got != "v" {
			t.Errorf("GetState: %q", got)
		}
		if pids := seen.pids(); len(pids) != 2 {
			t.Errorf("the servers were the processes %d", pids)
		}
	})
}

// serveService runs a server that is no peer's business, until the test ends or it is stopped.
func serveService(t testing.TB, cfg process.Config, chaincodeID string) (stop func()) {
	t.Helper()
	rt, err := process.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := rt.Run(ctx, chaincodeID, nil); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	if err := awaitListener(ctx, cfg.PeerAddress); err != nil {
		t.Fatal(err)
	}
	return stop
}
