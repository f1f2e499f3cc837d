package builder

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/dial"
	"github.com/ccpeer/ccpeer/chaincodesupport/runtime/internal/group"
)

// Builder is an external builder, like an entry of Fabric's chaincode.externalBuilders.
type Builder struct {
	// Name is the builder's name. Builds remember it, and logs show it. Required, and unique.
	Name string
	// Path is the absolute path of the builder's folder. It has bin/detect and bin/build, and may have bin/release and
	// bin/run. On Windows, these are programs or batch files: bin/detect.exe, bin/detect.cmd and the like. Required.
	Path string
	// PropagateEnvironment names variables of the peer's environment that the scripts get. Of the others they get only
	// LD_LIBRARY_PATH, LIBPATH, PATH and TMPDIR; on Windows, PATH, PATHEXT, TEMP, TMP and SYSTEMROOT.
	PropagateEnvironment []string
}

func (b *Builder) script(name string) string { return filepath.Join(b.Path, "bin", name) }

// has reports whether the builder has a script.
func (b *Builder) has(name string) (bool, error) {
	runs, err := isProgram(b.script(name))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil:
		return false, errors.Wrapf(err, "look for bin/%s of builder %q", name, b.Name)
	case !runs:
		return false, errors.Errorf("bin/%s of builder %q, %s, is not executable", name, b.Name, b.script(name))
	}
	return true, nil
}

// environ returns the whole environment of the builder's scripts. It is never nil, which would mean the peer's environment.
func (b *Builder) environ() []string { return group.PassedOn(b.PropagateEnvironment...) }

// Config says which builders there are, and what they are told about the peer. New copies it.
type Config struct {
	// Builders are asked in this order whether they can build a package. At least one is required.
	Builders []Builder
	// Dir is the absolute path of the folder in which builds are kept. It is made if it is not there, and must have nothing
	// else in it. Several Runtimes on one machine may use it at the same time, though not on Windows. Required.
	Dir string
	// Packages gives Run the package of a chaincode that has not been built in Dir. An error says that there is none. Nil:
	// Run runs only what is built.
	Packages func(ctx context.Context, packageID string) (*Package, error)
	// PeerAddress is where chaincode that bin/run starts finds the peer: host:port, or another form that the builder's
	// chaincode understands. The peer must listen there before Run is called. Required if a builder has bin/run.
	PeerAddress string
	// MSPID is the ID of the peer's organization, which bin/run is told. Empty means SampleOrg, as in Fabric's core.yaml.
	MSPID string
	// TLS makes the certificate that bin/run is told, a new one for each start of a chaincode. It is revoked when nothing of
	// that chaincode is left. Nil: chaincode is given no certificates, and has to use plaintext.
	TLS runtime.Issuer
	// Dial says how to dial chaincode that is a server. The build's connection.json replaces Address, TLS, DialTimeout and
	// RetryFor. If its Logger is nil, the one below is used.
	Dial dial.Config
	// BuildTimeout is how long detecting, building and releasing may take together. Zero means
	// 300 seconds, as in Fabric (chaincode.installTimeout).
	BuildTimeout time.Duration
	// Grace is how long a script has from being asked to end (SIGTERM, or on Windows CTRL_BREAK) to being killed. After
	// that, the peer waits for as long again for processes that have left its process group but hold its output open. Zero
	// means 5 seconds.
	Grace time.Duration
	// Logger gets each line that scripts print, at OutputLevel. Lines of bin/run have the name "peer.chaincode.<id>", and
	// others "chaincode.externalbuilder.<builder>". Nil: nothing is logged.
	Logger *zap.Logger
	// OutputLevel is the level of the lines that scripts print. The zero value is Info.
	OutputLevel zapcore.Level
}

func (c *Config) validate() error {
	if len(c.Builders) == 0 {
		return errors.New("there are no Builders")
	}
	for i := range c.Builders {
		b := &c.Builders[i]
		if slices.ContainsFunc(c.Builders[:i], func(other Builder) bool { return other.Name == b.Name }) {
			return errors.Errorf("there are two builders %q", b.Name)
		}
		runs, err := b.validate()
		if err != nil {
			return err
		}
		if runs && c.PeerAddress == "" {
			return errors.Errorf("builder %q has bin/run, so PeerAddress is required", b.Name)
		}
	}
	probe := c.Dial // what a connection.json has no say in
	probe.Address, probe.TLS, probe.DialTimeout, probe.RetryFor = "localhost:1", nil, 0, 0
	if _, err := dial.New(probe); err != nil {
		return err
	}
	switch {
	case !filepath.IsAbs(c.Dir):
		return errors.Errorf("folder for builds %q is not an absolute path", c.Dir)
	case c.BuildTimeout < 0:
		return errors.Errorf("build timeout %s is negative", c.BuildTimeout)
	case c.Grace < 0:
		return errors.Errorf("grace time %s is negative", c.Grace)
	}
	return nil
}

// validate checks the values. It also reports whether the builder has bin/run.
func (b *Builder) validate() (runs bool, err error) {
	if b.Name == "" {
		return false, errors.Errorf("the builder in %q has no name", b.Path)
	}
	if !filepath.IsAbs(b.Path) {
		return false, errors.Errorf("path %q of builder %q is not absolute", b.Path, b.Name)
	}
	for _, name := range b.PropagateEnvironment {
		if name == "" || strings.Contains(name, "=") {
			return false, errors.Errorf("PropagateEnvironment of builder %q has an entry that is not the name of a variable", b.Name)
		}
	}
	for _, name := range []string{"detect", "build"} {
		if ok, err := b.has(name); err != nil {
			return false, err
		} else if !ok {
			return false, errors.Errorf("builder %q has no %s", b.Name, b.script(name))
		}
	}
	if _, err := b.has("release"); err != nil {
		return false, err
	}
	return b.has("run")
}

// complete returns a copy in which everything that has a default is set.
func (c Config) complete() Config {
	c.Builders = slices.Clone(c.Builders)
	for i := range c.Builders {
		c.Builders[i].PropagateEnvironment = slices.Clone(c.Builders[i].PropagateEnvironment)
	}
	if c.BuildTimeout == 0 {
		c.BuildTimeout = 300 * time.Second
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Dial.Logger == nil {
		c.Dial.Logger = c.Logger
	}
	return c
}
