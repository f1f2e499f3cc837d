package dial_test

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
	"github.com/ccpeer/ccpeer/proto/pbgrpc"
)

// A server per chaincode, in this process: it goes on when its chaincode has ended.
func TestSuite(t *testing.T) {
	runtimetest.Run(t, runtimetest.Fixture{
		Handles: true,
		New: func(t testing.TB, chaincodeID, _ string) runtime.Runtime {
			l := listenTCP(t)
			play(t, l, func(s pbgrpc.Chaincode_ConnectServer) (err error) {
				defer func() {
					if v := recover(); v != nil {
						err = status.Error(codes.Internal, "it panicked")
					}
				}()
				return runtimetest.Talk(s, chaincodeID)
			})
			return newRuntime(t, dial.Config{Address: l.address()})
		},
		NewBroken: func(t testing.TB, _, _ string) runtime.Runtime {
			l := listenTCP(t)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return newRuntime(t, dial.Config{Address: l.address()})
		},
		Texts: runtimetest.Texts{
			Leaves: "connection to asset:1 terminated",
			Fails:  "connection to asset:1 failed: rpc error: code = Unknown desc = no such database",
			Panics: "connection to asset:1 failed: rpc error: code = Internal desc = it panicked",
			Broken: "connection to asset:1 failed: dial tcp",
		},
	})
}
