package interop_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/internal/interop/gochaincode"
	pb "github.com/ccpeer/ccpeer/proto"
)

// childVar makes the test binary a chaincode.
const childVar = "INTEROP_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		fmt.Fprintln(os.Stderr, shim.Start(new(gochaincode.Chaincode)))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m,
		// The shim leaves it behind when its stream ends just as it has sent a message.
		goleak.IgnoreAnyFunction("github.com/hyperledger/fabric-chaincode-go/v2/shim.(*Handler).serialSendAsync.func1"))
}

// mspID is the peer's, which chaincode in a process of its own is told.
const mspID = "PeerMSP"

// way is a way of running a shim.
type way struct {
	name    string
	listen  func(testing.TB) net.Listener // nil: chaincode doesn't dial
	runtime func(t testing.TB, peerAddress string) runtime.Runtime
}

// ways are those of the Go shim.
var ways = []way{
	{"tcp", listenTCP, subprocess},
	{"unix", listenUnix, subprocess},
	{"inproc", nil, func(testing.TB, string) runtime.Runtime {
		return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
			return shim.StartInProc(chaincodeID, pb.As[peer.ChaincodeMessage](s), new(gochaincode.Chaincode))
		})
	}},
}

// everyWay runs a test for each way.
func everyWay(t *testing.T, test func(*testing.T, way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) { test(t, w) })
	}
}

// subprocesses runs a test for each way that gives chaincode a process of its own.
func subprocesses(t *testing.T, test func(*testing.T, way)) {
	everyWay(t, func(t *testing.T, w way) {
		if w.listen == nil {
			t.Skip("chaincode runs in the peer's process")
		}
		test(t, w)
	})
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

// subprocess runs this test binary as chaincode.
func subprocess(t testing.TB, peerAddress string) runtime.Runtime {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := process.New(process.Config{Command: self, PeerAddress: peerAddress, MSPID: mspID, Env: []string{childVar + "=1"}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
