package attach_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
)

// attended is a runtime whose user starts the chaincode when the peer waits for it, and ends it when it doesn't.
type attended struct {
	*attach.Runtime
	t testing.TB
}

func (a attended) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	if ctx.Err() == nil {
		u := startPart(a.t, "talker", a.EnvFile(), "")
		defer u.kill()
	}
	return a.Runtime.Run(ctx, chaincodeID, handle)
}

// What a user's chaincode does, this runtime doesn't learn.
func TestSuite(t *testing.T) {
	needsUnix(t, "shell in which a user could start chaincode")
	newRuntime := func(t testing.TB, chaincodeID, address string) *attach.Runtime {
		return newRuntime(t, attach.Config{ChaincodeID: chaincodeID, PeerAddress: address, Dir: filepath.Join(t.TempDir(), "d")})
	}
	runtimetest.Run(t, runtimetest.Fixture{
		New: func(t testing.TB, chaincodeID, address string) runtime.Runtime {
			return attended{newRuntime(t, chaincodeID, address), t}
		},
		NewBroken: func(t testing.TB, _, address string) runtime.Runtime { return newRuntime(t, "other:1", address) },
		Texts:     runtimetest.Texts{Broken: `error starting container: chaincode "asset:1" is not "other:1"`},
	})
}
