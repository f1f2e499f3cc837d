//go:build unix

package chaincodesupport_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/handler"
	"github.com/ccpeer/ccpeer/internal/netfault"
	"github.com/ccpeer/ccpeer/ledger/ledgertest"
	pb "github.com/ccpeer/ccpeer/proto"
)

// patience is how long a test waits for what must happen, and promptly how long something may take that must happen at
// once, on a machine that has other things to do.
const (
	patience = 30 * time.Second
	promptly = time.Second
)

// faultyNetwork is a peer whose chaincodes are this test binary, playing faulty. Between the peer and them is a proxy.
type faultyNetwork struct {
	*network
	way   *way
	id    string // of the chaincode
	self  string // the path of this test binary
	dir   string // for files, until everything has been checked
	proxy *netfault.Proxy

	listening *os.File         // for chaincode that is dialled
	server    *minder          // of it
	pkg       *builder.Package // for chaincode that is built
	left      []func()         // check, when the peer has ended, that nothing of the runtimes is left

	mu    sync.Mutex
	heard []string // lines of chaincodes that nobody has asked for yet
	more  chan struct{}
	pids  []int // of all processes that have said theirs
}

// faultyConfig is how a faultyNetwork differs from others.
type faultyConfig struct {
	chaincodesupport.Config
	// Way is how chaincode is run. Nil: as a process.
	Way *way
	// First is what the first run of a chaincode plays. "": what the others do.
	First string
	// Connected is the proxy's.
	Connected func(*netfault.Conn)
	// Options go behind those that ChaincodeSupport has for its server.
	Options []grpc.ServerOption
}

// impatient are server options that notice a dead connection in 2 s: gRPC pings no sooner than after 1 s, and a busy machine may
// need a while to answer.
func impatient() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Second, Timeout: time.Second})}
}

func newFaultyNetwork(t *testing.T, cfg faultyConfig) *faultyNetwork {
	t.Helper()
	f := &faultyNetwork{network: &network{t: t}, way: cfg.Way, id: "asset:1", dir: t.TempDir(), more: make(chan struct{}, 1)}
	if f.way == nil {
		f.way = asProcess
	}
	t.Cleanup(f.checkGone)
	l := f.listenForChaincode(t, f.way, cfg.Connected)
	var err error
	if f.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	if f.way.id != nil {
		f.id = f.way.id(f)
	}
	rest := f.way.runtime(f, playFaulty)
	cfg.Runtimes = always(rest)
	if cfg.First != "" {
		cfg.Runtimes = always(count(f.way.runtime(f, cfg.First), rest))
	}
	f.network = newNetwork(t, cfg.Config, nil)
	if !f.way.dialled {
		serveOn(t, l, f.ChaincodeSupport, append(f.ServerOptions(), cfg.Options...))
	}
	return f
}

// lines is a log that tells the text of each of its lines.
type lines struct{ tell func(string) }

func (lines) Enabled(zapcore.Level) bool      { return true }
func (c lines) With([]zap.Field) zapcore.Core { return c }
func (lines) Sync() error                     { return nil }
func (c lines) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}
func (c lines) Write(e zapcore.Entry, _ []zap.Field) error {
	c.tell(e.Message)
	return nil
}

func (f *faultyNetwork) note(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = append(f.heard, line)
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// hear waits until a chaincode has said something that begins with prefix, and returns the rest of the line.
func (f *faultyNetwork) hear(chaincodeID, prefix string) string {
	f.t.Helper()
	deadline := time.After(patience)
	for {
		if text, ok := f.find(chaincodeID + " " + prefix); ok {
			return text
		}
		select {
		case <-f.more:
		case <-deadline:
			f.t.Fatalf("chaincode %s doesn't say %q", chaincodeID, prefix)
		}
	}
}

func (f *faultyNetwork) find(prefix string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, line := range f.heard {
		if text, ok := strings.CutPrefix(line, prefix); ok {
			f.heard = append(f.heard[:i], f.heard[i+1:]...)
			return text, true
		}
	}
	return "", false
}

// said reports whether there is a line that hear would find.
func (f *faultyNetwork) said(prefix string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.heard, func(line string) bool { return strings.HasPrefix(line, prefix) })
}

// process returns the process ID of a chaincode that was launched, or is being launched.
func (f *faultyNetwork) process(chaincodeID string) int {
	f.t.Helper()
	pid, err := strconv.Atoi(f.hear(chaincodeID, "pid "))
	if err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pids = append(f.pids, pid)
	return pid
}

// checkGone makes sure at the test's end that no process is left, and no file.
func (f *faultyNetwork) checkGone() {
	for _, check := range f.left {
		check()
	}
	for _, pid := range f.pids {
		if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
			f.t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}

// conns does something to every connection that is open.
func (f *faultyNetwork) conns(do func(*netfault.Conn)) {
	for _, c := range f.proxy.Conns() {
		do(c)
	}
}

func signalTo(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Errorf("send %s to process %d: %v", sig, pid, err)
	}
}

// stop stops a process, and returns when it has stopped.
func stop(t *testing.T, pid int) {
	t.Helper()
	signalTo(t, pid, syscall.SIGSTOP)
	eventually(t, "the process has stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Skip("there is no /proc: ", err)
		}
		_, state, _ := bytes.Cut(stat, []byte(") "))
		return state[0] == 'T'
	})
}

// eventually waits for what only the system knows.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for began := time.Now(); !is(); goruntime.Gosched() {
		if time.Since(began) > patience {
			t.Fatalf("%s after %s isn't so: %s", t.Name(), patience, what)
		}
	}
}

// executed is what Execute returned.
type executed struct {
	result *chaincodesupport.Result
	err    error
	at     time.Time
}

// execution is a call of Execute.
type execution struct {
	t    *testing.T
	done chan executed
}

// start calls Execute.
func (n *network) start(chaincodeID, txID string, args ...string) *execution {
	n.t.Helper()
	return n.startWith(n.t.Context(), chaincodeID, txID, args...)
}

func (n *network) startWith(ctx context.Context, chaincodeID, txID string, args ...string) *execution {
	n.t.Helper()
	p := n.params(txID)
	x := &execution{t: n.t, done: make(chan executed, 1)}
	go func() {
		r, err := n.Execute(ctx, chaincodeID, p, input(args...))
		x.done <- executed{r, err, time.Now()}
	}()
	return x
}

// wait returns what Execute returns, which must be within a time from now, or some time ago.
func (x *execution) wait(limit time.Duration) executed {
	x.t.Helper()
	began := time.Now()
	select {
	case e := <-x.done:
		if d := e.at.Sub(began); d > limit {
			x.t.Errorf("Execute returned after %s, %v, the limit is %s", d, e.err, limit)
		}
		return e
	case <-time.After(limit + patience):
		x.t.Fatal("Execute doesn't return")
		return executed{}
	}
}

// pending reports whether Execute has not returned.
func (x *execution) pending() bool { return len(x.done) == 0 }

// wantTerminated waits for the end of the stream, within a time from now.
func (x *execution) wantTerminated(limit time.Duration) executed {
	x.t.Helper()
	e := x.wait(limit)
	if !errors.Is(e.err, handler.ErrStreamTerminated) || !strings.Contains(e.err.Error(), ": error sending: chaincode stream terminated") {
		x.t.Errorf("Execute: %v", e.err)
	}
	return e
}

// wantPayload waits for a success.
func (x *execution) wantPayload(want string) {
	x.t.Helper()
	if e := x.wait(patience); e.err != nil || e.result.Status != 200 || string(e.result.Payload) != want {
		x.t.Errorf("got %+v, %v, want %q", e.result, e.err, want)
	}
}

// holdGetState has the ledger hold calls of GetState. asked is closed by the first one; they go on when release is called, or at
// the test's end.
func (n *network) holdGetState(t *testing.T) (asked <-chan struct{}, release func()) {
	called, released := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	tell := sync.OnceFunc(func() { close(called) })
	n.watched["ch1"].On(ledgertest.GetState, func(_ context.Context, call func() error) error {
		tell()
		<-released
		return call()
	})
	return called, release
}

// onFirst is an observer that calls do with the first message of a type.
func onFirst(typ pb.ChaincodeMessage_Type, do func()) handler.MessageObserver {
	once := sync.OnceFunc(do)
	return handler.MessageObserverFunc(func(_ string, _ handler.Direction, m *msg) {
		if m.Type == typ {
			once()
		}
	})
}
