//go:build unix

package chaincodesupport_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/handler"
	pb "github.com/ccpeer/ccpeer/proto"
)

// subprocess is a peer whose chaincode is this test binary, which finds it over the network that is listened on.
func subprocess(t *testing.T, l net.Listener, play string, cfg chaincodesupport.Config) *network {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if l.Addr().Network() == "unix" {
		address = "unix://" + address
	}
	rt, err := process.New(process.Config{Command: self, PeerAddress: address, Env: []string{childVar + "=" + play}})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Runtimes = always(rt)
	n := newNetwork(t, cfg, nil)
	serveOn(t, l, n.ChaincodeSupport, n.ServerOptions())
	return n
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// pid asks the chaincode for its process ID.
func (n *network) pid(txID string) int {
	n.t.Helper()
	r, err := n.run(n.t.Context(), "asset:1", txID, "pid")
	if err != nil {
		n.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(r.Payload))
	if err != nil {
		n.t.Fatal(err)
	}
	return pid
}

func TestSubprocess(t *testing.T) {
	for _, test := range []struct {
		network string
		address func(*testing.T) string
	}{
		{"tcp", func(*testing.T) string { return "127.0.0.1:0" }},
		{"unix", func(t *testing.T) string { return filepath.Join(t.TempDir(), "peer.sock") }},
	} {
		t.Run(test.network, func(t *testing.T) {
			asked := make(chan struct{}, 1)
			n := subprocess(t, listen(t, test.network, test.address(t)), "asset", chaincodesupport.Config{Hooks: handler.Hooks{Messages: tells{pb.ChaincodeMessage_GET_STATE, asked}}})
			n.wantResult("asset:1", "t1", 200, "", "keep")
			n.wantResult("asset:1", "t2", 200, "t1", "keep")
			n.wantResult("asset:1", "t3", 500, `no function "no" with arguments ["a" "b"]`, "no", "a", "b")
			killed := n.killMidTransaction(asked)
			n.wantResult("asset:1", "t6", 200, "t2", "keep")
			if again := n.pid("t7"); again == killed {
				t.Errorf("process %d answers, which was killed", killed)
			}
			if err := n.Stop(t.Context(), "asset:1"); err != nil {
				t.Errorf("Stop: %v", err)
			}
		})
	}
}

// killMidTransaction kills the chaincode in the middle of a transaction, and returns the ID of its process. asked
// tells when the chaincode has asked for a key.
func (n *network) killMidTransaction(asked <-chan struct{}) int {
	n.t.Helper()
	pid := n.pid("t4")
	select {
	case <-asked: // by an earlier transaction
	default:
	}
	executed := make(chan error, 1)
	go func() {
		p := n.params("t5")
		_, err := n.Execute(n.t.Context(), "asset:1", p, input("hang"))
		executed <- err
	}()
	<-asked
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		n.t.Fatal(err)
	}
	if err := <-executed; !errors.Is(err, handler.ErrStreamTerminated) {
		n.t.Errorf("Execute: %v", err)
	}
	return pid
}

// F61
func TestProcessExitsBeforeRegistering(t *testing.T) {
	n := subprocess(t, listen(t, "tcp", "127.0.0.1:0"), "exit", chaincodesupport.Config{})
	wantText(t, n.Launch(t.Context(), "asset:1"), "chaincode registration failed: container exited with 3: no such database…")
}

// Why a chaincode has ended that was running is in the log, though its stream's end is noticed before its process's.
func TestProcessExitsWhenRunning(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	n := subprocess(t, listen(t, "tcp", "127.0.0.1:0"), "asset", chaincodesupport.Config{Hooks: handler.Hooks{Logger: zap.New(core)}})
	for i := range 5 {
		_, err := n.Execute(t.Context(), "asset:1", n.params(fmt.Sprintf("t%d", i)), input("die"))
		if !errors.Is(err, handler.ErrStreamTerminated) {
			t.Fatalf("Execute: %v", err)
		}
		if err := n.Stop(t.Context(), "asset:1"); err != nil { // waits until nothing is left
			t.Fatal(err)
		}
	}
	if n := logs.FilterMessage("launch chaincode").Len(); n != 5 {
		t.Errorf("%d launches are logged, want 5", n)
	}
	ended := logs.FilterMessage("chaincode ended").All()
	if len(ended) != 5 {
		t.Errorf("%d runs have ended, want 5", len(ended))
	}
	for _, e := range ended {
		if got := e.ContextMap()["cause"]; got != "container exited with 4: disk full" {
			t.Errorf("cause is %v", got)
		}
	}
}

// Only what is being launched may register.
func TestStrangerDials(t *testing.T) {
	n := subprocess(t, listen(t, "tcp", "127.0.0.1:0"), "asset", chaincodesupport.Config{})
	address := serve(t, n.ChaincodeSupport)
	n.wantResult("asset:1", "t1", 200, "", "keep")
	for name, test := range map[string]struct {
		code codes.Code
		text string
	}{
		"stranger:1":             {codes.PermissionDenied, "peer will not accept external chaincode connection stranger:1 (except in dev mode)"},
		"asset:1":                {codes.AlreadyExists, "duplicate chaincodeID: asset:1"},
		"":                       {codes.InvalidArgument, "error in handling register chaincode, chaincodeID name is empty"},
		strings.Repeat("a", 300): {codes.InvalidArgument, "has 300 bytes, the limit is 256"},
	} {
		s := dial(t, address)
		if err := s.Send(registration(name)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Recv()
		wantStatus(t, err, test.code, test.text)
	}
	n.wantResult("asset:1", "t2", 200, "t1", "keep")
}
