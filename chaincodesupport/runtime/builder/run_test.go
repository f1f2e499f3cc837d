package builder_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// ran is a runtime whose one builder has a bin/run, and a chaincode that was built.
func ran(t testing.TB, cfg builder.Config, run string) (*builder.Runtime, string) {
	t.Helper()
	cfg.Builders = []builder.Builder{newBuilder(t, "b", map[string]string{"build": `echo built > "$3/output"`, "run": run})}
	rt := newRuntime(t, cfg)
	p := newPackage(t, "golang")
	build(t, rt, p)
	return rt, p.ID
}

// runMetadata has the fields that Fabric's has, in its order.
type runMetadata struct {
	ChaincodeID string `json:"chaincode_id"`
	PeerAddress string `json:"peer_address"`
	ClientCert  string `json:"client_cert"`
	ClientKey   string `json:"client_key"`
	RootCert    string `json:"root_cert"`
	MSPID       string `json:"mspid"`
}

// What bin/run gets is Fabric's chaincode.json, in a folder that is gone when the chaincode is.
func TestRunMetadata(t *testing.T) {
	for name, c := range map[string]*runtime.Credential{"plaintext": nil,
		"TLS": {Cert: []byte("a\ncert"), Key: []byte("a key"), RootCert: []byte("a root")}} {
		t.Run(name, func(t *testing.T) {
			log, logs := newLog()
			dir, copied := t.TempDir(), filepath.Join(t.TempDir(), "copied")
			cfg := builder.Config{Dir: dir, PeerAddress: "peer.example.com:7052", MSPID: "Org1MSP", Logger: log}
			revoked := ""
			if c != nil {
				cfg.TLS = issuer(func(id string) (*runtime.Credential, error) {
					c.Revoke = func() { revoked = id }
					return c, nil
				})
			}
			rt, id := ran(t, cfg, `test $# = 2; cat "$1/output"; ls "$2"; ls -lnd "$2" "$2/chaincode.json" | cut -c1-10; cp "$2/chaincode.json" '`+copied+`'; exit 1`)
			err := rt.Run(t.Context(), id, nil)
			wantText(t, err, `container exited with 1 (bin/run of builder "b")`)
			if got, want := lines(logs, "peer.chaincode."+id), []string{"built", "chaincode.json", "drwx------", "-rw-------"}; !slices.Equal(got, want) {
				t.Errorf("printed %q, want %q", got, want)
			}
			want := runMetadata{ChaincodeID: id, PeerAddress: "peer.example.com:7052", MSPID: "Org1MSP"}
			if c != nil {
				want.ClientCert, want.ClientKey, want.RootCert = string(c.Cert), string(c.Key), string(c.RootCert)
				if revoked != id {
					t.Errorf("revoked credentials of %q", revoked)
				}
			}
			text, err := json.Marshal(want)
			if err != nil || read(t, copied) != string(text) {
				t.Errorf("chaincode.json is %s, want %s", read(t, copied), text)
			}
			if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
				t.Errorf("left: %q, %v", left, err)
			}
		})
	}
}

// F61: what ended before it registered, and why, is what the launch fails with, at once.
func TestRunExitsEarly(t *testing.T) {
	rt, id := ran(t, builder.Config{}, "echo no such database >&2; exit 3")
	for range 2 { // F64
		err := newSupport(t, rt).Launch(t.Context(), id)
		want := `chaincode registration failed: container exited with 3 (bin/run of builder "b"): no such database`
		if err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// F66: stopping ends bin/run and all that it has started, whether they listen or not.
func TestRunIsStopped(t *testing.T) {
	for mode, test := range map[string]struct {
		children int
		grace    time.Duration
		want     string
	}{
		"stubborn": {1, 50 * time.Millisecond, `killed 50ms after SIGTERM: container exited with 137 (bin/run of builder "b") (killed)`},
		"parent":   {2, time.Second, ""}, // its child needs SIGKILL
	} {
		t.Run(mode, func(t *testing.T) {
			address, next := watch(t)
			dir := t.TempDir()
			rt, id := ran(t, builder.Config{Dir: dir, Grace: test.grace}, child(t, mode, address))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- rt.Run(ctx, id, nil) }()
			var running []net.Conn
			for range test.children {
				_, c := next()
				running = append(running, c)
			}
			cancel()
			err := <-ended
			if test.want == "" && err != nil {
				t.Errorf("Run: %v", err)
			} else if test.want != "" {
				wantText(t, err, test.want)
			}
			for _, c := range running {
				wantGone(t, c)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// What bin/run leaves behind when it ends does not outlive Run.
func TestRunLeavesChildren(t *testing.T) {
	address, next := watch(t)
	rt, id := ran(t, builder.Config{Grace: 50 * time.Millisecond}, child(t, "leaver", address))
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(t.Context(), id, nil) }()
	running := map[string]net.Conn{}
	for range 2 {
		who, c := next()
		running[who] = c
	}
	_ = running["leaver"].Close()
	wantText(t, <-ended, "container exited with 7", ": leaving")
	wantGone(t, running["stubborn"])
}

// F67: what bin/run is, is killed with the peer, where the system does that. Its keys are removed by the next peer.
func TestPeerDies(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("the system does not kill a dead process's children")
	}
	address, next := watch(t)
	dir := t.TempDir()
	b := newBuilder(t, "b", map[string]string{"run": child(t, "stubborn", address)})
	cfg := builder.Config{Builders: []builder.Builder{b}, Dir: dir}
	p := newPackage(t, "golang")
	build(t, newRuntime(t, cfg), p)
	peer := exec.Command(os.Args[0], b.Path, dir, p.ID)
	peer.Env, peer.Stderr = append(os.Environ(), childVar+"=peer"), os.Stderr
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	_, c := next()
	keys := filepath.Join(dir, ".scratch-*", "chaincode.json")
	if found, err := filepath.Glob(keys); err != nil || len(found) != 1 {
		t.Errorf("chaincode.json is in %q, %v", found, err)
	}
	if err := peer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = peer.Wait() // "signal: killed"
	wantGone(t, c)
	newRuntime(t, cfg)
	if left, err := filepath.Glob(keys); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

// Somebody else has killed it: that is no good order, stopped or not.
func TestRunIsKilled(t *testing.T) {
	rt, id := ran(t, builder.Config{}, "kill -9 $$")
	err := rt.Run(t.Context(), id, nil)
	var exit *builder.ScriptError
	if !errors.As(err, &exit) || exit.Signal != syscall.SIGKILL || exit.Code != 137 {
		t.Errorf("error is %v", err)
	}
}

// F65: a chaincode that prints without end has no more room in the log when it is started again.
func TestRunFloodsTheLog(t *testing.T) {
	log, logs := newLog()
	rt, id := ran(t, builder.Config{Logger: log}, "yes | head -c 200000")
	began := time.Now()
	for range 3 {
		wantText(t, rt.Run(t.Context(), id, nil), "container exited with 0")
	}
	limit := 1<<20 + int(time.Since(began).Seconds()+1)*(64<<10)
	if n := len(lines(logs, "peer.chaincode."+id)); n*65 > limit || n == 0 {
		t.Errorf("%d lines were logged, want at most %d", n, limit/65)
	}
}

// F65: whatever is printed is read, for ever.
func TestRunPrintsHardLines(t *testing.T) {
	log, logs := newLog()
	rt, id := ran(t, builder.Config{Logger: log}, `head -c 300000 /dev/zero | tr '\0' x; printf '\n\n\nbinary \001\377\033[31m\r\n'; printf 'no newline é' >&2; exit 1`)
	err := rt.Run(t.Context(), id, nil)
	wantText(t, err, "no newline é", "xxx … (299488 bytes cut)")
	got := lines(logs, "peer.chaincode."+id)
	slices.SortFunc(got, func(a, b string) int { return len(b) - len(a) })
	if len(got) != 3 || got[0] != strings.Repeat("x", 16<<10)+" … (283616 bytes cut)" || got[1] != `binary \x01\xff` || got[2] != "no newline é" {
		t.Errorf("%d lines: %.100q", len(got), got)
	}
}

// A peer that runs chaincode with a builder's bin/run, over a real network.
func TestExecute(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rt, id := ran(t, builder.Config{PeerAddress: l.Addr().String()}, child(t, "client", `"$2/chaincode.json"`))
	cs := newSupport(t, rt)
	g := grpc.NewServer(cs.ServerOptions()...)
	pbgrpc.RegisterChaincodeSupportServer(g, cs)
	served := make(chan error, 1)
	go func() { served <- g.Serve(l) }()
	t.Cleanup(func() {
		g.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	wantEcho(t, cs, id, "t1")
	if err := cs.Stop(t.Context(), id); err != nil {
		t.Errorf("Stop: %v", err)
	}
	wantEcho(t, cs, id, "t2")
}

// What has not been built is built when it is run, with the package that the peer has.
func TestRunBuilds(t *testing.T) {
	p, asked := newPackage(t, "golang"), 0
	b := newBuilder(t, "b", map[string]string{"run": "exit 3"})
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{b}, Packages: func(_ context.Context, id string) (*builder.Package, error) {
		asked++
		if id != p.ID {
			return nil, errors.Errorf("there is no package %s", id)
		}
		return p, nil
	}})
	for range 2 {
		wantText(t, rt.Run(t.Context(), p.ID, nil), "container exited with 3")
	}
	if asked != 1 {
		t.Errorf("asked for the package %d times", asked)
	}
	wantNotStarted(t, rt.Run(t.Context(), packageID("other", nil), nil), "get package other:", "there is no package other:")
}

func TestRunDoesNotStart(t *testing.T) {
	b := newBuilder(t, "b", nil)
	p, other := newPackage(t, "golang"), newPackage(t, "golang", file{name: "x"})
	rt := newRuntime(t, builder.Config{Builders: []builder.Builder{b}})
	wantNotStarted(t, rt.Run(t.Context(), p.ID, nil), "chaincode has not been built")
	for _, id := range []string{"", "asset:1", "../../etc:" + strings.Repeat("0", 64), p.ID + "\n", strings.Repeat("a", 191) + p.ID[len("asset_1.0"):]} {
		wantNotStarted(t, rt.Run(t.Context(), id, nil), "is not a package ID")
	}
	build(t, rt, p)
	wantNotStarted(t, rt.Run(t.Context(), p.ID, nil), `builder "b" has released no connection.json, and has no bin/run`)
	for _, give := range []*builder.Package{nil, other} {
		rt := newRuntime(t, builder.Config{Builders: []builder.Builder{b}, Packages: func(context.Context, string) (*builder.Package, error) { return give, nil }})
		wantNotStarted(t, rt.Run(t.Context(), p.ID, nil), "Config.Packages has returned", "for "+p.ID)
	}
	rt, id := ran(t, builder.Config{TLS: issuer(func(string) (*runtime.Credential, error) { return nil, errors.New("no CA") })}, accept)
	wantNotStarted(t, rt.Run(t.Context(), id, nil), "issue the chaincode's credential: no CA")
}

// A credential is not left valid where the chaincode does not come to be started.
func TestCredentialOfWhatDoesNotStart(t *testing.T) {
	dir, revoked := t.TempDir(), false
	rt, id := ran(t, builder.Config{Dir: dir, TLS: issuer(func(string) (*runtime.Credential, error) {
		if err := os.RemoveAll(dir); err != nil { // there is nowhere to write it
			return nil, err
		}
		return &runtime.Credential{Revoke: func() { revoked = true }}, nil
	})}, accept)
	wantNotStarted(t, rt.Run(t.Context(), id, nil), "write chaincode.json: lock folder: open ")
	if !revoked {
		t.Error("the credential is still valid")
	}
}

// issuer is a runtime.Issuer that is a function.
type issuer func(chaincodeID string) (*runtime.Credential, error)

func (f issuer) Issue(chaincodeID string) (*runtime.Credential, error) { return f(chaincodeID) }

// A stream that ends by itself is most often a chaincode that is ending: why, is what counts, not that it was told to stop.
func TestStreamEndsFirst(t *testing.T) {
	for name, test := range map[string]struct {
		cause error
		want  string
	}{
		"by itself":        {runtime.ErrStreamEnded, "container exited with 7"},
		"as the peer says": {errors.New("stopped"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			address, next := watch(t)
			rt, id := ran(t, builder.Config{Grace: time.Second}, child(t, "ending", address))
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- rt.Run(ctx, id, nil) }()
			_, c := next()
			cancel(test.cause)
			if errors.Is(test.cause, runtime.ErrStreamEnded) {
				_ = c.Close()
			}
			if err := <-ended; test.want == "" && err != nil {
				t.Errorf("Run: %v", err)
			} else if test.want != "" {
				wantText(t, err, test.want)
			}
		})
	}
}

func wantNotStarted(t testing.TB, err error, texts ...string) {
	t.Helper()
	var notStarted *runtime.StartError
	if !errors.As(err, &notStarted) {
		t.Errorf("got %v, want a StartError", err)
	}
	wantText(t, err, texts...)
}
