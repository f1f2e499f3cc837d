package attach_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
)

// Chaincode comes before it is called, and after; goes, and comes again; always with what one Runtime has written.
func TestAttach(t *testing.T) {
	for _, test := range []struct {
		name    string
		listen  func(testing.TB) net.Listener
		secured bool
	}{{"mutual TLS", listenTCP, true}, {"mutual TLS on a socket", listenUnix, true}, {"plaintext", listenTCP, false}, {"plaintext on a socket", listenUnix, false}} {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, test.listen(t), test.secured, 0)
			u := start(t, p.rt.EnvFile(), "")
			p.isIn(chaincodesupport.Ready)
			u.wantFrom(p.call("t1"))
			u.wantFrom(p.call("t2"))
			p.waits(0)
			u.kill()
			p.isIn(chaincodesupport.Stopped)
			for i, tx := range []string{"t3", "t4"} { // it is called when nobody is there
				called := p.call(tx)
				p.waits(i + 1)
				u := start(t, p.rt.EnvFile(), "")
				u.wantFrom(called)
				u.kill()
				p.isIn(chaincodesupport.Stopped)
			}
			u = start(t, p.rt.EnvFile(), "")
			p.isIn(chaincodesupport.Ready)
			u.wantFrom(p.call("t5"))
			p.waits(2)
		})
	}
}

// A call of chaincode that nobody starts ends with the launch's time.
func TestNobodyComes(t *testing.T) {
	p := newPeer(t, listenTCP(t), true, 100*time.Millisecond)
	a := <-p.call("t1")
	wantText(t, a.err, "timeout expired while starting chaincode asset:1 for transaction")
}

// F15: with the certificate of one chaincode, nobody is another one.
func TestWrongName(t *testing.T) {
	p := newPeer(t, listenTCP(t), true, 0)
	u := start(t, p.rt.EnvFile(), "CORE_CHAINCODE_ID_NAME=market:1;")
	const want = `chaincodeID name "market:1" is not the one of this stream, "asset:1"`
	if said := u.last(); !strings.Contains(said, want) {
		t.Errorf("chaincode said %s, want %s", said, want)
	}
	u = start(t, p.rt.EnvFile(), "CORE_PEER_TLS_ENABLED=false;")
	u.last() // it doesn't get in
	if all := p.List(); len(all) > 0 {
		t.Errorf("attached: %+v", all)
	}
}

// What Close removes is gone, and what somebody has kept of it is worth nothing: not to who has it, nor to who is connected.
func TestClose(t *testing.T) {
	p := newPeer(t, listenTCP(t), true, 0)
	connected := start(t, p.rt.EnvFile(), "")
	p.isIn(chaincodesupport.Ready)
	kept := t.TempDir()
	if err := os.CopyFS(kept, os.DirFS(p.dir)); err != nil {
		t.Fatal(err)
	}
	if n := len(readDir(t, kept)); n != 6 {
		t.Errorf("%d files are kept", n)
	}
	for range 2 {
		if err := p.rt.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if left := readDir(t, p.dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	connected.last()
	p.isIn(chaincodesupport.Stopped)

	var elsewhere strings.Builder // the files' paths are those of the copies
	for variable, name := range map[string]string{
		"CORE_TLS_CLIENT_KEY_FILE": "client_pem.key", "CORE_TLS_CLIENT_CERT_FILE": "client_pem.crt", "CORE_PEER_TLS_ROOTCERT_FILE": "peer.crt",
	} {
		elsewhere.WriteString(variable + "='" + filepath.Join(kept, name) + "';")
	}
	late := start(t, filepath.Join(kept, "chaincode.env"), elsewhere.String())
	if said := late.last(); !strings.Contains(said, "not found in registry") {
		t.Errorf("chaincode said %s", said)
	}
	if a := <-p.call("t1"); !errors.Is(a.err, attach.ErrClosed) {
		t.Errorf("Execute: %v", a.err)
	}
}

// A call that waits for the user learns that there is nothing more to wait for.
func TestCloseWhileItWaits(t *testing.T) {
	p := newPeer(t, listenTCP(t), false, patience)
	called := p.call("t1")
	p.waits(1)
	if err := p.rt.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	a := <-called
	wantText(t, a.err, "chaincode registration failed: attach runtime is closed")
}

// F67: when the peer goes, so does its chaincode, though nobody has started it but the user.
func TestPeerGoes(t *testing.T) {
	p := newPeer(t, listenTCP(t), true, 0)
	u := start(t, p.rt.EnvFile(), "")
	p.isIn(chaincodesupport.Ready)
	p.stop()
	u.last()
}

// F67: the same where the peer is killed. What it has left in its folder, the next one replaces.
func TestPeerIsKilled(t *testing.T) {
	needsUnix(t, "shell in which a user could start chaincode")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "d")
	peer := exec.Command(self, dir)
	peer.Env, peer.Stderr = append(os.Environ(), childVar+"=peer"), os.Stderr
	out, err := peer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Process.Kill(); _ = peer.Wait() }) // if the test did not come to it
	lines := bufio.NewScanner(out)
	lines.Scan()
	u := start(t, lines.Text(), "")
	lines.Scan() // it is there
	if err := peer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = peer.Wait() // "signal: killed"
	u.last()
	if n := len(readDir(t, dir)); n != 6 {
		t.Errorf("%d files are left", n)
	}
	newRuntime(t, config(dir))
	if n := len(readDir(t, dir)); n != 1 {
		t.Errorf("%d files are left", n)
	}
}

func TestRun(t *testing.T) {
	rt := newRuntime(t, attach.Config{ChaincodeID: "asset:1", PeerAddress: "localhost:7052", Dir: filepath.Join(t.TempDir(), "d")})
	limited, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	closed := newRuntime(t, attach.Config{ChaincodeID: "asset:1", PeerAddress: "localhost:7052", Dir: filepath.Join(t.TempDir(), "d")})
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"another chaincode", rt.Run(limited, "market:1", nil), `chaincode "market:1" is not "asset:1", which is the one that is started by hand`},
		{"no chaincode", rt.Run(limited, "", nil), `chaincode "" is not "asset:1"`},
		{"closed", closed.Run(limited, "asset:1", nil), "attach runtime is closed"},
	} {
		var notStarted *runtime.StartError
		if !errors.As(test.err, &notStarted) {
			t.Errorf("%s: got %v, want a StartError", test.name, test.err)
		}
		wantText(t, test.err, "error starting container: "+test.want)
	}
}
