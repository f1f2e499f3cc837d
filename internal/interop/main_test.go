package interop_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if family := os.Getenv(childVar); family != "" {
		os.Exit(child(family))
	}
	goleak.VerifyTestMain(m,
		// The shim leaves it behind when its stream ends just as it has sent a message.
		goleak.IgnoreAnyFunction("github.com/hyperledger/fabric-chaincode-go/v2/shim.(*Handler).serialSendAsync.func1"))
}

// mspID is the peer's, which chaincode in a process of its own is told.
const mspID = "PeerMSP"

// everyWay runs a test for each way, two or more at a time.
func everyWay(t *testing.T, test func(*testing.T, way)) {
	for _, w := range ways(t) {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// ownProcess leaves out the ways that run chaincode in the peer's process.
func ownProcess(t *testing.T, w way) {
	if w.inProcess {
		t.Skip("chaincode runs in the peer's process")
	}
}

func listenTCP(t testing.TB) net.Listener { return listen(t, "tcp", "127.0.0.1:0") }

func listenUnix(t testing.TB) net.Listener {
	dir, err := os.MkdirTemp("", "interop") // not t.TempDir: a socket's path has at most 107 bytes
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

func listen(t testing.TB, network, address string) net.Listener {
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dialName is what a chaincode finds a listener by.
func dialName(a net.Addr) string {
	if a.Network() == "unix" {
		return "unix://" + a.String()
	}
	return a.String()
}
