//go:build unix

package chaincodesupport_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	dialruntime "github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/internal/netfault"
)

// way is a way in which a peer has chaincode run. The chaincode is this test binary, which plays something.
type way struct {
	name string
	// runtime returns the runtime of a chaincode that plays something when it is started.
	runtime func(f *faultyNetwork, play string) runtime.Runtime
	// dialled says that the peer dials the chaincode. Otherwise the chaincode dials the peer.
	dialled bool
	// unwatched says that nobody tells the peer of the end of a chaincode that hasn't registered.
	unwatched bool
	// id returns the chaincode ID. Nil: asset:1.
	id func(f *faultyNetwork) string
}

var (
	asProcess = &way{name: "process", runtime: (*faultyNetwork).processes}
	byBuilder = &way{name: "builder", runtime: (*faultyNetwork).builders, id: (*faultyNetwork).packaged}
	byDialing = &way{name: "dial", runtime: (*faultyNetwork).servers, dialled: true}
	byUser    = &way{name: "attach", runtime: (*faultyNetwork).users, unwatched: true}
)

// environ is the environment of a chaincode that plays something.
func environ(play string) []string {
	// The race detector keeps a process for a second that wants to exit.
	return []string{childVar + "=" + play, "GORACE=atexit_sleep_ms=0"}
}

func (f *faultyNetwork) processes(play string) runtime.Runtime {
	f.t.Helper()
	rt, err := process.New(process.Config{
		Command: f.self, PeerAddress: f.proxy.Addr(), Grace: 100 * time.Millisecond, Env: environ(play), Logger: zap.New(lines{f.note}),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return rt
}

// packaged returns the ID of a package without any code.
func (f *faultyNetwork) packaged() string {
	f.t.Helper()
	p, err := builder.ParsePackage(bytes.NewReader(f.archive("metadata.json", `{"label":"asset","type":"test"}`, "code.tar.gz", string(f.archive()))), builder.Limits{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.pkg = p
	return p.ID
}

// archive packs names and texts of files.
func (f *faultyNetwork) archive(files ...string) []byte {
	f.t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for ; len(files) > 0; files = files[2:] {
		if err := tw.WriteHeader(&tar.Header{Name: files[0], Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(files[1]))}); err != nil {
			f.t.Fatal(err)
		}
		if _, err := tw.Write([]byte(files[1])); err != nil {
			f.t.Fatal(err)
		}
	}
	for _, c := range []interface{ Close() error }{tw, gz} {
		if err := c.Close(); err != nil {
			f.t.Fatal(err)
		}
	}
	return b.Bytes()
}

// builders builds the package, and its bin/run becomes the chaincode. Of chaincode.json it takes what the chaincode wants to know.
func (f *faultyNetwork) builders(play string) runtime.Runtime {
	f.t.Helper()
	run := `field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$2/chaincode.json"; }
CORE_CHAINCODE_ID_NAME=$(field chaincode_id "$2") CORE_PEER_TLS_ENABLED=false ` + strings.Join(environ(play), " ") + ` exec '` + f.self + `' -peer.address "$(field peer_address "$2")"`
	path, dir := filepath.Join(f.dir, play), filepath.Join(f.dir, play+" builds")
	for name, body := range map[string]string{"detect": "exit 0", "build": "exit 0", "run": run} {
		f.write(filepath.Join(path, "bin", name), "#!/bin/sh\nset -e\n"+body+"\n")
	}
	rt, err := builder.New(builder.Config{
		Builders: []builder.Builder{{Name: "b", Path: path}}, Dir: dir, PeerAddress: f.proxy.Addr(), Grace: 100 * time.Millisecond,
		Packages: func(context.Context, string) (*builder.Package, error) { return f.pkg, nil },
		Logger:   zap.New(lines{f.note}),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.left = append(f.left, func() { // the build stays, and nothing that was made to run it
		if names := f.names(dir); len(names) > 1 || len(names) == 1 && !strings.HasPrefix(names[0], "asset") {
			f.t.Errorf("the folder of builds has %q", names)
		}
	})
	return rt
}

func (f *faultyNetwork) write(path, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		f.t.Fatal(err)
	}
}

// names returns what is in a folder.
func (f *faultyNetwork) names(dir string) []string {
	f.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		f.t.Error(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// minder starts what the peer doesn't: it is the user who starts chaincode by hand, or what keeps a server running.
type minder struct {
	f    *faultyNetwork
	keep bool // a process that has ended is started again

	mu      sync.Mutex
	running *exec.Cmd     // or nil
	ended   chan struct{} // closed when nothing is running any more, and all that was said was heard
}

// start starts a process, unless one is kept running.
func (m *minder) start(command func() *exec.Cmd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running != nil {
		return
	}
	m.ended = make(chan struct{})
	said := m.spawn(command)
	go func(ended chan struct{}) {
		defer close(ended)
		for said != nil {
			for lines := bufio.NewScanner(said); lines.Scan(); {
				m.f.note(lines.Text())
			}
			said = m.next(command)
		}
	}(m.ended)
}

// spawn starts a process, and returns what it says. The caller holds mu.
func (m *minder) spawn(command func() *exec.Cmd) io.Reader {
	m.running = command()
	out, err := m.running.StdoutPipe()
	if err == nil {
		err = m.running.Start()
	}
	if err != nil {
		m.f.t.Error(err)
		m.running = nil
		return nil
	}
	return out
}

// next is called when a process says nothing any more. It starts the next one if there is to be one.
func (m *minder) next(command func() *exec.Cmd) io.Reader {
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.running.Wait() // which is how it was ended
	m.running = nil
	if !m.keep {
		return nil
	}
	return m.spawn(command)
}

// kill ends the process, and returns when it is gone.
func (m *minder) kill() {
	m.mu.Lock()
	running, ended := m.running, m.ended
	m.keep = false
	if running != nil {
		_ = running.Process.Kill() // which fails if it has ended
	}
	m.mu.Unlock()
	if running != nil {
		<-ended
	}
}

// servers has a chaincode server running when it is dialled. The test listens for it, so nobody else takes its address.
func (f *faultyNetwork) servers(play string) runtime.Runtime {
	f.t.Helper()
	if f.server == nil {
		f.server = &minder{f: f, keep: true}
		f.t.Cleanup(f.server.kill)
	}
	rt, err := dialruntime.New(dialruntime.Config{Address: f.proxy.Addr(), DialTimeout: patience})
	if err != nil {
		f.t.Fatal(err)
	}
	first := play
	return runFunc(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
		f.server.start(func() *exec.Cmd {
			cmd := exec.Command(f.self)
			cmd.Env = append(environ(first), servedVar+"=1", "CORE_CHAINCODE_ID_NAME="+f.id)
			first = playFaulty
			cmd.ExtraFiles = []*os.File{f.listening}
			return cmd
		})
		return rt.Run(ctx, chaincodeID, handle)
	})
}

// users has a user who starts the chaincode when the peer waits for it, and ends it when the peer doesn't.
func (f *faultyNetwork) users(play string) runtime.Runtime {
	f.t.Helper()
	dir := filepath.Join(f.dir, play)
	rt, err := attach.New(attach.Config{ChaincodeID: f.id, PeerAddress: f.proxy.Addr(), Dir: dir})
	if err != nil {
		f.t.Fatal(err)
	}
	f.left = append(f.left, func() {
		if err := rt.Close(); err != nil {
			f.t.Errorf("Close: %v", err)
		}
		if names := f.names(dir); len(names) > 0 { // the folder itself is the user's
			f.t.Errorf("the user's folder has %q", names)
		}
	})
	m := &minder{f: f}
	return runFunc(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
		m.start(func() *exec.Cmd {
			cmd := exec.Command("/bin/sh", "-c", `. "$1"; exec "$2" -peer.address "$CORE_PEER_ADDRESS"`, "sh", rt.EnvFile(), f.self)
			cmd.Env = environ(play)
			return cmd
		})
		defer m.kill()
		return rt.Run(ctx, chaincodeID, handle)
	})
}

// listenForChaincode has the proxy stand before who is dialled: the peer, or the chaincode.
func (f *faultyNetwork) listenForChaincode(t *testing.T, w *way, connected func(*netfault.Conn)) net.Listener {
	t.Helper()
	l := listen(t, "tcp", "127.0.0.1:0")
	var err error
	if f.proxy, err = netfault.New(netfault.Config{Target: l.Addr().String(), Connected: connected}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.proxy.Close)
	if !w.dialled {
		return l
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		t.Fatalf("%T is no TCP listener", l)
	}
	if f.listening, err = tcp.File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.listening.Close() })
	_ = l.Close() // f.listening is it, too
	return nil
}

// toChaincode is the direction of what the peer sends.
func (w *way) toChaincode() netfault.Direction {
	if w.dialled {
		return netfault.Up
	}
	return netfault.Down
}

const (
	failed             = "failed to execute transaction t: "
	registrationFailed = "chaincode registration failed: "
	terminated         = "error sending: chaincode stream terminated"

	// lastWords is how long the peer waits for why a stream has ended.
	lastWords = 500 * time.Millisecond
)

// verdict is what is said of a chaincode that a fault has befallen. A text that ends in … is a beginning, and one of several
// must be said.
type verdict struct {
	unregistered []string // if it had not registered
	told         []string // to who waits for a transaction, behind the fact
	silent       bool     // who waits may be told nothing but the fact
	cause        []string // in List
}

// verdict returns what is said of a fault if chaincode is run in this way.
func (w *way) verdict(chaincodeID string, fault faultKind) verdict {
	// What the peer itself knows: its stream has ended.
	stream := "chaincode stream terminated: receive from chaincode support stream failed: rpc error: code = Canceled desc = context canceled"
	// What it knows if it was just about to send something.
	sending := "chaincode stream terminated: received error while sending message, ending chaincode support stream: rpc error: code = Unavailable desc = transport is closing"
	switch {
	case w.dialled && fault.mute():
		unanswered := "chaincode left 3 KEEPALIVE messages unanswered, ending chaincode support stream"
		return verdict{told: []string{unanswered}, cause: []string{"chaincode stream terminated: " + unanswered}}
	case w.dialled: // whether it was closed or reset depends on what had not been read
		lost := []string{"connection to " + chaincodeID + " failed: receive from chaincode support stream failed: rpc error: code = Unavailable desc = error reading from server: …"}
		return verdict{unregistered: lost, told: lost, cause: lost}
	case w.unwatched || fault.mute(): // a process that learns of nothing is ended by the peer, and that says nothing
		cause := []string{stream, sending}
		if fault.name == stopped { // which can't be asked to end
			cause = append(cause, "killed 100ms after SIGTERM: …")
		}
		return verdict{silent: true, cause: cause}
	case fault.exit != "":
		exit := []string{w.exited(fault.exit)}
		return verdict{unregistered: exit, told: exit, cause: exit}
	}
	// A process whose connection has ended soon ends, too. The peer doesn't wait for that for long.
	exit := w.exited("1: ")
	return verdict{unregistered: []string{w.exited("5")}, told: []string{exit}, silent: true, cause: []string{exit, stream, sending}}
}

// exited is how a runtime begins to say that a process has exited. status is the status, and what follows it.
func (w *way) exited(status string) string {
	if w == byBuilder {
		rest := strings.TrimLeft(status, "0123456789")
		status = strings.TrimSuffix(status, rest) + ` (bin/run of builder "b")` + rest
	}
	return "container exited with " + status + "…"
}

// behind puts a beginning before texts.
func behind(beginning string, texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, beginning+text)
	}
	return all
}

// wantOneOf makes sure that an error has one of several texts, as wantText does.
func wantOneOf(t *testing.T, err error, texts []string) {
	t.Helper()
	for _, text := range texts {
		prefix, open := strings.CutSuffix(text, "…")
		if err != nil && (err.Error() == text || open && strings.HasPrefix(err.Error(), prefix)) {
			return
		}
	}
	t.Errorf("got error %v, want one of %q", err, texts)
}

// notSent reports whether err says that the stream had ended before the transaction was sent.
func notSent(err error) bool {
	return err != nil && strings.Contains(err.Error(), "] error sending TRANSACTION: ")
}
