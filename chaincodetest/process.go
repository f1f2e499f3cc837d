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
	"github.com/ccpeer/ccpeer/chaincodetest/internal/otherclock"
)

// Command is chaincode that a command starts, as a process of its own that dials the peer. What it prints is in the test's output.
//
// A program for Node sees another day when a transaction runs again to be compared: NODE_OPTIONS has it load a script that sees to that.
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
	env, err := c.environment(h)
	if err != nil {
		return nil, err
	}
	cfg := process.Config{Command: path, Args: c.Args, Env: env, PeerAddress: address, MSPID: h.MSPID, Logger: lines(h.Output)}
	if c.Dir != "" {
		if cfg.Dir, err = filepath.Abs(c.Dir); err != nil {
			return nil, err
		}
	}
	return process.New(cfg)
}

// environment is what the program gets besides what the peer gives it.
func (c Command) environment(h Host) ([]string, error) {
	if h.Clock == nil {
		return c.Env, nil
	}
	file, err := h.Clock()
	if err != nil {
		return nil, err
	}
	return otherclock.Node(c.Env, file)
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
func GoPackage(folder string, options ...BuildOption) Chaincode {
	g := &goPackage{folder: folder}
	for _, o := range options {
		o(g)
	}
	return g
}

// BuildOption is a setting of GoPackage.
type BuildOption func(*goPackage)

// ShiftClock has the program see another day when a transaction runs again to be compared. So time.Now is found in whatever unit it is
// used. For that the program gets a package time of its own, and all that imports it is built anew: the first time with a version of Go
// takes half a minute or so. It doesn't work on Windows.
func ShiftClock() BuildOption { return func(g *goPackage) { g.shift = true } }

type goPackage struct {
	folder string
	shift  bool

	once    sync.Once
	program string
	err     error
}

// Runtime implements Chaincode.
func (g *goPackage) Runtime(h Host) (runtime.Runtime, error) {
	g.once.Do(func() { g.program, g.err = g.build() })
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

// build builds the folder's program, and returns its path. The next build of the same folder replaces it, so that builds don't pile up.
func (g *goPackage) build() (string, error) {
	folder, err := filepath.Abs(g.folder)
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
	kind := folder
	args := []string{"build", "-C", folder}
	if g.shift {
		overlay, err := overlayFor(folder)
		if err != nil {
			return "", errors.WithMessagef(err, "build %s", folder)
		}
		kind += "\x00clock"
		args = append(args, "-overlay", overlay)
	}
	if os.Getenv(coverVariable) != "" {
		args = append(args, "-cover")
	}
	sum := sha256.Sum256([]byte(kind))
	program := filepath.Join(cache, "chaincodetest", hex.EncodeToString(sum[:8]), filepath.Base(folder)+executable)
	cmd := exec.CommandContext(context.Background(), "go", append(args, "-o", program, ".")...) //nolint:gosec // the folder is the test's
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Errorf("build %s: %v\n%s", folder, err, out)
	}
	return program, nil
}

// overlayFor returns the overlay for the Go that builds a folder.
func overlayFor(folder string) (string, error) {
	cmd := exec.CommandContext(context.Background(), "go", "env", "-C", folder, "GOROOT") //nolint:gosec // the folder is the test's
	goroot, err := cmd.Output()
	if err != nil {
		return "", errors.Wrap(err, "find GOROOT")
	}
	return otherclock.Overlay(strings.TrimSpace(string(goroot)))
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
