package accesscontrol_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/accesscontrol"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// childVar makes the test binary a chaincode.
const childVar = "ACCESSCONTROL_TEST_CHILD"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		fmt.Fprintln(os.Stderr, shim.Start(whoami{}))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// whoami is a chaincode that answers with the ID of its process.
type whoami struct{}

func (whoami) Init(s shim.ChaincodeStubInterface) *shim.Response { return whoami{}.Invoke(s) }
func (whoami) Invoke(shim.ChaincodeStubInterface) *shim.Response {
	return shim.Success([]byte(strconv.Itoa(os.Getpid())))
}

// recorder keeps what is issued to launches.
type recorder struct {
	runtime.Issuer
	mu     sync.Mutex
	issued []*runtime.Credential
}

func (r *recorder) Issue(chaincodeID string) (*runtime.Credential, error) {
	c, err := r.Issuer.Issue(chaincodeID)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.issued = append(r.issued, c)
	return c, err
}

// last returns what was issued last.
func (r *recorder) last() *runtime.Credential {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.issued[len(r.issued)-1]
}

// testPeer runs chaincode, every one of which is this test binary, under mutual TLS.
type testPeer struct {
	*chaincodesupport.ChaincodeSupport
	t        testing.TB
	auth     *accesscontrol.Authenticator
	launches *recorder
	address  string
	stop     func() // ends the server, and every connection with it
}

// newPeer starts a peer, which ends with the test. env is the chaincode's, too.
func newPeer(t testing.TB, l net.Listener, env ...string) *testPeer {
	t.Helper()
	p := newAuthenticator(t, l)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rt, err := process.New(process.Config{
		Command: self, PeerAddress: p.address, TLS: p.launches,
		Env: append(env, childVar+"=1", "GORACE=atexit_sleep_ms=0"),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.serve(l, chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(rt)})
	return p
}

// newDevPeer starts a peer that waits for chaincode which others have started.
func newDevPeer(t testing.TB) *testPeer {
	t.Helper()
	l := listenTCP(t)
	p := newAuthenticator(t, l)
	p.serve(l, chaincodesupport.Config{DevMode: true})
	return p
}

func newAuthenticator(t testing.TB, l net.Listener) *testPeer {
	t.Helper()
	auth, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	p := &testPeer{t: t, address: l.Addr().String(), auth: auth, launches: &recorder{Issuer: auth}}
	if l.Addr().Network() == "unix" {
		p.address = "unix://" + p.address
	}
	return p
}

func (p *testPeer) serve(l net.Listener, cfg chaincodesupport.Config) {
	p.t.Helper()
	cfg.Credentials, cfg.Identify = p.auth.ServerCredentials(), p.auth.Identify
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
		if launches, conns := p.auth.Watched(); conns != 0 {
			p.t.Errorf("%d connections of %d launches are still watched", conns, launches)
		}
	})
	p.t.Cleanup(p.stop)
}

// pid runs a transaction, and returns the ID of the process that answers.
func (p *testPeer) pid(chaincodeID, txID string) int {
	p.t.Helper()
	r, err := p.Execute(p.t.Context(), chaincodeID, handler.TxParams{ChannelID: "ch", TxID: txID}, chaincodesupport.Input{})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(r.Payload))
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

// issue mints a credential by hand, which is revoked at the test's end.
func (p *testPeer) issue(chaincodeID string) *runtime.Credential {
	p.t.Helper()
	c, err := p.auth.Issue(chaincodeID)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Revoke)
	return c
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
	t.Helper()
	if goruntime.GOOS == "windows" {
		t.Skip("on Windows, chaincode can't be given a socket")
	}
	dir, err := os.MkdirTemp("", "peer") // not t.TempDir: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return listen(t, "unix", filepath.Join(dir, "peer.sock"))
}

// in returns what f does, which must be done in time.
func in[T any](t testing.TB, limit time.Duration, f func() (T, error)) (T, error) {
	t.Helper()
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-time.After(limit):
		t.Fatalf("nothing happens for %s", limit)
		return *new(T), errors.New("unreachable")
	}
}
