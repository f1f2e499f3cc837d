//go:build unix

package process_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// openFile is a file that the tests hold open while they start a chaincode.
const openFile = "open-in-peer"

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// peer listens where the chaincode dials.
type peer struct {
	t *testing.T
	l net.Listener
}

func listen(t *testing.T) peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return peer{t, l}
}

func (p peer) address() string { return p.l.Addr().String() }

// child is a process that has begun to run and has dialled.
type child struct {
	net.Conn
	pid int
}

// accept waits for the processes that play the parts named.
func (p peer) accept(parts ...string) map[string]child {
	p.t.Helper()
	children := map[string]child{}
	for range parts {
		conn, err := p.l.Accept()
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = conn.Close() })
		c, part := child{Conn: conn}, ""
		if _, err := fmt.Fscanln(conn, &part, &c.pid); err != nil {
			p.t.Fatal(err)
		}
		children[part] = c
	}
	for _, part := range parts {
		if _, ok := children[part]; !ok {
			p.t.Fatalf("%s does not run", part)
		}
	}
	return children
}

// wantGone checks that the process has ended.
func (c child) wantGone(t *testing.T) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("process %d still runs: %v", c.pid, err)
	}
}

func (c child) kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(c.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func run(ctx context.Context, r *process.Runtime) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx, "asset:1", nil) }()
	return done
}

func wait(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("Run does not return")
		return nil
	}
}

// wantExit checks how the chaincode ended and returns its last lines.
func wantExit(t *testing.T, err error, code int, sig syscall.Signal) []string {
	t.Helper()
	var exit *process.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("error is %v, want an ExitError", err)
	}
	if exit.Code != code || exit.Signal != sig {
		t.Fatalf("exit is %d of signal %d, want %d of %d", exit.Code, exit.Signal, code, sig)
	}
	return exit.LastLines
}

func TestExitErrorKeepsLastLines(t *testing.T) {
	cfg := config(t, "exit", "127.0.0.1:7052")
	cfg.LastLines = 2
	err := wait(t, run(t.Context(), newRuntime(t, cfg)))
	last := wantExit(t, err, 3, 0)
	if want := "container exited with 3: " + strings.Join(last, " | "); err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
	// The two streams are read at once; each is in order.
	for _, want := range [][]string{{"note 28", "note 29"}, {"line 28", "line 29"}} {
		var got []string
		for _, line := range last {
			if strings.HasPrefix(line, want[0][:5]) {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("last lines are %q, want %q among them", last, want)
		}
	}
	if len(last) != 4 {
		t.Errorf("%d last lines are kept, want 4", len(last))
	}
}

// A stream ends as soon as its chaincode begins to exit. Why it exits must not be lost to being told to stop.
func TestExitsAsItsStreamEnds(t *testing.T) {
	for _, test := range []struct {
		cause error
		want  string // "" is nil
	}{
		{errors.WithMessage(runtime.ErrStreamEnded, "what else"), "container exited with 4: out of memory"},
		{errors.New("chaincode asset:1 was stopped"), ""},
	} {
		p := listen(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		core, logs := observer.New(zap.InfoLevel)
		cfg := config(t, "despair", p.address())
		cfg.Logger = zap.New(core)
		done := run(ctx, newRuntime(t, cfg))
		c := p.accept("despair")["despair"]
		if test.want == "" {
			cancel(test.cause) // asks it to exit, which it also does by itself
			c.wantGone(t)
		} else {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			c.wantGone(t)
			cancel(test.cause)
		}
		err := wait(t, done)
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
			t.Errorf("cause %v: Run returned %v, want %q", test.cause, err, test.want)
		}
		if logs.FilterMessage("out of memory").Len() != 1 {
			t.Error("what the chaincode said last is not in the log")
		}
	}
}

// A chaincode that goes on without its stream, as Node's shim 2.2 does, is told to end.
func TestOutlivesItsStream(t *testing.T) {
	p := listen(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := run(ctx, newRuntime(t, config(t, "idle", p.address())))
	c := p.accept("idle")["idle"]
	cancel(runtime.ErrStreamEnded)
	if err := wait(t, done); err != nil {
		t.Errorf("Run returned %v", err)
	}
	c.wantGone(t)
}

func TestKilledFromOutside(t *testing.T) {
	p := listen(t)
	done := run(t.Context(), newRuntime(t, config(t, "idle", p.address())))
	p.accept("idle")["idle"].kill(t)
	err := wait(t, done)
	wantExit(t, err, 137, syscall.SIGKILL)
	if want := "container exited with 137 (killed)"; err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
}

// A stream ends when its chaincode is killed, and the runtime is then told to stop: it may learn of both in either order.
func TestKilledFromOutsideWhileStopping(t *testing.T) {
	p := listen(t)
	cfg := config(t, "stubborn", p.address())
	cfg.Grace = patience
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := run(ctx, newRuntime(t, cfg))
	c := p.accept("stubborn")["stubborn"]
	cancel()
	c.kill(t)
	err := wait(t, done)
	wantExit(t, err, 137, syscall.SIGKILL)
	if want := "container exited with 137 (killed)"; err == nil || err.Error() != want {
		t.Errorf("Run returned %v, want %q", err, want)
	}
}

func TestStop(t *testing.T) {
	for _, tc := range []struct {
		parts []string // the chaincode and its children
		grace time.Duration
		want  string
	}{
		{parts: []string{"tidy"}, grace: patience},
		// Long enough for a parent that ends when it is told to, on a busy machine, too: its child takes all of it.
		{parts: []string{"parent", "stubborn"}, grace: 3 * time.Second},
		{
			parts: []string{"stubborn"}, grace: 50 * time.Millisecond,
			want: "killed 50ms after SIGTERM: container exited with 137 (killed)",
		},
	} {
		t.Run(tc.parts[0], func(t *testing.T) {
			p := listen(t)
			cfg := config(t, tc.parts[0], p.address())
			cfg.Grace = tc.grace
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := run(ctx, newRuntime(t, cfg))
			children := p.accept(tc.parts...)
			cancel()
			if err := wait(t, done); tc.want == "" && err != nil || tc.want != "" && (err == nil || err.Error() != tc.want) {
				t.Errorf("Run returned %v, want %q", err, tc.want)
			}
			for _, c := range children {
				c.wantGone(t)
			}
		})
	}
}

func TestChildrenEndWithTheChaincode(t *testing.T) {
	p := listen(t)
	done := run(t.Context(), newRuntime(t, config(t, "parent", p.address())))
	children := p.accept("parent", "stubborn")
	_ = children["parent"].Close() // which tells it to end
	wantExit(t, wait(t, done), 0, 0)
	children["stubborn"].wantGone(t)
}

func TestDaemonDoesNotHoldRun(t *testing.T) {
	p := listen(t)
	cfg := config(t, "daemonparent", p.address())
	cfg.Grace = 50 * time.Millisecond
	done := run(t.Context(), newRuntime(t, cfg))
	children := p.accept("daemonparent", "stubborn")
	children["daemonparent"].kill(t)
	wantExit(t, wait(t, done), 137, syscall.SIGKILL)
	children["stubborn"].kill(t) // it has left the group: it is there to be killed
}

func TestOutput(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	cfg := config(t, "print", "127.0.0.1:7052")
	cfg.Logger = zap.New(core)
	last := wantExit(t, wait(t, run(t.Context(), newRuntime(t, cfg))), 0, 0)

	want := func(limit int) []string {
		long := strings.Repeat("x", limit) + fmt.Sprintf(" … (%d bytes cut)", 300_000-limit)
		return []string{long, `binary \x00\xff`, long, "no newline é"}
	}
	wantLast := append(want(512), want(512)...) // of each stream
	slices.Sort(last)
	slices.Sort(wantLast)
	if !slices.Equal(last, wantLast) {
		t.Errorf("last lines are %.1000q", last)
	}
	got := map[string]int{}
	for _, e := range logs.All() {
		if e.LoggerName == "peer.chaincode.asset:1" {
			got[e.Message]++
		}
	}
	wantLog := map[string]int{}
	for _, line := range want(16 << 10) {
		wantLog[line] += 2 // on each of the two streams
	}
	for line, n := range wantLog {
		if got[line] != n {
			t.Errorf("line %.60q is logged %d times, want %d", line, got[line], n)
		}
	}
	if len(got) != len(wantLog) {
		t.Errorf("%d different lines are logged, want %d", len(got), len(wantLog))
	}
}

func TestWhatChaincodeIsGiven(t *testing.T) {
	t.Setenv("HOME", "/root/secret")
	t.Setenv("CORE_PEER_MSPCONFIGPATH", "/secret")
	t.Setenv("PATH", "/bin")
	t.Setenv("TMPDIR", "/tmp")
	t.Setenv("LD_LIBRARY_PATH", "")
	t.Setenv("LIBPATH", "/lib")
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, openFile))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()

	core, logs := observer.New(zap.InfoLevel)
	cfg := config(t, "report", "unix:///run/peer.sock")
	cfg.Args = []string{"start", "--peer.address", "{{.PeerAddress}}", "--chaincode-id={{.ChaincodeID}}"}
	cfg.Env = append(cfg.Env, "CORE_CHAINCODE_LOGGING_SHIM=debug", "TOLD={{.ChaincodeID}} at {{.PeerAddress}}")
	cfg.Dir, cfg.MSPID, cfg.LogFormat, cfg.Logger = dir, "Org1MSP", "%{message}", zap.New(core)
	wantExit(t, wait(t, run(t.Context(), newRuntime(t, cfg))), 0, 0)

	var got []string
	for _, e := range logs.FilterLoggerName("peer.chaincode.asset:1").All() {
		got = append(got, e.Message)
	}
	want := []string{
		"env LD_LIBRARY_PATH=", "env LIBPATH=/lib", "env PATH=/bin", "env TMPDIR=/tmp",
		"env CORE_CHAINCODE_ID_NAME=asset:1", "env CORE_PEER_ADDRESS=unix:///run/peer.sock",
		"env CORE_PEER_TLS_ENABLED=false", "env CORE_CHAINCODE_LOGGING_LEVEL=info",
		"env CORE_CHAINCODE_LOGGING_SHIM=debug", "env CORE_CHAINCODE_LOGGING_FORMAT=%{message}",
		"env CORE_PEER_LOCALMSPID=Org1MSP", "env " + childVar + "=report", "env " + quickExit,
		"args start --peer.address unix:///run/peer.sock --chaincode-id=asset:1",
		"env TOLD=asset:1 at unix:///run/peer.sock", "dir " + dir, `stdin ""`, "leads its process group",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("chaincode was given\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// F65: a chaincode that prints without end has no more room in the log when it is started again. Another one has its own.
func TestFloodOverManyRuns(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	r := newRuntime(t, process.Config{
		Command: "/bin/sh", Args: []string{"-c", "yes | head -c 200000"}, PeerAddress: "127.0.0.1:7052", Logger: zap.New(core),
	})
	began := time.Now()
	for range 3 {
		wantExit(t, r.Run(t.Context(), "cc:1", nil), 0, 0)
	}
	limit := 1<<20 + int(time.Since(began).Seconds()+1)*(64<<10)
	n := len(logs.FilterLoggerName("peer.chaincode.cc:1").FilterLevelExact(zap.InfoLevel).All())
	if cost := n * (len("y") + 64); cost > limit || n == 0 {
		t.Errorf("%d lines were logged, which are %d bytes of a log, want at most %d", n, cost, limit)
	}
	wantExit(t, r.Run(t.Context(), "cc:2", nil), 0, 0)
	if n := len(logs.FilterLoggerName("peer.chaincode.cc:2").FilterLevelExact(zap.InfoLevel).All()); n < 10_000 {
		t.Errorf("%d lines of another chaincode were logged", n)
	}
}

func TestChaincodeDiesWithThePeer(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("only Linux has Pdeathsig")
	}
	p := listen(t)
	r := newRuntime(t, config(t, "peer", p.address()))
	done := run(t.Context(), r)
	children := p.accept("peer", "stubborn")
	children["peer"].kill(t)
	children["stubborn"].wantGone(t) // though it is in a group of its own
	wantExit(t, wait(t, done), 137, syscall.SIGKILL)
}

func TestCannotStart(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(program string) error // since the runtime was made
		id     string
		want   string
	}{
		{"missing", os.Remove, "cc:1", "error starting container: fork/exec {}: no such file or directory"},
		{"not executable", unusable, "cc:1", "error starting container: fork/exec {}: permission denied"},
		{"no ID", nil, "", "error starting container: the chaincode ID is empty"},
		{"NUL in ID", nil, "cc\x00", "error starting container: exec: environment variable contains NUL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "cc")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			r := newRuntime(t, process.Config{Command: program, PeerAddress: "127.0.0.1:7052"})
			if tc.change != nil {
				if err := tc.change(program); err != nil {
					t.Fatal(err)
				}
			}
			want := strings.ReplaceAll(tc.want, "{}", program)
			if err := r.Run(t.Context(), tc.id, nil); err == nil || err.Error() != want {
				t.Errorf("Run returned %v, want %s", err, want)
			}
		})
	}
}

func unusable(program string) error { return os.Chmod(program, 0o600) }

func TestConfig(t *testing.T) {
	good := process.Config{Command: "/bin/sh", PeerAddress: "localhost:7052"}
	for _, tc := range []struct {
		name string
		set  func(*process.Config)
		want string // part of the error; "" for none
	}{
		{"good", func(*process.Config) {}, ""},
		{"IPv6", func(c *process.Config) { c.PeerAddress = "[::1]:7052" }, ""},
		{"Unix socket", func(c *process.Config) { c.PeerAddress = "unix:///run/p" }, ""},
		{"no command", func(c *process.Config) { c.Command = "" }, `command "" is not an absolute path`},
		{"missing command", func(c *process.Config) { c.Command = "/nowhere/cc" }, `"/nowhere/cc" is not a program that can be run: stat /nowhere/cc: no such`},
		{"folder", func(c *process.Config) { c.Command = "/" }, `command "/" is not a program that can be run: is a directory`},
		{"no program", func(c *process.Config) { c.Command = "/dev/null" }, `"/dev/null" is not a program that can be run: permission denied`},
		{"relative command", func(c *process.Config) { c.Command = "bin/cc" }, `command "bin/cc" is not an absolute path`},
		{"relative directory", func(c *process.Config) { c.Dir = "d" }, `working directory "d"`},
		{"no address", func(c *process.Config) { c.PeerAddress = "" }, `peer address "" cannot be dialled`},
		{"no host", func(c *process.Config) { c.PeerAddress = ":7052" }, `peer address ":7052" cannot be dialled`},
		{"port 0", func(c *process.Config) { c.PeerAddress = "localhost:0" }, `peer address "localhost:0" cannot be dialled`},
		{"relative socket", func(c *process.Config) { c.PeerAddress = "unix://p" }, `peer address "unix://p" has no absolute path`},
		{"odd variable", func(c *process.Config) { c.Env = []string{"A=1", "=2"} }, "not of the form KEY=value"},
		{"negative grace", func(c *process.Config) { c.Grace = -1 }, "grace time -1ns"},
		{"negative lines", func(c *process.Config) { c.LastLines = -1 }, "last lines -1"},
		{"127/8", func(c *process.Config) { c.PeerAddress = "127.1.2.3:7052" }, ""},
		{"far in plaintext", func(c *process.Config) { c.PeerAddress = "192.0.2.1:7052" }, "plaintext is for loopback"},
		{"name in plaintext", func(c *process.Config) { c.PeerAddress = "peer.example.com:7052" }, "plaintext is for loopback"},
		{"far", func(c *process.Config) { c.PeerAddress, c.TLS = "192.0.2.1:7052", &issuer{} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := good
			tc.set(&cfg)
			_, err := process.New(cfg)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("New returned %v, want %q", err, tc.want)
			}
		})
	}
}
