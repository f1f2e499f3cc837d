package interop_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/attach"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// byHand is a user with a shell, who starts chaincode when the peer waits for it.
type byHand struct {
	program process.Config // but for what concerns the peer
	attach  attach.Config
}

// Run starts the chaincode as the documentation of package attach says, and ends when the peer has done with it.
func (h byHand) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	h.attach.ChaincodeID, h.attach.Dir = chaincodeID, filepath.Join(h.attach.Dir, strings.ReplaceAll(chaincodeID, ":", "-"))
	rt, err := attach.New(h.attach)
	if err != nil {
		return err
	}
	defer func() { _ = rt.Close() }()
	args := h.program.Args
	if args == nil {
		args = []string{"-peer.address", "{{.PeerAddress}}"}
	}
	script := `. "$0" && exec "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, rt.EnvFile(), h.program.Command}, args...)...)
	for i, a := range cmd.Args {
		cmd.Args[i] = strings.ReplaceAll(a, "{{.PeerAddress}}", h.attach.PeerAddress)
	}
	cmd.Env, cmd.Dir = append(os.Environ(), h.program.Env...), h.program.Dir
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // by then it has ended, or is killed
	}()
	return rt.Run(ctx, chaincodeID, handle)
}

// Official shims find what they need, certificates included, in the file that a user's shell sources.
func TestAttachedByHand(t *testing.T) {
	for _, s := range securedShims(t) {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			auth := authenticator(t)
			start := func(t testing.TB, peerAddress string) runtime.Runtime {
				return byHand{s.process(t), attach.Config{PeerAddress: peerAddress, TLS: auth, Dir: t.TempDir(), MSPID: mspID}}
			}
			p := newPeer(t, way{family: s.family, name: s.name, listen: s.listen, runtime: start}, identified(auth))
			p.text("PutState k v")
			if err := p.Stop(t.Context(), "a:1"); err != nil {
				t.Fatal(err)
			}
			if got := p.text("GetState k"); got != "v" {
				t.Errorf("GetState: %q, want v", got)
			}
		})
	}
}
