package main

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// served is a peer that runs as a process.
type served struct {
	chaincode, api string        // addresses
	secure         bool          // chaincode connects by mutual TLS
	ledger         string        // what it says of its ledger
	channels       string        // and of its channels
	lines          *bufio.Reader // what it says after that
	cmd            *exec.Cmd
	stderr         *bytes.Buffer
}

var greeting = regexp.MustCompile(`^chaincode connects to (\S+) (by mutual TLS|in plaintext), clients to (\S+)\nledger: (.+)\nchannels: (.+); chaincodes: .+\n$`)

// servePeer starts ccpeer serve with the chaincode probe, and with a ledger that nobody else has.
func servePeer(t *testing.T, args ...string) *served {
	t.Helper()
	return servePeerWithData(t, t.TempDir(), append([]string{"--channelID", "mychannel,other"}, args...)...)
}

// servePeerWithData starts ccpeer serve with the chaincode probe, and the folder that default ledgers are in.
func servePeerWithData(t *testing.T, data string, args ...string) *served {
	t.Helper()
	return startServing(t, data, append([]string{"--chaincode", "probe=" + os.Args[0]}, args...)...)
}

// startServing starts ccpeer serve, with the folder that default ledgers are in.
func startServing(t *testing.T, data string, args ...string) *served {
	t.Helper()
	needsSignals(t)
	s := &served{cmd: peerCommand(t.Context(), data, append([]string{"serve", "--gateway", "127.0.0.1:0"}, args...)...), stderr: new(bytes.Buffer)}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	first := ""
	s.lines = bufio.NewReader(stdout)
	for range 3 {
		line, _ := s.lines.ReadString('\n')
		first += line
	}
	m := greeting.FindStringSubmatch(first)
	if m == nil {
		_ = s.cmd.Wait()
		t.Fatalf("ccpeer serve printed %q and %s", first, s.stderr)
	}
	s.chaincode, s.secure, s.api, s.ledger, s.channels = m[1], m[2] == "by mutual TLS", m[3], m[4], m[5]
	return s
}

// kill ends the peer as a crash does.
func (s *served) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
}

// stop sends a signal to the peer and waits for its end.
func (s *served) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ccpeer serve, after Ctrl-C: %v\n%s", err, s.stderr)
	}
}

// socketFolder returns a folder whose path is short enough for a socket in it.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "p")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestServeOverTCP(t *testing.T) {
	t.Parallel()
	s := servePeer(t, "--listen", "127.0.0.1:0", "--api", "localhost:0")
	useServed(t, s)
	s.stop(t)
}

func TestServeOverUnixSocket(t *testing.T) {
	t.Parallel()
	dir := socketFolder(t)
	listen, api := filepath.Join(dir, "c"), filepath.Join(dir, "a")
	s := servePeer(t, "--listen", "unix://"+listen, "--api", "unix:"+api)
	if info, err := os.Stat(api); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("socket is %v (%v), want mode %o", info, err, socketMode)
	}
	useServed(t, s)
	ccpeer(t, "serve", "--dev", "--listen", "unix://"+listen).check(t, exitFailed, "address already in use")

	// A peer that was killed leaves its sockets behind, which don't stop the next one.
	s.kill(t)
	s = servePeer(t, "--listen", "unix://"+listen, "--api", "unix://"+api)
	s.stop(t)
	if _, err := os.Stat(api); !os.IsNotExist(err) {
		t.Errorf("socket is still there (%v)", err)
	}
}

// F122: what is no socket stays as it is, whatever it is that the peer is told to listen on.
func TestServeDeletesNothing(t *testing.T) {
	t.Parallel()
	dir := socketFolder(t)
	thesis, link, folder := filepath.Join(dir, "thesis"), filepath.Join(dir, "link"), filepath.Join(dir, "folder")
	if err := os.WriteFile(thesis, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(thesis, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "ccpeer.yaml")
	const text = "there is something that is no socket, which is left as it is: give another path"
	for _, path := range []string{thesis, link, folder} {
		ccpeer(t, "serve", "--dev", "--ledger", "memory", "--listen", "127.0.0.1:0", "--api", "unix:"+path).check(t, exitFailed, path+": "+text)
		ccpeer(t, "serve", "--dev", "--ledger", "memory", "--listen", "unix:"+path, "--api", "127.0.0.1:0").check(t, exitFailed, path+": "+text)
		for _, keys := range []string{"api: unix:" + path + "\nlisten: 127.0.0.1:0", "api: 127.0.0.1:0\nlisten: unix:" + path} {
			if err := os.WriteFile(config, []byte(keys+"\nledger: memory\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			ccpeer(t, "serve", "--dev", "--config", config).check(t, exitFailed, path+": "+text)
		}
	}
	if b, err := os.ReadFile(thesis); err != nil || string(b) != "text" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		t.Errorf("the folder is %v, %v", info, err)
	}
	if target, err := os.Readlink(link); err != nil || target != thesis {
		t.Errorf("the link leads to %q, %v", target, err)
	}
}

// useServed calls the chaincode of a peer in every way that clients have.
func useServed(t *testing.T, s *served) {
	t.Helper()
	for _, c := range []struct {
		args   string // separated by |
		status int
		want   string
	}{
		{`invoke|-n|probe|-c|{"Args":["put","k","blue"]}`, exitOK, "status:200\ntxid ["},
		{`invoke|-n|probe|-c|{"Args":["put","k","blue"]}`, exitOK, "committed with status (VALID)\n"},
		{`query|-n|probe|-c|{"Args":["get","k"]}`, exitOK, "blue\n"},
		{`query|-n|probe|-c|{"Args":["put","k","red"]}`, exitOK, "\n"}, // is not committed
		{`chaincode|invoke|-C|mychannel|-n|probe|-c|{"function":"get","Args":["k"]}`, exitOK, `status:200 payload:"blue"`},
		{`query|-C|other|-n|probe|-c|{"Args":["get","k"]}`, exitOK, "\n"},
		{`invoke|-n|probe|-I|-c|{"Args":[]}`, exitOK, `payload:"initialized"`},
		{`invoke|-n|probe|-c|{"Args":["warn"]}`, exitOK, `status:399 message:"careful"`},
		{`query|-n|probe|-c|{"Args":["transient"]}|--transient|{"b":"AP8=","a":""}`, exitOK, "a= b=00ff \n"},
		{`query|-n|probe|-c|{"Args":["creator"]}`, exitOK, mspID + " CN=client,OU=client,O=Org1MSP\n"},
		{`invoke|-n|probe|-c|{"Args":["hide","k","gold"]}`, exitOK, "committed with status (VALID)\n"},
		{`query|-n|probe|-c|{"Args":["seek","k"]}`, exitOK, "gold\n"},
		{`query|-n|probe|-c|{"Args":["bytes"]}|--hex`, exitOK, "00ff0a\n"},
		{`query|-n|probe|-c|{"Args":["bytes"]}|--raw`, exitOK, "\x00\xff\n"},

		{`invoke|-n|probe|-c|{"Args":["fly"]}`, exitFailed, `endorsement failure during invoke. response: status:500 message:"no function fly"`},
		{`query|-n|probe|-c|{"Args":["fly"]}`, exitFailed, `endorsement failure during query. response: status:500 message:"no function fly"`},
		{`query|-n|prob|-c|{"Args":["get","k"]}`, exitFailed, `chaincode "prob" is not known to this peer, which has: probe`},
		{`query|-C|mine|-n|probe|-c|{"Args":["get","k"]}`, exitFailed, `channel "mine" is not known to this peer, which has: mychannel, other`},
		{`invoke|-n|probe|-c|{"Args":["crash"]}`, exitFailed, "chaincode stream terminated"},
		{`query|-n|probe|-c|{"Args":["get","k"]}`, exitOK, "blue\n"}, // launched again
	} {
		t.Run(c.args, func(t *testing.T) {
			r := ccpeer(t, append(strings.Split(c.args, "|"), "--api", s.api)...)
			r.check(t, c.status, c.want)
			if exact := strings.HasPrefix(c.args, "query"); exact && c.status == exitOK && r.stdout != c.want {
				t.Errorf("standard output is %q, want %q", r.stdout, c.want)
			}
		})
	}
	t.Run("conflict", func(t *testing.T) { conflict(t, s) })
}

// conflict runs two transactions that read a key before either writes it.
func conflict(t *testing.T, s *served) {
	results := make([]result, 2)
	var both sync.WaitGroup
	for i := range results {
		both.Go(func() { results[i] = ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["meet","m"]}`, "--api", s.api) })
	}
	both.Wait()
	if results[0].status != exitOK {
		results[0], results[1] = results[1], results[0]
	}
	results[0].check(t, exitOK, "committed with status (VALID)")
	results[1].check(t, exitFailed, "transaction invalidated with status (MVCC_READ_CONFLICT)")
}

// TestServeArguments gives a chaincode's program arguments.
func TestServeArguments(t *testing.T) {
	t.Parallel()
	s := servePeer(t, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0",
		"--chaincode", "other="+os.Args[0]+" start  --peer.address={{.PeerAddress}} --id {{.ChaincodeID}}")
	for chaincode, want := range map[string]string{
		"probe": "-peer.address " + s.chaincode + "\n",
		"other": "start --peer.address=" + s.chaincode + " --id other:1.0\n",
	} {
		r := ccpeer(t, "query", "-n", chaincode, "-c", `{"Args":["arguments"]}`, "--api", s.api)
		if r.check(t, exitOK, want); r.stdout != want {
			t.Errorf("the arguments of %s are %q, want %q", chaincode, r.stdout, want)
		}
	}
	s.stop(t)
}

// serveWaiting starts a peer, and a call whose chaincode waits until release is closed.
func serveWaiting(t *testing.T) (s *served, called <-chan result, release *os.File) {
	t.Helper()
	pipe := filepath.Join(t.TempDir(), "pipe")
	makePipe(t, pipe)
	s = servePeer(t, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	outcome := make(chan result)
	go func() {
		outcome <- ccpeer(t, "invoke", "-n", "probe", "-c", `{"Args":["wait","`+pipe+`"]}`, "--api", s.api)
	}()
	release, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the chaincode waits
	if err != nil {
		t.Fatal(err)
	}
	return s, outcome, release
}

// interrupt sends a signal to the peer, and returns when clients can't connect any more.
func (s *served) interrupt(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	refused := func() bool {
		c, err := net.Dial("tcp", s.api)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}
	for !refused() {
		runtime.Gosched()
	}
}

// TestServeDrains stops a peer while a call is under way.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	s, called, release := serveWaiting(t)
	s.interrupt(t)
	if err := release.Close(); err != nil {
		t.Fatal(err)
	}
	(<-called).check(t, exitOK, "committed with status (VALID)")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ccpeer serve, after Ctrl-C: %v\n%s", err, s.stderr)
	}
}

// F125: who has sent half a question doesn't hold up the end.
func TestServeEndsBesideHalfAQuestion(t *testing.T) {
	t.Parallel()
	s := servePeer(t, "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	for _, half := range []string{"POST /v1/query HT", "POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"} {
		c, err := net.Dial("tcp", s.api)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := c.Write([]byte(half)); err != nil {
			t.Fatal(err)
		}
	}
	// The peer answers others, so it has read the halves, or will.
	ccpeer(t, "chaincode", "list", "--api", s.api).check(t, exitOK, "probe")
	began := time.Now()
	s.stop(t)
	if d := time.Since(began); d > 8*time.Second {
		t.Errorf("the end took %s", d)
	}
}

// The first Ctrl-C says what is waited for, and the second one ends the peer at once.
func TestServeEndsAtOnce(t *testing.T) {
	t.Parallel()
	s, called, release := serveWaiting(t)
	defer func() { _ = release.Close() }()
	s.interrupt(t)
	began := time.Now()
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := s.cmd.Wait()
	if d := time.Since(began); err == nil || d > 8*time.Second {
		t.Errorf("after the second Ctrl-C it took %s, and ended with %v, want a signal's end at once", d, err)
	}
	if got := s.stderr.String(); !strings.Contains(got, "stopping: waiting for 1 call under way") {
		t.Errorf("the first Ctrl-C said %q", got)
	}
	<-called
}

// TestServeExternal connects a chaincode that somebody else started.
func TestServeExternal(t *testing.T) {
	t.Parallel()
	s := servePeer(t, "--dev", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0")
	query := []string{"query", "-n", "mine", "-c", `{"Args":["get","k"]}`, "--api", s.api}
	ccpeer(t, query...).check(t, exitFailed, "chaincode mine:1.0 is not running")

	chaincode := exec.Command(os.Args[0])
	chaincode.Env = append(os.Environ(), "CORE_CHAINCODE_ID_NAME=mine:1.0", "CORE_PEER_TLS_ENABLED=false", "CORE_PEER_ADDRESS="+s.chaincode)
	if err := chaincode.Start(); err != nil {
		t.Fatal(err)
	}
	r := ccpeer(t, query...)
	for r.status == exitFailed && strings.Contains(r.stderr, "is not running") {
		r = ccpeer(t, query...) // until it has registered
	}
	r.check(t, exitOK, "\n")
	if err := chaincode.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := chaincode.Wait(); err != nil {
		t.Errorf("chaincode: %v", err)
	}
	s.stop(t)
}
