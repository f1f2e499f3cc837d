package builder_test

import (
	"context"
	"testing"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/builder"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/runtimetest"
)

// newTalkers returns a runtime whose builder has a bin/run, for packages that it builds when they are run.
func newTalkers(t testing.TB, run, address string, packages map[string]*builder.Package) *builder.Runtime {
	t.Helper()
	return newRuntime(t, builder.Config{
		Builders: []builder.Builder{newBuilder(t, "b", map[string]string{"run": run})}, PeerAddress: address, Packages: func(_ context.Context, id string) (*builder.Package, error) {
			if p, ok := packages[id]; ok {
				return p, nil
			}
			return nil, errors.New("there is no such package")
		},
	})
}

// Chaincode that bin/run is.
func TestSuite(t *testing.T) {
	packages := map[string]*builder.Package{}
	var ids [2]string
	for i, label := range []string{"asset", "market"} {
		p := parse(t, packed(t, label, "golang", targz(t)))
		packages[p.ID], ids[i] = p, p.ID
	}
	runtimetest.Run(t, runtimetest.Fixture{
		IDs: ids,
		New: func(t testing.TB, _, address string) runtime.Runtime {
			return newTalkers(t, child(t, "talker", `"$2/chaincode.json"`), address, packages)
		},
		NewBroken: func(t testing.TB, _, address string) runtime.Runtime { return newTalkers(t, accept, address, nil) },
		Texts: runtimetest.Texts{
			Leaves: `container exited with 0 (bin/run of builder "b")`,
			Fails:  `container exited with 99 (bin/run of builder "b"): no such database`,
			Panics: `container exited with 2 (bin/run of builder "b"): panic: out of memory`,
			Broken: "error starting container: get package " + ids[0] + ": there is no such package",
		},
	})
}
