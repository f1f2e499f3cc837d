package process

import (
	"cmp"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/shimenv"
)

// Config says what to run and how. New copies it.
type Config struct {
	// Command is the absolute path of the program. It must be there when New is called. It is run without a shell. Required.
	Command string
	// Args are the program's arguments, without its name. {{.PeerAddress}} and {{.ChaincodeID}} in them are replaced. Nil
	// means what Go chaincode wants, "-peer.address {{.PeerAddress}}". For Node, give "start", "--peer.address",
	// "{{.PeerAddress}}". Empty but not nil means no arguments.
	Args []string
	// Env is added to the environment as KEY=value. It replaces a variable that is there already. Of the peer's own
	// environment chaincode gets only LD_LIBRARY_PATH, LIBPATH, PATH and TMPDIR; on Windows, PATH, PATHEXT, TEMP, TMP and
	// SYSTEMROOT. {{.PeerAddress}} and {{.ChaincodeID}} are replaced as in Args.
	Env []string
	// Dir is the absolute path of the working directory. Empty means the peer's.
	Dir string
	// PeerAddress is where the chaincode finds the peer: host:port or unix:///path. The peer must listen there before Run is
	// called, because shims give up at once. Required.
	PeerAddress string
	// TLS makes the certificate with which a chaincode proves to the peer who it is, a new one for each run. The chaincode
	// finds it in files that only the peer's user can read. They are removed when the run has ended. Nil means plaintext,
	// which is allowed only for an address that is loopback or a socket.
	TLS runtime.Issuer
	// MSPID is the ID of the peer's organization. The chaincode gets it as CORE_PEER_LOCALMSPID. Empty means SampleOrg, as
	// in Fabric's core.yaml.
	MSPID string
	// LogLevel, ShimLogLevel and LogFormat are passed on as CORE_CHAINCODE_LOGGING_LEVEL, _SHIM and _FORMAT. Empty means
	// Fabric's default for the levels, "info" and "warning", and no format.
	LogLevel, ShimLogLevel, LogFormat string
	// Logger gets each line that the chaincode prints, at OutputLevel under the name "peer.chaincode.<id>". Colours are left
	// out, and so is what goes beyond 1 MiB at once and then 64 KiB a second, over all runs of the chaincode; a line says how
	// much that was. Nil: the output is read and thrown away.
	Logger *zap.Logger
	// OutputLevel is the level of the lines that the chaincode prints. The zero value is Info.
	OutputLevel zapcore.Level
	// Grace is how long a chaincode has from being asked to end (SIGTERM, or on Windows CTRL_BREAK) to being killed. After
	// that, Run waits for as long again for processes that have left its process group but hold its output open. Zero means
	// 5 seconds.
	Grace time.Duration
	// LastLines is how many of the last lines an ExitError keeps of the chaincode's standard output, and as many of its
	// standard error. Go writes errors to the one, Node to the other. The first lines are kept besides. Zero means 20.
	LastLines int

	server group.ServerAddress // where a chaincode listens that is a server; empty for one that dials the peer
}

func (c *Config) validate() error {
	if !filepath.IsAbs(c.Command) {
		return errors.Errorf("command %q is not an absolute path: give the path of the chaincode's program", c.Command)
	}
	if _, err := exec.LookPath(c.Command); err != nil {
		return errors.WithMessagef(cause(err), "command %q is not a program that can be run", c.Command)
	}
	if c.Dir != "" && !filepath.IsAbs(c.Dir) {
		return errors.Errorf("working directory %q is not an absolute path", c.Dir)
	}
	if c.server == "" { // that of a server is checked by whoever dials it
		if err := shimenv.CheckAddress(c.PeerAddress, c.TLS != nil); err != nil {
			return err
		}
	}
	for _, kv := range c.Env {
		if strings.Index(kv, "=") < 1 {
			// It is not quoted, because it may be a secret whose name was forgotten.
			return errors.New("an entry of Env is not of the form KEY=value")
		}
	}
	if c.Grace < 0 {
		return errors.Errorf("grace time %s is negative", c.Grace)
	}
	if c.LastLines < 0 {
		return errors.Errorf("number of last lines %d is negative", c.LastLines)
	}
	return nil
}

// cause returns what an *exec.Error says beside the name.
func cause(err error) error {
	var e *exec.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// complete returns a copy in which everything that has a default is set.
func (c Config) complete() Config {
	if c.Args == nil && c.server == "" {
		c.Args = []string{"-peer.address", "{{.PeerAddress}}"}
	}
	c.Args = slices.Clone(c.Args)
	c.Env = slices.Clone(c.Env)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.LastLines == 0 {
		c.LastLines = 20
	}
	return c
}

// fill returns texts with what is to be replaced in them.
func (c *Config) fill(texts []string, chaincodeID string) []string {
	r := strings.NewReplacer("{{.PeerAddress}}", cmp.Or(string(c.server), c.PeerAddress), "{{.ChaincodeID}}", chaincodeID)
	filled := make([]string, len(texts))
	for i, t := range texts {
		filled[i] = r.Replace(t)
	}
	return filled
}

// environ returns the whole environment of a chaincode that is told what s says.
func (c *Config) environ(s *shimenv.Settings) []string {
	return append(append(group.PassedOn(), s.Environ()...), c.fill(c.Env, s.ChaincodeID)...)
}
