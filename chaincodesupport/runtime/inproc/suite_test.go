package inproc_test

import (
	"context"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/inproc"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
	pb "github.com/ccpeer/ccpeer/proto"
)

func TestSuite(t *testing.T) {
	runtimetest.Run(t, runtimetest.Fixture{
		Handles: true,
		New: func(testing.TB, string, string) runtime.Runtime {
			return inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
				return runtimetest.Talk(s, chaincodeID)
			})
		},
		NewBroken: func(testing.TB, string, string) runtime.Runtime { return inproc.Runtime(nil) },
		Texts: runtimetest.Texts{
			Leaves: `chaincode "asset:1" ended`,
			Fails:  `chaincode "asset:1" ended: no such database`,
			Panics: "chaincode panicked",
			Broken: "error starting container: inproc.Runtime is nil",
		},
	})
}
