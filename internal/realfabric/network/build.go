package network

import (
	"context"
	"os"
	"os/exec"

	"github.com/pkg/errors"
)

// Build builds Fabric's programs into a folder: peer, orderer, configtxgen, and program fabric, which answers with Fabric's code.
// source is the folder of the module that they are built from. They have most of their packages in common, and Go keeps these.
func Build(ctx context.Context, source, dir string) error {
	const fabric = "github.com/hyperledger/fabric/cmd/"
	// Without what a debugger needs, linking takes half the time.
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", dir+string(os.PathSeparator), ".", fabric+"peer", fabric+"orderer", fabric+"configtxgen")
	cmd.Dir, cmd.Env = source, append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return errors.Wrapf(err, "build Fabric\n%s", out)
}
