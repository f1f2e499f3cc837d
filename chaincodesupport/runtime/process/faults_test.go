//go:build unix

package process_test

import (
	"bufio"
	"context"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// network is a peer whose chaincode asset:1 is a process that finds it by TCP.
type network struct {
	*chaincodesupport.ChaincodeSupport
	t    *testing.T
	logs *observer.ObservedLogs
}

// newNetwork starts a peer that ends with the test. What cfg lacks to run a chaincode that plays a part, it gets.
func newNetwork(t *testing.T, part string, startup time.Duration, cfg process.Config) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	full := config(t, part, l.Addr().String())
	full.Env, full.Grace, full.Logger = append(full.Env, cfg.Env...), cfg.Grace, zap.New(core)
	if cfg.Command != "" {
		full.Command, full.Args = cfg.Command, cfg.Args
	}
	rt := newRuntime(t, full)
	cs, err := chaincodesupport.New(chaincodesupport.Config{StartupTimeout: startup, Runtimes: chaincodesupport.OneRuntime(rt)})
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(cs.ServerOptions()...)
	pbgrpc.RegisterChaincodeSupportServer(srv, cs)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := cs.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		srv.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return &network{cs, t, logs}
}

// started returns the IDs of the processes that were started.
func (n *network) started() []int {
	var pids []int
	for _, e := range n.logs.FilterMessage("started chaincode").All() {
		pids = append(pids, int(e.ContextMap()["pid"].(int64)))
	}
	return pids
}

// pid runs a transaction, and returns the ID of the process that answers.
func (n *network) pid() int {
	n.t.Helper()
	r, err := n.Execute(n.t.Context(), "asset:1", handler.TxParams{ChannelID: "ch", TxID: "t"}, chaincodesupport.Input{})
	if err != nil {
		n.t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(r.Payload))
	if err != nil {
		n.t.Fatal(err)
	}
	return pid
}

// launch launches the chaincode, in time.
func (n *network) launch() <-chan error {
	launched := make(chan error, 1)
	go func() { launched <- n.Launch(n.t.Context(), "asset:1") }()
	return launched
}

const launchTimeout = "timeout expired while starting chaincode asset:1 for transaction"

// F62: a launch times out. Its process group is killed; what has left the group in time to register later is refused.
func TestLateRegistration(t *testing.T) {
	p := listen(t)
	n := newNetwork(t, "hung", 3*time.Second, process.Config{Env: []string{testVar + "=" + p.address()}, Grace: 50 * time.Millisecond})
	launched := n.launch()
	children := p.accept("hung", "latecomer")
	if err := wait(t, launched); err == nil || err.Error() != launchTimeout {
		t.Errorf("Launch: %v", err)
	}
	children["hung"].wantGone(t)
	late := children["latecomer"]
	if _, err := late.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = late.SetReadDeadline(time.Now().Add(patience))
	said, err := bufio.NewReader(late).ReadString('\n')
	if err != nil || !strings.Contains(said, "chaincode connection asset:1") && !strings.Contains(said, "registered after its launch had ended") {
		t.Errorf("the latecomer was told %q, %v", said, err)
	}
	late.wantGone(t)
}

// F63: a launch that times out just when its chaincode registers. Either it has succeeded, and the chaincode stays, or it has
// failed, and nothing does. With all the time in the world it succeeds, and with none it fails.
func TestTimeoutRacesRegistration(t *testing.T) {
	began := time.Now()
	if !raceTimeout(t, time.Hour) {
		t.Fatal("with an hour, the launch timed out")
	}
	usual := time.Since(began)
	if raceTimeout(t, time.Nanosecond) {
		t.Error("with a nanosecond, the launch succeeded")
	}
	succeeded := 0
	const rounds = 20
	for i := range rounds {
		if raceTimeout(t, usual*time.Duration(60+4*i)/100) {
			succeeded++
		}
	}
	t.Logf("%d of %d launches succeeded", succeeded, rounds)
}

// raceTimeout launches a chaincode that has so much time to register, and reports whether it had enough. It makes sure that
// the outcome is the one or the other as a whole, and that nothing is left of the process.
func raceTimeout(t *testing.T, startup time.Duration) (succeeded bool) {
	t.Helper()
	n := newNetwork(t, "chaincode", startup, process.Config{})
	err := wait(t, n.launch())
	status, answers := n.List()[0], 0
	switch {
	case err == nil:
		if answers = n.pid(); status.State != chaincodesupport.Ready {
			t.Errorf("process %d answers; it is %+v", answers, status)
		}
	case err.Error() != launchTimeout:
		t.Errorf("Launch: %v", err)
	default:
		if status.State == chaincodesupport.Ready {
			t.Errorf("when it has timed out, it is %+v", status)
		}
	}
	if err := n.Stop(t.Context(), "asset:1"); err != nil { // waits until it is gone
		t.Fatal(err)
	}
	if pids := n.started(); err == nil && (len(pids) != 1 || pids[0] != answers) { // logged only now, perhaps
		t.Errorf("process %d has answered, of %d", answers, pids)
	}
	for _, pid := range n.started() {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
	return err == nil
}

// F61, F64: a launch fails at once when its process exits. The next one is a new one.
func TestFailedLaunchIsRetried(t *testing.T) {
	self := config(t, "", "").Command
	const script = `test -e "$1" || { touch "$1"; echo no such database >&2; exit 3; }; exec "$2" -peer.address "$CORE_PEER_ADDRESS"`
	n := newNetwork(t, "chaincode", time.Hour, process.Config{Command: "/bin/sh", Args: []string{"-c", script, "sh", filepath.Join(t.TempDir(), "been here"), self}})
	const want = "chaincode registration failed: container exited with 3: no such database"
	if err := wait(t, n.launch()); err == nil || err.Error() != want {
		t.Errorf("Launch: %v, want %s", err, want)
	}
	if err := wait(t, n.launch()); err != nil {
		t.Errorf("Launch: %v", err)
	}
	pid := n.pid()
	if err := n.Stop(t.Context(), "asset:1"); err != nil { // it may answer before it is logged that it was started
		t.Error(err)
	}
	if started := n.started(); len(started) != 2 || started[1] != pid {
		t.Errorf("process %d answers, of %d", pid, started)
	}
}
