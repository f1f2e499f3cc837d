package attach_test

import (
	"context"
	"net"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// oddName is the name of a folder in which a shell finds something to do, unless it is quoted.
const oddName = `it's "$HOME" $(touch x) ` + "`y` \\ *\n;& é"

// testPeer is a peer whose user starts the chaincode asset:1.
type testPeer struct {
	*chaincodesupport.ChaincodeSupport
	t    testing.TB
	auth *accesscontrol.Authenticator
	rt   *attach.Runtime
	dir  string
	logs *observer.ObservedLogs
	stop func() // ends the server, and every connection with it
}

// newPeer starts a peer, which ends with the test. Its chaincode proves who it is if secured.
func newPeer(t testing.TB, l net.Listener, secured bool, startup time.Duration) *testPeer {
	t.Helper()
	needsUnix(t, "shell in which a user could start chaincode")
	core, logs := observer.New(zap.InfoLevel)
	p := &testPeer{t: t, logs: logs, dir: filepath.Join(t.TempDir(), oddName)}
	cfg := attach.Config{ChaincodeID: "asset:1", PeerAddress: l.Addr().String(), Dir: p.dir, Logger: zap.New(core)}
	if l.Addr().Network() == "unix" {
		cfg.PeerAddress = "unix://" + cfg.PeerAddress
	}
	peer := chaincodesupport.Config{DevMode: true, StartupTimeout: startup}
	var err error
	if secured {
		if p.auth, err = accesscontrol.New(accesscontrol.Config{}); err != nil {
			t.Fatal(err)
		}
		cfg.TLS, peer.Credentials, peer.Identify = p.auth, p.auth.ServerCredentials(), p.auth.Identify
	}
	p.rt = newRuntime(t, cfg)
	peer.Runtimes = chaincodesupport.OneRuntime(p.rt)
	p.serve(l, peer)
	return p
}

func (p *testPeer) serve(l net.Listener, cfg chaincodesupport.Config) {
	p.t.Helper()
	var err error
	if p.ChaincodeSupport, err = chaincodesupport.New(cfg); err != nil {
		p.t.Fatal(err)
	}
	srv := grpc.NewServer(p.ServerOptions()...)
	pbgrpc.RegisterChaincodeSupportServer(srv, p)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.Close(ctx); err != nil {
			p.t.Errorf("Close: %v", err)
		}
		srv.Stop()
		if err := <-served; err != nil {
			p.t.Errorf("Serve: %v", err)
		}
	})
	p.t.Cleanup(p.stop)
}

// call begins a transaction, which answers with the ID of the process that has run it.
func (p *testPeer) call(txID string) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		var a answer
		var r *chaincodesupport.Result
		r, a.err = p.Execute(p.t.Context(), "asset:1", handler.TxParams{ChannelID: "ch", TxID: txID}, chaincodesupport.Input{})
		if a.err == nil {
			a.pid, a.err = strconv.Atoi(string(r.Payload))
		}
		done <- a
	}()
	return done
}

type answer struct {
	pid int
	err error
}

// wantFrom waits for an answer, which must be that of the user's chaincode. The shell has become it.
func (u *user) wantFrom(done <-chan answer) {
	u.t.Helper()
	select {
	case a := <-done:
		if a.err != nil || a.pid != u.cmd.Process.Pid {
			u.t.Errorf("process %d answers, %v, want %d", a.pid, a.err, u.cmd.Process.Pid)
		}
	case <-time.After(patience):
		u.t.Fatal("the transaction does not end")
	}
}

// waits returns when the peer has said n times that it waits for the user.
func (p *testPeer) waits(n int) {
	p.t.Helper()
	p.eventually("the peer waits", func() bool { return p.logs.FilterMessage("waiting for chaincode that is started by hand").Len() == n })
}

// isIn waits until the chaincode is in a state.
func (p *testPeer) isIn(state chaincodesupport.State) {
	p.t.Helper()
	p.eventually("the chaincode is "+state.String(), func() bool {
		for _, s := range p.List() {
			if s.ChaincodeID == "asset:1" {
				return s.State == state
			}
		}
		return state == chaincodesupport.Stopped
	})
}

func (p *testPeer) eventually(what string, is func() bool) {
	p.t.Helper()
	for deadline := time.After(patience); !is(); {
		select {
		case <-deadline:
			p.t.Fatalf("not true: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// newRuntime returns a runtime that is closed at the test's end.
func newRuntime(t testing.TB, cfg attach.Config) *attach.Runtime {
	t.Helper()
	rt, err := attach.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return rt
}

// needsUnix skips a test where the system is none of that kind, and says what it lacks.
func needsUnix(t testing.TB, what string) {
	t.Helper()
	if goruntime.GOOS == "windows" {
		t.Skip("Windows has no " + what)
	}
}

func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func listenTCP(t testing.TB) net.Listener { return listen(t, "tcp", "127.0.0.1:0") }

func listenUnix(t testing.TB) net.Listener {
	return listen(t, "unix", filepath.Join(t.TempDir(), "peer.sock"))
}

func wantText(t testing.TB, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error is %v, want one with %q", err, text)
		}
	}
}
