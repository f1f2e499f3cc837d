//go:build unix

package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/server"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// childVar makes the test binary a chaincode server. Its value says which.
const childVar = "SERVER_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "":
		goleak.VerifyTestMain(m)
	case "broken":
		_, _ = fmt.Fprintln(os.Stderr, "no licence")
		os.Exit(7)
	case "slow":
		<-time.After(1500 * time.Millisecond) // a server that starts slowly, as JVMs do
		serve()
	case "other":
		_, _ = fmt.Fprintln(os.Stdout, strings.Join(os.Args[1:], " "), os.Getenv("CHAINCODE_ID"), os.Getenv("CORE_CHAINCODE_ID_NAME"), os.Getenv("CHAINCODE_SERVER_ADDRESS"), os.Getenv("CORE_PEER_ADDRESS"))
		os.Exit(0)
	default:
		serve()
	}
}

// talker is the suite's chaincode as a server. Its process ends with its stream.
type talker struct{}

func (talker) Connect(s pbgrpc.Chaincode_ConnectServer) error {
	err := runtimetest.Talk(s, os.Getenv("CORE_CHAINCODE_ID_NAME"))
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(0)
	return nil
}

func serve() {
	path := strings.TrimPrefix(os.Getenv("CHAINCODE_SERVER_ADDRESS"), "unix://")
	_ = os.Remove(path) // which an earlier run has left
	l, err := net.Listen("unix", path)
	if err == nil {
		g := grpc.NewServer()
		pbgrpc.RegisterChaincodeServer(g, talker{})
		err = g.Serve(l)
	}
	_, _ = fmt.Fprintln(os.Stderr, err)
	os.Exit(98)
}

func newRuntime(t testing.TB, child string) *server.Runtime {
	t.Helper()
	rt, err := server.New(config(t, child))
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func config(t testing.TB, child string) server.Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "server") // t.TempDir's path may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return server.Config{
		Process: process.Config{Command: self, Env: []string{childVar + "=" + child, "GORACE=atexit_sleep_ms=0"}},
		Dial:    dial.Config{Address: "unix://" + filepath.Join(dir, "cc.sock")},
	}
}

func TestSuite(t *testing.T) {
	runtimetest.Run(t, runtimetest.Fixture{
		Handles:   true,
		New:       func(t testing.TB, _, _ string) runtime.Runtime { return newRuntime(t, "talker") },
		NewBroken: func(t testing.TB, _, _ string) runtime.Runtime { return newRuntime(t, "broken") },
		Texts: runtimetest.Texts{
			Leaves: "container exited with 0",
			Fails:  "container exited with 99: no such database",
			Panics: "container exited with 2: panic: out of memory",
			Broken: "container exited with 7: no licence",
		},
	})
}

// F68: a server that starts slowly is waited for, and called. When it is stopped, nothing of it is left.
func TestSlowServer(t *testing.T) {
	cs, err := chaincodesupport.New(chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(newRuntime(t, "slow"))})
	if err != nil {
		t.Fatal(err)
	}
	if err := cs.Launch(t.Context(), "asset:1"); err != nil {
		t.Error(err)
	}
	if err := cs.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// F61: a server that ends while it is dialled: its last words are the launch's error, at once.
func TestServerThatEnds(t *testing.T) {
	cs, err := chaincodesupport.New(chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(newRuntime(t, "broken"))})
	if err != nil {
		t.Fatal(err)
	}
	err = cs.Launch(t.Context(), "asset:1")
	var exit *process.ExitError
	if !errors.As(err, &exit) || err.Error() != "chaincode registration failed: container exited with 7: no licence" {
		t.Errorf("Launch: %v", err)
	}
	if err := cs.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A server is told what it is and where to listen, as by Fabric's ccaas builder.
func TestWhatServerIsTold(t *testing.T) {
	cfg := config(t, "other")
	cfg.Process.Args = []string{"--chaincode-address={{.PeerAddress}}"}
	rt, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = rt.Run(t.Context(), "asset:1", func(context.Context, pb.Stream) error { return nil })
	want := "container exited with 0: --chaincode-address=" + cfg.Dial.Address + " asset:1 asset:1 " + cfg.Dial.Address
	if err == nil || strings.TrimSpace(err.Error()) != want { // no word of a peer
		t.Errorf("Run: %v, want %s", err, want)
	}
}

// F162: a server by TLS may have an address that isn't loopback by its looks: its certificate says who it is.
func TestServerWithHostName(t *testing.T) {
	for _, address := range []string{"asset.invalid:9999", "192.0.2.1:9999"} {
		cfg := config(t, "other")
		cfg.Dial.Address, cfg.Dial.TLS = address, &tls.Config{} //nolint:gosec // dial sets the least version
		rt, err := server.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = rt.Run(t.Context(), "asset:1", func(context.Context, pb.Stream) error { return nil })
		if want := "container exited with 0:  asset:1 asset:1 " + address; err == nil || strings.TrimSpace(err.Error()) != want {
			t.Errorf("Run: %v, want %s", err, want)
		}
	}
}

// F65: a server that prints without end has no more room in the log when it is started again.
func TestServerFloodsTheLog(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	cfg := config(t, "")
	cfg.Process.Command, cfg.Process.Args, cfg.Process.Logger = "/bin/sh", []string{"-c", "yes | head -c 200000"}, zap.New(core)
	rt, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 3 {
		if err := rt.Run(t.Context(), "asset:1", nil); err == nil || !strings.Contains(err.Error(), "container exited with 0") {
			t.Errorf("Run: %v", err)
		}
	}
	limit := 1<<20 + int(time.Since(began).Seconds()+1)*(64<<10)
	if n := logs.FilterMessage("y").Len(); n*65 > limit || n == 0 {
		t.Errorf("%d lines were logged, want at most %d", n, limit/65)
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*server.Config){
		"are for chaincode that dials the peer": func(c *server.Config) { c.Process.PeerAddress = "localhost:7052" },
		`command "cc" is not an absolute path`:  func(c *server.Config) { c.Process.Command = "cc" },
		"plaintext is for loopback":             func(c *server.Config) { c.Dial.Address = "example.com:9999" },
	} {
		cfg := config(t, "talker")
		change(&cfg)
		if _, err := server.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}
