package chaincodetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/process"
)

// Command is chaincode that a command starts, as a process of its own that dials the peer. What it prints is in the test's output.
type Command struct {
	// Path is the program, which is looked for in PATH if it has no slash. Required.
	Path string
	// Args are its arguments. {{.PeerAddress}} and {{.ChaincodeID}} in them are replaced. Nil means what Go chaincode wants,
	// "-peer.address {{.PeerAddress}}". For Node: "start", "--peer.address", "{{.PeerAddress}}".
	Args []string
	// Dir is the folder that it starts in. Empty: the test's.
	Dir string
	// Env is added to its environment, as KEY=value. It gets little of the test's own: PATH, and the folder of temporary files.
	Env []string
}

var _ Chaincode = Command{}

// Runtime implements Chaincode.
func (c Command) Runtime(h Host) (runtime.Runtime, error) {
	path, err := exec.LookPath(c.Path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, errors.Wrap(err, "find the program")
	}
	address, err := h.PeerAddress()
	if err != nil {
		return nil, errors.Wrap(err, "have the peer listen")
	}
	cfg := process.Config{Command: path, Args: c.Args, Env: c.Env, PeerAddress: address, MSPID: h.MSPID, Logger: lines(h.Output)}
	if c.Dir != "" {
		if cfg.Dir, err = filepath.Abs(c.Dir); err != nil {
			return nil, err
		}
	}
	return process.New(cfg)
}

// lines is a logger that writes messages, and nothing else, a line each.
func lines(w io.Writer) *zap.Logger {
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "m"})
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(w), zapcore.DebugLevel))
}

// GoPackage is Go chaincode with a main function, in a folder. It is built when it is first deployed, and runs as a process of its
// own. So its panics, its environment and its memory are its own, as in production. Keep what GoPackage returns in a variable, to
// build it once for all tests.
//
// If the tests run with GOCOVERDIR set, it is built with -cover, and leaves its coverage there.
func GoPackage(folder string) Chaincode { return &goPackage{folder: folder} }

type goPackage struct {
	folder string

	once    sync.Once
	program string
	err     error
}

// Runtime implements Chaincode.
func (g *goPackage) Runtime(h Host) (runtime.Runtime, error) {
	g.once.Do(func() { g.program, g.err = build(g.folder) })
	if g.err != nil {
		return nil, g.err
	}
	c := Command{Path: g.program}
	if dir := os.Getenv(coverVariable); dir != "" {
		c.Env = []string{coverVariable + "=" + dir}
	}
	return c.Runtime(h)
}

// coverVariable is where programs that were built with -cover leave their coverage.
const coverVariable = "GOCOVERDIR"

// build builds a folder's program, and returns its path. The next build of the same folder replaces it, so that builds don't pile up.
func build(folder string) (string, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	if err := wantMain(folder); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256([]byte(folder))
	program := filepath.Join(cache, "chaincodetest", hex.EncodeToString(sum[:8]), filepath.Base(folder)+executable)
	args := []string{"build", "-C", folder, "-o", program}
	if os.Getenv(coverVariable) != "" {
		args = append(args, "-cover")
	}
	cmd := exec.CommandContext(context.Background(), "go", append(args, ".")...) //nolint:gosec // the folder is the test's
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Errorf("build %s: %v\n%s", folder, err, out)
	}
	return program, nil
}

// wantMain returns an error if a folder's package isn't a program. go build would write an archive then, which can't be started.
func wantMain(folder string) error {
	cmd := exec.CommandContext(context.Background(), "go", "list", "-C", folder, "-f", "{{.Name}}", ".") //nolint:gosec // the folder is the test's
	out, err := cmd.Output()
	if name := strings.TrimSpace(string(out)); err == nil && name != "main" {
		return errors.Errorf("build %s: it is package %s, and not main: deploy the folder of the program", folder, name)
	}
	return nil // what else is wrong, the build says better
}

// Server is chaincode that runs already, as a server at an address: chaincode as a service. It must register as the chaincode ID that
// option ChaincodeID names.
func Server(address string) Chaincode {
	return ChaincodeFunc(func(Host) (runtime.Runtime, error) { return dial.New(dial.Config{Address: address}) })
}
