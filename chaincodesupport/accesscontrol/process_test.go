package accesscontrol_test

import (
	"bytes"
	"net"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
)

// Chaincode in processes of their own works under mutual TLS. What one launch was given is worth nothing to the next.
func TestLaunches(t *testing.T) {
	for _, test := range []struct {
		name   string
		listen func(testing.TB) net.Listener
	}{{"TCP", listenTCP}, {"Unix socket", listenUnix}} {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, test.listen(t))
			first := p.pid("asset:1", "t1")
			if pid := p.pid("market:1", "t1"); pid == first {
				t.Error("one process is two chaincodes")
			}
			if pid := p.pid("asset:1", "t2"); pid != first {
				t.Error("the chaincode was launched twice")
			}
			if err := p.Stop(t.Context(), "market:1"); err != nil {
				t.Fatal(err)
			}
			stopped := p.launches.last()
			p.wantRefused(stopped, "market:1", codes.Unauthenticated, "not found in registry")
			p.pid("market:1", "t2")
			p.wantRefused(stopped, "market:1", codes.Unauthenticated, "not found in registry")

			killed := p.launches.last()
			if bytes.Equal(killed.Cert, stopped.Cert) || bytes.Equal(killed.Key, stopped.Key) {
				t.Error("two launches have the same certificate")
			}
			kill(t, p.pid("market:1", "t3"))
			if err := p.Stop(t.Context(), "market:1"); err != nil { // waits until it is gone
				t.Fatal(err)
			}
			p.wantRefused(killed, "market:1", codes.Unauthenticated, "not found in registry")
			if pid := p.pid("asset:1", "t4"); pid != first {
				t.Error("the other chaincode was not left alone")
			}
			p.stop()
			if launches, _ := p.auth.Watched(); launches != 0 {
				t.Errorf("%d certificates are still valid", launches)
			}
		})
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// F15: a chaincode that is launched under one name and registers under another.
func TestLaunchedChaincodeTakesAnothersName(t *testing.T) {
	p := newPeer(t, listenTCP(t), "CORE_CHAINCODE_ID_NAME=market:1")
	err := p.Launch(t.Context(), "asset:1")
	const want = `chaincode registration failed: error in handling register chaincode, chaincodeID name "market:1" is not the one of this stream, "asset:1"`
	if err == nil || err.Error() != want {
		t.Errorf("Launch: %v, want %s", err, want)
	}
}

// Having a certificate is not enough: it has to be shown.
func TestLaunchedChaincodeInPlaintext(t *testing.T) {
	p := newPeer(t, listenTCP(t), "CORE_PEER_TLS_ENABLED=false")
	err := p.Launch(t.Context(), "asset:1")
	if err == nil || !strings.Contains(err.Error(), "chaincode registration failed: container exited with 1") {
		t.Errorf("Launch: %v", err)
	}
}

// The files of a credential are gone when the chaincode is.
func TestNothingIsLeftOnDisk(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	p := newPeer(t, listenTCP(t))
	p.pid("asset:1", "t1")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("while it runs there is %v, %v, want one folder", left, err)
	}
	if err := p.Stop(t.Context(), "asset:1"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
