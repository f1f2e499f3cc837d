package dial_test

import (
	"context"
	"net"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
	"github.com/ccpeer/ccpeer/shim"
)

// function is a chaincode whose Init and Invoke are one function.
type function func(shim.ChaincodeStubInterface) *shim.Response

func (f function) Init(s shim.ChaincodeStubInterface) *shim.Response   { return f(s) }
func (f function) Invoke(s shim.ChaincodeStubInterface) *shim.Response { return f(s) }

func echo(s shim.ChaincodeStubInterface) *shim.Response {
	args := s.GetArgs()
	return shim.Success(args[len(args)-1])
}

// listener keeps what it has accepted, so that a test can break it.
type listener struct {
	net.Listener
	mu       sync.Mutex
	accepted []net.Conn
}

func listen(t testing.TB, network, address string) *listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &listener{Listener: l}
}

func listenTCP(t testing.TB) *listener { return listen(t, "tcp", "127.0.0.1:0") }

func listenUnix(t testing.TB) *listener {
	return listen(t, "unix", filepath.Join(t.TempDir(), "chaincode.sock"))
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.accepted = append(l.accepted, c)
	}
	return c, err
}

// hangUp closes all connections, as the end of a process does.
func (l *listener) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.accepted {
		_ = c.Close()
	}
	l.accepted = nil
}

// address is what to dial.
func (l *listener) address() string {
	if l.Addr().Network() == "unix" {
		return "unix://" + l.Addr().String()
	}
	return l.Addr().String()
}

// serve runs a chaincode server until the test ends.
func serve(t testing.TB, cs shim.ChaincodeServer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- shim.Serve(ctx, cs) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func plaintext(l net.Listener, f function) shim.ChaincodeServer {
	return shim.ChaincodeServer{CCID: "asset:1", Listener: l, CC: f, TLSProps: shim.TLSProperties{Disabled: true}}
}

// connectFunc is a chaincode server that is a function.
type connectFunc func(pbgrpc.Chaincode_ConnectServer) error

func (f connectFunc) Connect(s pbgrpc.Chaincode_ConnectServer) error { return f(s) }

// play serves f, until the test ends.
func play(t testing.TB, l net.Listener, f connectFunc) {
	t.Helper()
	g := grpc.NewServer()
	if f != nil {
		pbgrpc.RegisterChaincodeServer(g, f)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(l) }()
	t.Cleanup(func() {
		g.Stop()
		if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) { // which is for a short test
			t.Errorf("Serve: %v", err)
		}
	})
}

func newRuntime(t testing.TB, cfg dial.Config) *dial.Runtime {
	t.Helper()
	rt, err := dial.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// newSupport returns a peer that runs every chaincode with rt. It is closed at the test's end.
func newSupport(t testing.TB, rt runtime.Runtime) *chaincodesupport.ChaincodeSupport {
	t.Helper()
	return newSupportWith(t, chaincodesupport.Config{Runtimes: chaincodesupport.OneRuntime(rt)})
}

func newSupportWith(t testing.TB, cfg chaincodesupport.Config) *chaincodesupport.ChaincodeSupport {
	t.Helper()
	cs, err := chaincodesupport.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := cs.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return cs
}

// execute calls asset:1, and returns the payload of its answer.
func execute(t testing.TB, cs *chaincodesupport.ChaincodeSupport, txID string, args ...[]byte) ([]byte, error) {
	t.Helper()
	r, err := cs.Execute(t.Context(), "asset:1", handler.TxParams{ChannelID: "ch", TxID: txID}, chaincodesupport.Input{Args: args})
	if err != nil {
		return nil, err
	}
	return r.Payload, nil
}

// wantEcho executes a transaction, which must echo its last argument.
func wantEcho(t testing.TB, cs *chaincodesupport.ChaincodeSupport, txID string) {
	t.Helper()
	if got, err := execute(t, cs, txID, []byte("echo"), []byte(txID)); err != nil || string(got) != txID {
		t.Errorf("transaction %s: %q, %v", txID, got, err)
	}
}

// needsErrno skips a test that looks at the system's errors.
func needsErrno(t testing.TB) {
	t.Helper()
	if goruntime.GOOS == "windows" {
		t.Skip("Windows has other errors, with other texts")
	}
}

func wantText(t testing.TB, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error is %v, want one with %q", err, text)
	}
}

// untilEnd receives until the stream ends, as handlers do.
func untilEnd(_ context.Context, s pb.Stream) error {
	for {
		if _, err := s.Recv(); err != nil {
			return err
		}
	}
}
