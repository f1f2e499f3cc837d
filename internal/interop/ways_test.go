package interop_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
	"github.com/ccpeer/ccpeer/internal/interop/contractchaincode"
	"github.com/ccpeer/ccpeer/internal/interop/gochaincode"
	pb "github.com/ccpeer/ccpeer/proto"
)

// family is what the ways of running one shim have in common.
type family struct {
	name     string // testdata/<name>.txt has its conversations
	shim     string // the module or package that is tested
	manifest string // the go.mod or package.json that says which version of it

	// program returns the arguments that make its chaincode do what the words say. Nil: they are the words.
	program func(words []string) []string
	// failed is how its chaincode ends a transaction when a call has failed, a format for the transaction and the quoted
	// text. Empty: COMPLETED %s status:500 message:%s.
	failed string
}

// Names of families.
const (
	goFamily         = "go"
	contractGoFamily = "contractgo"
)

// failure is how the family's chaincode ends a transaction when a call has failed, in the trace's form.
func (f *family) failure(tx, quotedText string) string {
	if f.failed == "" {
		return fmt.Sprintf("COMPLETED %s status:500 message:%s", tx, quotedText)
	}
	return fmt.Sprintf(f.failed, tx, quotedText)
}

// way is a way of running a shim.
type way struct {
	*family
	name      string
	inProcess bool                          // chaincode runs in the peer's process
	listen    func(testing.TB) net.Listener // nil: chaincode doesn't dial
	runtime   func(t testing.TB, peerAddress string) runtime.Runtime
	options   []grpc.ServerOption // of the server that chaincode dials
}

func (w way) String() string { return w.family.name + "/" + w.name }

// ways are all of them.
func ways(t testing.TB) []way {
	return slices.Concat(goWays(), contractGoWays(), nodeWays(t))
}

func goWays() []way {
	f := &family{name: goFamily, shim: "github.com/hyperledger/fabric-chaincode-go/v2", manifest: "go.mod"}
	return []way{
		{family: f, name: "tcp", listen: listenTCP, runtime: subprocess(f.name)},
		{family: f, name: "unix", listen: listenUnix, runtime: subprocess(f.name)},
		{family: f, name: "inproc", inProcess: true, runtime: func(testing.TB, string) runtime.Runtime {
			return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
				return shim.StartInProc(chaincodeID, pb.As[peer.ChaincodeMessage](s), new(gochaincode.Chaincode))
			})
		}},
		{family: f, name: "server", runtime: serverOf(f.name)},
	}
}

func contractGoWays() []way {
	f := &family{name: contractGoFamily, shim: "github.com/hyperledger/fabric-contract-api-go/v2", manifest: "go.mod"}
	f.program = func(words []string) []string { return []string{"Do", contractchaincode.Join(words)} }
	return []way{
		{family: f, name: "tcp", listen: listenTCP, runtime: subprocess(f.name)},
		{family: f, name: "unix", listen: listenUnix, runtime: subprocess(f.name)},
		{family: f, name: "server", runtime: serverOf(f.name)},
	}
}

// subprocess runs this test binary as chaincode that dials the peer.
func subprocess(family string) func(testing.TB, string) runtime.Runtime {
	return func(t testing.TB, peerAddress string) runtime.Runtime {
		r, err := process.New(process.Config{
			Command: self(t), PeerAddress: peerAddress, MSPID: mspID, Env: []string{childVar + "=" + family},
		})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// serverOf runs this test binary as chaincode that is a server.
func serverOf(family string) func(testing.TB, string) runtime.Runtime {
	return func(t testing.TB, _ string) runtime.Runtime {
		return server{process: serverProcess(t, family)}
	}
}

// serverProcess is this test binary as chaincode that is a server.
func serverProcess(t testing.TB, family string) process.Config {
	return process.Config{Command: self(t), Args: []string{}, MSPID: mspID, Env: []string{childVar + "=" + family}}
}

func self(t testing.TB) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
